import type { Row } from "./table";

export type SortBy = "key" | "changed" | "rate";

export interface Sort {
  by: SortBy;
  descending: boolean;
}

/** The rows of a table in key order, updated by merging new rows into the sorted ones. */
export class KeyOrder {
  rows: Row[] = [];

  /** Merges and empties both collections; returns whether anything changed. */
  merge(added: Row[], removed: Set<Row>): boolean {
    if (added.length === 0 && removed.size === 0) return false;
    const sorted = added.filter((row) => !removed.has(row)).sort(byKey);
    const merged: Row[] = [];
    let next = 0;
    for (const row of this.rows) {
      if (removed.has(row)) continue;
      for (let other = sorted[next]; other && byKey(other, row) < 0; other = sorted[++next]) {
        merged.push(other);
      }
      merged.push(row);
    }
    this.rows = merged.concat(sorted.slice(next));
    added.length = 0;
    removed.clear();
    return true;
  }

  /** Returns the rows with a prefix in the requested order. Scores above `scoreMax` are equal. */
  select(prefix: string, sort: Sort, scoreMax: number): Row[] {
    const [start, end] = this.range(prefix);
    const rows = this.rows.slice(start, end);
    if (sort.by === "key") return sort.descending ? rows.reverse() : rows;
    const order = sort.by === "rate" ? byScore(scoreMax) : byTime;
    // Sorting is stable, so equal rows stay in key order.
    return rows.sort(sort.descending ? (a, b) => order(b, a) : order);
  }

  private range(prefix: string): [number, number] {
    if (prefix === "") return [0, this.rows.length];
    const start = lowerBound(this.rows, (row) => row.key < prefix);
    return [start, lowerBound(this.rows, (row) => row.key < prefix || row.key.startsWith(prefix))];
  }
}

function byKey(one: Row, other: Row): number {
  if (one.order !== other.order) return one.order < other.order ? -1 : 1;
  return one.id < other.id ? -1 : one.id > other.id ? 1 : 0;
}

function byTime(one: Row, other: Row): number {
  return one.timestampMs - other.timestampMs;
}

/** Scores above the maximum are equal, so that rows with indistinguishable rates do not keep moving. */
function byScore(scoreMax: number) {
  return (one: Row, other: Row): number => {
    const [a, b] = [Math.min(one.score, scoreMax), Math.min(other.score, scoreMax)];
    // Rows that never changed have infinite scores, whose difference is NaN.
    return a === b ? 0 : a - b;
  };
}

function lowerBound(rows: Row[], isBefore: (row: Row) => boolean): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const row = rows[middle];
    if (row && isBefore(row)) low = middle + 1;
    else high = middle;
  }
  return low;
}
