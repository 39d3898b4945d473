import { describe, expect, test } from "vitest";
import { textOf } from "../../src/dashboard/model/bytes";
import type { Update, UpdateKind } from "../../src/dashboard/model/operations";
import { KeyOrder } from "../../src/dashboard/model/order";
import { NEVER } from "../../src/dashboard/model/rates";
import { Table } from "../../src/dashboard/model/table";
import { change, marker, randomOf } from "./support";

const LIMITS = { keysMax: 1000, valueCharactersMax: 100_000 };

function held(table: Table): Record<string, string | null> {
  return Object.fromEntries(Array.from(table.rows.values(), (row) => [row.key, textOf(row.raw)]));
}

test("a new table requests a snapshot", () => {
  expect(new Table(LIMITS).resumePoint).toEqual({ after: null, snapshot: true });
});

test("a snapshot fills the table, and LIVE ends it", () => {
  const table = new Table(LIMITS);
  table.apply(change("SNAPSHOT", "a", "1", 0), 5);
  expect(table.phase).toBe("loading");
  table.apply(marker("LIVE", "end"), 6);
  expect(table.phase).toBe("live");
  expect(held(table)).toEqual({ a: "1" });
});

test("SET replaces and DELETE removes", () => {
  const table = new Table(LIMITS);
  table.apply(change("SNAPSHOT", "a", "1", 0), 0);
  table.apply(change("SET", "a", "2", 1), 0);
  expect(held(table)).toEqual({ a: "2" });
  table.apply(change("DELETE", "a", null, 2), 0);
  expect(held(table)).toEqual({});
});

test("a DELETE of an unknown key changes only the cursor", () => {
  const table = new Table(LIMITS);
  expect(table.apply(change("DELETE", "a", null, 7), 0)).toBeUndefined();
  expect(table.cursor).toBe("c8");
});

test("an interrupted subscription resumes after the last update, even within a snapshot", () => {
  const table = new Table(LIMITS);
  table.apply(change("SNAPSHOT", "a", "1", 4), 0);
  expect(table.resumePoint).toEqual({ after: "c5", snapshot: false });
});

test("PROGRESS moves only the cursor", () => {
  const table = new Table(LIMITS);
  table.apply(marker("LIVE", "c1"), 0);
  table.apply(marker("PROGRESS", "c9"), 0);
  expect(table.resumePoint.after).toBe("c9");
  expect(table.phase).toBe("live");
});

test("CONFLATED keeps the rows, and its changes flash like others", () => {
  const table = new Table(LIMITS);
  table.apply(change("SNAPSHOT", "a", "1", 0), 0);
  table.apply(marker("LIVE", "c1"), 0);
  table.apply(marker("CONFLATED", "c1"), 5);
  table.apply(marker("CONFLATED", "c1"), 6);
  expect(table).toMatchObject({ phase: "live", behindMs: 5 });
  const row = table.apply(change("SET", "a", "3", 8), 7);
  expect(row?.flashMs).toBe(7);
  table.apply(marker("LIVE", "c9"), 8);
  expect(held(table)).toEqual({ a: "3" });
  expect(table).toMatchObject({ phase: "live", behindMs: null });
});

test("RESET clears the rows", () => {
  const table = new Table(LIMITS);
  table.apply(change("SNAPSHOT", "a", "1", 0), 0);
  table.apply(marker("LIVE", "c1"), 0);
  table.apply(marker("RESET", "new"), 0);
  expect(table.phase).toBe("loading");
  expect(held(table)).toEqual({});
  expect(table.resumePoint).toEqual({ after: "new", snapshot: false });
});

test("a reconnected table is not live until the missed changes have arrived", () => {
  const table = new Table(LIMITS);
  table.resume();
  expect(table.phase).toBe("loading");
  table.apply(marker("LIVE", "c1"), 0);
  table.resume();
  expect(table.phase).toBe("resuming");
});

test("only live changes count and flash", () => {
  const table = new Table(LIMITS);
  const row = table.apply(change("SNAPSHOT", "a", "1", 0), 10);
  expect(row).toMatchObject({ flashMs: 0, score: NEVER });
  table.apply(marker("LIVE", "c1"), 11);
  table.apply(change("SET", "a", "2", 1), 12);
  expect(row?.flashMs).toBe(12);
  expect(row?.score).toBeGreaterThan(NEVER);
});

test("an update without a timestamp has its arrival time", () => {
  const table = new Table(LIMITS);
  const row = table.apply({ ...change("SET", "a", "1"), timestamp: null }, 77);
  expect(row?.timestampMs).toBe(77);
});

test("keys that look alike have different rows", () => {
  const table = new Table(LIMITS);
  table.apply(change("SET", "\\xff", "text"), 0);
  table.apply({ ...change("SET", "", "bytes"), key: "/w==" }, 0);
  expect(Array.from(table.rows.values(), ({ id, key }) => [id, key])).toEqual([
    ["XHhmZg", "\\xff"],
    ["_w", "\\xff"],
  ]);
});

