import { SERIES_MAX } from "./limits";

/** A number to plot: the one at this JSON Pointer in the value of the key with this id. */
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

/** Removes a plotted number, or adds it to a chart of the same field, or else as a new chart. */
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

/** Merges the chart at `index` with the previous one. */
export function joined(charts: readonly Chart[], index: number): Chart[] {
  const [before, chart] = [charts[index - 1], charts[index]];
  if (!before || !chart) return [...charts];
  return [...charts.slice(0, index - 1), [...before, ...chart], ...charts.slice(index + 1)];
}

/** Splits the chart at `index` into one chart per series. */
export function split(charts: readonly Chart[], index: number): Chart[] {
  return charts.flatMap((chart, i) => (i === index ? chart.map((plot) => [plot]) : [chart]));
}

function field({ pointer }: Plot): string {
  return pointer.split("/").at(-1) ?? "";
}
