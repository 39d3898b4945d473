import type { Sink } from "../../src/dashboard/model/session";
import { base64OfText } from "../../src/dashboard/model/bytes";
import type { ServiceStatus, Update, UpdateKind } from "../../src/dashboard/model/operations";

export function change(kind: UpdateKind, key: string, value: string | null, offset = 0): Update {
  return {
    kind,
    cursor: `c${String(offset + 1)}`,
    key: base64OfText(key),
    partition: 0,
    offset,
    timestamp: new Date(offset * 1000).toISOString(),
    entry: value === null ? null : { value: base64OfText(value) },
  };
}

export function marker(kind: UpdateKind, cursor: string): Update {
  return { kind, cursor, key: null, partition: null, offset: null, timestamp: null, entry: null };
}

/** Mulberry32: a small seeded random generator. */
export function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** The service side of the latest subscription. */
export class FakeService {
  requested: unknown[] = [];
  variables: unknown;
  running = 0;
  private sink: Sink<unknown> | null = null;

  subscribe<T>(operation: { variables: unknown }, sink: Sink<T>): () => void {
    this.requested.push(operation);
    this.variables = operation.variables;
    this.sink = sink as Sink<unknown>;
    this.running += 1;
    return () => {
      this.running -= 1;
    };
  }

  send(update: Update): void {
    this.sink?.data({ updates: update });
  }

  sendStatus(status: ServiceStatus): void {
    this.sink?.data({ status });
  }

  fail(code: string, limit?: number): void {
    this.sink?.failed({ code, message: "no", limit });
  }

  end(): void {
    this.sink?.ended();
  }
}