describe("limits", () => {
  test("a table with too many keys is full and ignores updates", () => {
    const table = new Table({ ...LIMITS, keysMax: 2 });
    for (const key of ["a", "b", "c", "d"]) table.apply(change("SNAPSHOT", key, "1"), 0);
    expect(table.phase).toBe("full");
    expect(table.rows.size).toBe(2);
  });

  test("a known key may change at the limit", () => {
    const table = new Table({ ...LIMITS, keysMax: 1 });
    table.apply(change("SNAPSHOT", "a", "1"), 0);
    table.apply(change("SET", "a", "2"), 0);
    expect(table.phase).toBe("loading");
  });

  test("large values fill the table as well, and deletes make room", () => {
    const table = new Table({ ...LIMITS, valueCharactersMax: 8 });
    table.apply(change("SET", "a", "123456"), 0);
    table.apply(change("DELETE", "a", null), 0);
    table.apply(change("SET", "b", "123456"), 0);
    expect(table.phase).toBe("loading");
    table.apply(change("SET", "c", "1"), 0);
    expect(table.phase).toBe("full");
  });
});

/** A service with one partition and a window of changes, whose topic may be created again. */
class Service {
  readonly rows = new Map<string, string>();
  private log: [string, string | null][] = [];
  private start = 0;
  private topic = 0;

  constructor(private readonly random: () => number) {}

  get end(): number {
    return this.start + this.log.length;
  }

  write(): void {
    const key = `k${String(Math.floor(this.random() * 12))}`;
    const value = this.random() < 0.3 ? null : String(this.end);
    this.log.push([key, value]);
    if (value === null) this.rows.delete(key);
    else this.rows.set(key, value);
  }

  forget(): void {
    const dropped = Math.floor(this.random() * this.log.length);
    this.log = this.log.slice(dropped);
    this.start += dropped;
  }

  recreate(): void {
    this.topic += 1;
    this.rows.clear();
    this.log = [];
    this.start = 0;
  }

  /** Returns the updates of a subscription up to LIVE. */
  subscribe(after: string | null): Update[] {
    const [topic, offset] = (after ?? "").split(":").map(Number);
    const live = this.mark("LIVE", this.end);
    if (after === null) return [...this.snapshot(), live];
    if (topic !== this.topic || offset === undefined) {
      return [this.mark("RESET", 0), ...this.snapshot(), live];
    }
    if (offset >= this.start) return [...this.since(offset), live];
    const last = new Map(this.all().map(([key, , at]) => [key, at]));
    const latest = this.all()
      .filter(([key, , at]) => last.get(key) === at)
      .map(([key, value, at]) => this.updateOf(value === null ? "DELETE" : "SET", key, value, at));
    return [this.mark("CONFLATED", offset), ...latest, live];
  }

  since(offset: number): Update[] {
    return this.log
      .map(([key, value], i) => [key, value, this.start + i] as const)
      .filter(([, , at]) => at >= offset)
      .map(([key, value, at]) => this.updateOf(value === null ? "DELETE" : "SET", key, value, at));
  }

  private snapshot(): Update[] {
    return Array.from(this.rows, ([key, value]) =>
      this.updateOf("SNAPSHOT", key, value, Number(value)),
    ).sort((one, other) => (one.offset ?? 0) - (other.offset ?? 0));
  }

  /** Returns the latest state of each key, with a tombstone if it has no value. */
  private all(): [string, string | null, number][] {
    const keys = Array.from({ length: 12 }, (_, i) => `k${String(i)}`);
    return keys.map((key) => [key, this.rows.get(key) ?? null, this.end - 1]);
  }

  private updateOf(kind: UpdateKind, key: string, value: string | null, offset: number): Update {
    return { ...change(kind, key, value, offset), cursor: this.cursor(offset + 1) };
  }

  private mark(kind: UpdateKind, offset: number): Update {
    return marker(kind, this.cursor(offset));
  }

  private cursor(offset: number): string {
    return `${String(this.topic)}:${String(offset)}`;
  }
}

test.each(Array.from({ length: 60 }, (_, seed) => [seed]))(
  "after any interruptions the table and its order equal those of the service, seed %i",
  (seed) => {
    const random = randomOf(seed);
    const service = new Service(random);
    const table = new Table(LIMITS);
    const order = new KeyOrder();
    for (let step = 0; step < 300; step++) {
      const choice = random();
      if (choice < 0.5) service.write();
      else if (choice < 0.53) service.forget();
      else if (choice < 0.54) service.recreate();
      else if (choice < 0.8) {
        const { after } = table.resumePoint;
        table.resume();
        const sent = service.subscribe(after);
        // The connection may break anywhere.
        const received = random() < 0.4 ? sent.slice(0, Math.floor(random() * sent.length)) : sent;
        for (const update of received) table.apply(update, step);
      }
      if (random() < 0.3) order.merge(table.added, table.removed);
    }
    const { after } = table.resumePoint;
    for (const update of service.subscribe(after)) table.apply(update, 0);
    order.merge(table.added, table.removed);
    expect(table.phase).toBe("live");
    expect(held(table)).toEqual(Object.fromEntries(service.rows));
    expect(order.rows.map(({ key }) => key)).toEqual([...service.rows.keys()].sort());
    expect(new Set(order.rows)).toEqual(new Set(table.rows.values()));
  },
);
