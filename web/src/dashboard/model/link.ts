import { base64OfId, base64OfText, bytesOf, idOf, isId, isPrintable, textOf } from "./bytes";
import { PINS_MAX, SERIES_MAX } from "./limits";
import type { Sort, SortBy } from "./order";
import { type Chart, type Plot, samePlot, seriesIn } from "./plots";

export const SPANS_SECONDS = [30, 120, 600, 1800] as const;

/** Limits of the share of the workspace that pins and plots may take. */
export const BOARD_PERCENT_MIN = 15;
export const BOARD_PERCENT_MAX = 85;

/** The state that a link contains. Keys are ids. */
export interface LinkState {
  /** Null for the first table, or the only one. */
  table: string | null;
  prefix: string;
  sort: Sort;
  key: string | null;
  pins: string[];
  charts: Chart[];
  spanSeconds: number;
  /** The height of pins and plots; null for automatic height. */
  boardPercent: number | null;
}

export const EMPTY_LINK: LinkState = {
  table: null,
  prefix: "",
  sort: { by: "key", descending: false },
  key: null,
  pins: [],
  charts: [],
  spanSeconds: 120,
  boardPercent: null,
};

/**
 * Returns the link to show among these tables: of the table that it names, else of the first. Nothing of a link to a table that
 * is not there is about another one.
 */
export function linkAmong(link: LinkState, tables: readonly (string | null)[]): LinkState {
  if (tables.includes(link.table)) return link;
  const [first = null] = tables;
  return { ...(link.table === null ? link : EMPTY_LINK), table: first };
}

/** No JSON Pointer contains it, so the last one ends the key. */
const POINTER_MARK = "~~";
const ID_MARK = "id:";

/**
 * `?table=figures&prefix=process/&sort=-rate&key=cpu/0&pin=memory&plot=cpu/0~~/percent&with=cpu/1~~/percent&span=600&board=45`:
 * all but `table` is about that table. `plot` starts a chart and `with` adds a series to it. Invalid parts are ignored.
 */
export function parseLink(search: string): LinkState {
  const parameters = new URLSearchParams(search);
  const key = parameters.get("key");
  const span = Number(parameters.get("span"));
  return {
    table: parameters.get("table") ?? EMPTY_LINK.table,
    prefix: parameters.get("prefix") ?? "",
    sort: parseSort(parameters.get("sort") ?? ""),
    key: key === null ? null : parseKey(key),
    pins: parsePins(parameters.getAll("pin")),
    charts: parseCharts(parameters),
    spanSeconds: SPANS_SECONDS.find((known) => known === span) ?? EMPTY_LINK.spanSeconds,
    boardPercent: parsePercent(parameters.get("board") ?? ""),
  };
}

/** Returns the query string with its question mark, or an empty string. Default values are omitted. */
export function formatLink(state: LinkState): string {
  const pairs: [string, string][] = [];
  const { by, descending } = state.sort;
  if (state.table !== null) pairs.push(["table", state.table]);
  if (state.prefix !== "") pairs.push(["prefix", state.prefix]);
  if (by !== "key" || descending) pairs.push(["sort", (descending ? "-" : "") + by]);
  if (state.key !== null) pairs.push(["key", formatKey(state.key)]);
  for (const id of state.pins) pairs.push(["pin", formatKey(id)]);
  for (const chart of state.charts) {
    chart.forEach((plot, i) => pairs.push([i === 0 ? "plot" : "with", formatPlot(plot)]));
  }
  if (state.spanSeconds !== EMPTY_LINK.spanSeconds) pairs.push(["span", String(state.spanSeconds)]);
  if (state.boardPercent !== null) pairs.push(["board", String(state.boardPercent)]);
  const query = pairs.map(([name, value]) => `${name}=${encode(value)}`).join("&");
  return query === "" ? "" : `?${query}`;
}

/** Returns a key as text if that is exact, readable and not empty, else as its id. */
function formatKey(id: string): string {
  const bytes = bytesOf(base64OfId(id));
  const text = isPrintable(bytes) ? textOf(base64OfId(id)) : null;
  return text === null || text === "" || text.startsWith(ID_MARK) ? ID_MARK + id : text;
}

function parseKey(text: string): string | null {
  if (!text.startsWith(ID_MARK)) return text === "" ? null : idOf(base64OfText(text));
  const id = text.slice(ID_MARK.length);
  return id === "" || isId(id) ? id : null;
}

function formatPlot({ id, pointer }: Plot): string {
  return formatKey(id) + POINTER_MARK + pointer;
}

function parsePlot(text: string): Plot | null {
  const mark = text.lastIndexOf(POINTER_MARK);
  const id = mark < 0 ? null : parseKey(text.slice(0, mark));
  return id === null ? null : { id, pointer: text.slice(mark + POINTER_MARK.length) };
}

function parseCharts(parameters: URLSearchParams): Chart[] {
  const charts: Chart[] = [];
  for (const [name, value] of parameters) {
    const plot = name === "plot" || name === "with" ? parsePlot(value) : null;
    if (!plot || seriesIn(charts) >= SERIES_MAX) continue;
    if (charts.flat().some((known) => samePlot(known, plot))) continue;
    const last = charts.at(-1);
    if (name === "with" && last) last.push(plot);
    else charts.push([plot]);
  }
  return charts;
}

function parsePins(texts: string[]): string[] {
  const ids = texts.map(parseKey).filter((id) => id !== null);
  return [...new Set(ids)].slice(0, PINS_MAX);
}

function parsePercent(text: string): number | null {
  const percent = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  return percent >= BOARD_PERCENT_MIN && percent <= BOARD_PERCENT_MAX ? percent : null;
}

function parseSort(text: string): Sort {
  const descending = text.startsWith("-");
  const by = text.slice(descending ? 1 : 0);
  return isSortBy(by) ? { by, descending } : EMPTY_LINK.sort;
}

function isSortBy(text: string): text is SortBy {
  return text === "key" || text === "changed" || text === "rate";
}

/** Keeps slashes and colons, which are common in keys and legal in a query. */
function encode(text: string): string {
  return encodeURIComponent(text).replaceAll("%2F", "/").replaceAll("%3A", ":");
}
