import { SERIES_MAX } from "./limits";

/** One number to plot: of the key with this id, the number at this JSON Pointer of its value. */
export interface Plot {
  readonly id: string;
  readonly pointer: string;
}

/** Series that share axes; never empty. */
export type Chart = Plot[];

export function samePlot(one: Plot, other: Plot): boolean {
  return one.id === other.id && one.pointer === other.pointer;
}

export function plotName({ id, pointer }: Plot): string {
  return `${id} ${pointer}`;
}

export function seriesIn(charts: readonly Chart[]): number {
  return charts.reduce((sum, chart) => sum + chart.length, 0);
}

/** Adds it to a chart of the same field, for those compare, else as a new chart; removes it where it is plotted. */
export function toggled(charts: readonly Chart[], plot: Plot): Chart[] {
  if (charts.flat().some((known) => samePlot(known, plot))) return without(charts, plot);
  if (seriesIn(charts) >= SERIES_MAX) return [...charts];
  const fits = charts.findIndex((chart) => chart.every((known) => field(known) === field(plot)));
  if (plot.pointer === "" || fits < 0) return [...charts, [plot]];
  return charts.map((chart, i) => (i === fits ? [...chart, plot] : chart));
}

export function without(charts: readonly Chart[], plot: Plot): Chart[] {
  return charts
    .map((chart) => chart.filter((known) => !samePlot(known, plot)))
    .filter((chart) => chart.length > 0);
}

/** The chart at `index` and the one before it as one. */
export function joined(charts: readonly Chart[], index: number): Chart[] {
  const [before, chart] = [charts[index - 1], charts[index]];
  if (!before || !chart) return [...charts];
  return [...charts.slice(0, index - 1), [...before, ...chart], ...charts.slice(index + 1)];
}

/** Each series of the chart at `index` in a chart of its own. */
export function split(charts: readonly Chart[], index: number): Chart[] {
  return charts.flatMap((chart, i) => (i === index ? chart.map((plot) => [plot]) : [chart]));
}

function field({ pointer }: Plot): string {
  return pointer.split("/").at(-1) ?? "";
}
