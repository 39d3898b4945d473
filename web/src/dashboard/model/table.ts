import { idOf, keyOf, undecodedKeyOf } from "./bytes";
import type { Json } from "./json";
import type { TypedKey } from "./keys";
import type { Update } from "./operations";
import { NEVER, scoreAfter } from "./rates";

export interface Row {
  /** See `idOf`; it differs even between keys that look alike. */
  readonly id: string;
  readonly key: string;
  /** Undefined in a table without typed keys, and for a key that cannot be decoded. */
  readonly typed: TypedKey | undefined;
  /** Rows sort by this text. */
  readonly order: string;
  /** Base64. */
  raw: string;
  /** What the table's schema makes of it. */
  json: Json | undefined;
  /** Why its value cannot be decoded. */
  problem: string | undefined;
  partition: number;
  offset: number;
  /** Timestamp of the record, or time of its arrival if it has none. */
  timestampMs: number;
  /** When the last live change arrived; 0 if the row is from a snapshot. */
  flashMs: number;
  score: number;
}

/**
 * `loading`: a snapshot is arriving. `resuming`: missed changes are arriving. `live`: the rows equal the table at the cursor.
 * `full`: a limit was reached, and further updates are ignored.
 */
export type Phase = "loading" | "resuming" | "live" | "full";

export interface TableLimits {
  keysMax: number;
  valueCharactersMax: number;
}

export interface ResumePoint {
  after: string | null;
  snapshot: boolean;
}

/** The rows of one `updates` subscription. */
export class Table {
  readonly rows = new Map<string, Row>();
  /** Rows added since a consumer last emptied this list. */
  added: Row[] = [];
  removed = new Set<Row>();
  phase: Phase = "loading";
  cursor: string | null = null;
  /** When it last became live. */
  liveMs = 0;
  /** Since when the service sends only the latest of many changes; null while it sends each change. */
  behindMs: number | null = null;
  private characters = 0;

  constructor(private readonly limits: TableLimits) {}

  /** Arguments of the next subscription: a snapshot at first, later everything after the last update. */
  get resumePoint(): ResumePoint {
    return { after: this.cursor, snapshot: this.cursor === null };
  }

  /** Applies an update; returns the changed or removed row, or undefined for markers. */
  apply(update: Update, nowMs: number): Row | undefined {
    if (this.phase === "full") return undefined;
    this.cursor = update.cursor;
    switch (update.kind) {
      case "SET":
        return this.set(update, nowMs, this.phase === "live");
      case "SNAPSHOT":
        return this.set(update, nowMs, false);
      case "DELETE":
        return this.delete(update);
      case "RESET":
        this.clear();
        this.phase = "loading";
        return undefined;
      case "CONFLATED":
        // Not a problem by itself: with an interval, a busy table is usually conflated.
        this.behindMs ??= nowMs;
        return undefined;
      case "LIVE":
        if (this.phase !== "live") this.liveMs = nowMs;
        this.phase = "live";
        this.behindMs = null;
        return undefined;
      case "PROGRESS":
        return undefined;
    }
  }

  /** Clears the rows and the cursor, so that the next subscription starts with a snapshot. */
  restart(): void {
    this.clear();
    this.cursor = null;
    this.phase = "loading";
  }

  /** The connection is open again, and a subscription from `resumePoint` has started. */
  resume(): void {
    if (this.phase === "live" && this.cursor !== null) this.phase = "resuming";
  }

  private set(update: Update, nowMs: number, live: boolean): Row | undefined {
    const id = idOf(update.key ?? "");
    const raw = update.entry?.value ?? "";
    let row = this.rows.get(id);
    this.characters += raw.length - (row?.raw.length ?? 0);
    if (this.characters > this.limits.valueCharactersMax) {
      this.phase = "full";
      return undefined;
    }
    if (!row) {
      if (this.rows.size >= this.limits.keysMax) {
        this.phase = "full";
        return undefined;
      }
      row = newRow(id, update);
      this.rows.set(id, row);
      this.added.push(row);
    }
    row.raw = raw;
    row.json = update.entry?.data;
    row.problem = update.entry?.problem;
    row.partition = update.partition ?? 0;
    row.offset = update.offset ?? 0;
    row.timestampMs = update.timestamp === null ? nowMs : Date.parse(update.timestamp);
    if (live) {
      row.flashMs = nowMs;
      row.score = scoreAfter(row.score, nowMs);
    }
    return row;
  }

  private delete(update: Update): Row | undefined {
    const id = idOf(update.key ?? "");
    const row = this.rows.get(id);
    if (!row) return undefined;
    this.rows.delete(id);
    this.removed.add(row);
    this.characters -= row.raw.length;
    return row;
  }

  private clear(): void {
    for (const row of this.rows.values()) this.removed.add(row);
    this.rows.clear();
    this.characters = 0;
    this.behindMs = null;
  }
}

function newRow(id: string, update: Update): Row {
  const { key, keyData: typed } = update;
  const isTyped = "keyData" in update;
  const text = typed?.text ?? (isTyped ? undecodedKeyOf : keyOf)(key ?? "");
  return {
    id,
    key: text,
    typed,
    order: typed?.order ?? text,
    raw: "",
    json: undefined,
    problem: undefined,
    partition: 0,
    offset: 0,
    timestampMs: 0,
    flashMs: 0,
    score: NEVER,
  };
}
