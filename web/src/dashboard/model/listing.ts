import { TABLE_RATE_MAX } from "./limits";
import { KeyOrder, type Sort } from "./order";
import { scoreOf } from "./rates";
import type { Row, Table } from "./table";

const REORDER_MS = 1_000;
const MERGE_MS = 100;
/** Ordering rests this many times as long as it took. */
const REST_FACTOR = 15;
const BACKGROUND_ROWS_MAX = 10_000;

/** The rows of a table to show, in the order asked for, brought up to date as often as can be afforded. */
export class Listing {
  rows: Row[] = [];
  /** While it is set, rows keep their places in an order that would move them. */
  held = false;
  private order = new KeyOrder();
  private dueMs = 0;
  private asked = true;

  /** What is asked for has changed: the next refresh is not put off. */
  ask(): void {
    this.asked = true;
  }

  /** The table is another one, or empty. */
  restart(): void {
    this.order = new KeyOrder();
    this.asked = true;
  }

  refresh(table: Table, prefix: string, sort: Sort, nowMs: number): void {
    const holding = this.held && sort.by !== "key";
    const moving = sort.by !== "key" && !holding;
    const waiting = table.added.length > 0 || table.removed.size > 0;
    if (!this.asked && ((!moving && !waiting) || nowMs < this.dueMs)) return;
    const start = performance.now();
    this.order.merge(table.added, table.removed);
    const selected = this.order.select(prefix, sort, scoreOf(TABLE_RATE_MAX, nowMs));
    this.rows = holding && !this.asked ? inPlace(this.rows, selected) : selected;
    this.asked = false;
    const rest = (performance.now() - start) * REST_FACTOR;
    this.dueMs = nowMs + Math.max(moving ? REORDER_MS : MERGE_MS, rest);
  }

  /** While the page is hidden nothing refreshes: what came and went must not pile up. */
  keepUp(table: Table): void {
    if (table.added.length + table.removed.size <= BACKGROUND_ROWS_MAX) return;
    this.order.merge(table.added, table.removed);
    this.asked = true;
  }
}

/** What is still there stays where it was; what is new comes after it. */
function inPlace(rows: Row[], selected: Row[]): Row[] {
  const wanted = new Set(selected);
  const kept = rows.filter((row) => wanted.delete(row));
  return [...kept, ...wanted];
}
