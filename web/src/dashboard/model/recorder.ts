import { StreamClock } from "./clock";
import type { Version } from "./history";
import { numberAt } from "./json";
import { type Chart, type Plot, plotName } from "./plots";
import { type Limits, Series } from "./series";
import { jsonOf } from "./value";

export interface Recording {
  plot: Plot;
  series: Series;
  latest: number | null;
}

/** Records the plotted numbers of keys. */
export class Recorder {
  readonly clock = new StreamClock();
  private readonly byName = new Map<string, Recording>();
  private readonly byId = new Map<string, Recording[]>();

  constructor(private readonly limits: Limits) {}

  get(plot: Plot): Recording | undefined {
    return this.byName.get(plotName(plot));
  }

  has(id: string): boolean {
    return this.byId.has(id);
  }

  /** Records exactly these charts; returns the ids of keys with new plots. */
  keep(charts: readonly Chart[]): Set<string> {
    const wanted = new Map(charts.flat().map((plot) => [plotName(plot), plot]));
    for (const name of this.byName.keys()) if (!wanted.has(name)) this.byName.delete(name);
    const added = new Set<string>();
    for (const [name, plot] of wanted) {
      if (this.byName.has(name)) continue;
      this.byName.set(name, { plot, series: new Series(this.limits), latest: null });
      added.add(plot.id);
    }
    this.byId.clear();
    for (const one of this.byName.values()) {
      this.byId.set(one.plot.id, [...(this.byId.get(one.plot.id) ?? []), one]);
    }
    return added;
  }

  /** Records a version. `live` is false for a snapshot, whose timestamps may be old. */
  record(id: string, version: Version, arrivalMs: number, live: boolean): void {
    const recordings = this.byId.get(id);
    if (!recordings) return;
    const timeMs = live
      ? this.clock.timeOf(version.timestampMs, arrivalMs)
      : (version.timestampMs ?? this.clock.now(arrivalMs));
    const json = jsonOf(version);
    for (const recording of recordings) {
      recording.latest = numberAt(json, recording.plot.pointer);
      if (recording.latest === null) recording.series.gap(timeMs);
      else recording.series.push(timeMs, recording.latest);
    }
  }

  /** Inserts earlier versions from the service before the recorded ones. */
  seed(id: string, past: readonly Version[]): void {
    for (const recording of this.byId.get(id) ?? []) {
      const before = recording.series;
      const end = before.length > 0 ? before.timeAt(0) : Number.POSITIVE_INFINITY;
      const series = new Series(this.limits);
      for (const version of past) {
        if (version.timestampMs === null || version.timestampMs >= end) continue;
        const value = numberAt(jsonOf(version), recording.plot.pointer);
        if (value === null) series.gap(version.timestampMs);
        else series.push(version.timestampMs, value);
        recording.latest ??= value;
      }
      for (let i = 0; i < before.length; i++) series.push(before.timeAt(i), before.valueAt(i));
      recording.series = series;
    }
  }

  /** Changes of a key were missed. */
  gap(id: string, arrivalMs: number): void {
    for (const { series } of this.byId.get(id) ?? []) series.gap(this.clock.now(arrivalMs));
  }
}
