import { TABLE_RATE_MAX } from "./limits";
import { KeyOrder, type Sort } from "./order";
import { scoreOf } from "./rates";
import type { Row, Table } from "./table";

const REORDER_MS = 1_000;
const MERGE_MS = 100;
/** After ordering the rows, pause for this many times its duration. */
const REST_FACTOR = 15;
const BACKGROUND_ROWS_MAX = 10_000;

/** The visible rows of a table in the requested order, refreshed at a limited rate. */
export class Listing {
  rows: Row[] = [];
  /** While this is set, rows do not move. */
  held = false;
  private order = new KeyOrder();
  private dueMs = 0;
  private requested = true;

  /** The request has changed: the next refresh is not delayed. */
  request(): void {
    this.requested = true;
  }

  /** The table was replaced or emptied. */
  restart(): void {
    this.order = new KeyOrder();
    this.requested = true;
  }

  refresh(table: Table, prefix: string, sort: Sort, nowMs: number): void {
    const holding = this.held && sort.by !== "key";
    const moving = sort.by !== "key" && !holding;
    const waiting = table.added.length > 0 || table.removed.size > 0;
    if (!this.requested && ((!moving && !waiting) || nowMs < this.dueMs)) return;
    const start = performance.now();
    this.order.merge(table.added, table.removed);
    const selected = this.order.select(prefix, sort, scoreOf(TABLE_RATE_MAX, nowMs));
    this.rows = holding && !this.requested ? inPlace(this.rows, selected) : selected;
    this.requested = false;
    const rest = (performance.now() - start) * REST_FACTOR;
    this.dueMs = nowMs + Math.max(moving ? REORDER_MS : MERGE_MS, rest);
  }

  /** Bounds the pending rows while the page is hidden and nothing refreshes. */
  keepUp(table: Table): void {
    if (table.added.length + table.removed.size <= BACKGROUND_ROWS_MAX) return;
    this.order.merge(table.added, table.removed);
    this.requested = true;
  }
}

/** Keeps the remaining rows in their order, and appends the new ones. */
function inPlace(rows: Row[], selected: Row[]): Row[] {
  const wanted = new Set(selected);
  const kept = rows.filter((row) => wanted.delete(row));
  return [...kept, ...wanted];
}
