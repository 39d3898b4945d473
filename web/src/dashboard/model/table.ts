import { idOf, keyOf } from "./bytes";
import type { Update } from "./operations";
import { NEVER, scoreAfter } from "./rates";

export interface Row {
  /** `Entry.id`: two keys that look alike still differ here. */
  readonly id: string;
  readonly key: string;
  /** Base64. */
  raw: string;
  partition: number;
  offset: number;
  /** Of the record, or where Kafka has none, of its arrival. */
  timestampMs: number;
  /** When a change arrived while somebody could watch; 0 for what a snapshot brought. */
  flashMs: number;
  score: number;
}

/**
 * `loading`: a snapshot is under way. `resuming`: what was missed is under way. `live`: what is held is the
 * table at the cursor. `full`: a limit was reached, and nothing more is taken.
 */
export type Phase = "loading" | "resuming" | "live" | "full";

export interface TableLimits {
  keysMax: number;
  valueCharactersMax: number;
}

export interface Place {
  after: string | null;
  snapshot: boolean;
}

/** The keys of one `updates` subscription, kept by the rules of its update kinds. */
export class Table {
  readonly rows = new Map<string, Row>();
  /** Rows that came since somebody last took this list; for whoever keeps them in an order. */
  added: Row[] = [];
  removed = new Set<Row>();
  phase: Phase = "loading";
  cursor: string | null = null;
  /** When it last became live. */
  liveMs = 0;
  /** While live, since when only the latest of many changes are told; null while each is. */
  behindMs: number | null = null;
  private characters = 0;

  constructor(private readonly limits: TableLimits) {}

  /** Where to subscribe: a snapshot at first, and after a loss of the connection exactly behind the last update. */
  get place(): Place {
    return { after: this.cursor, snapshot: this.cursor === null };
  }

  /** The row that was changed or removed; undefined for markers. */
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
        // With an interval this is the usual course of a busy table: it is as live as it is asked to be.
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

  /** Forget everything, the cursor too: the next subscription starts with a snapshot. */
  restart(): void {
    this.clear();
    this.cursor = null;
    this.phase = "loading";
  }

  /** The connection is there again, and `place` is being asked for. */
  resume(): void {
    if (this.phase === "live" && this.cursor !== null) this.phase = "resuming";
  }

  private set(update: Update, nowMs: number, watched: boolean): Row | undefined {
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
      row = newRow(id, keyOf(update.key ?? ""));
      this.rows.set(id, row);
      this.added.push(row);
    }
    row.raw = raw;
    row.partition = update.partition ?? 0;
    row.offset = update.offset ?? 0;
    row.timestampMs = update.timestamp === null ? nowMs : Date.parse(update.timestamp);
    if (watched) {
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

function newRow(id: string, key: string): Row {
  return {
    id,
    key,
    raw: "",
    partition: 0,
    offset: 0,
    timestampMs: 0,
    flashMs: 0,
    score: NEVER,
  };
}
