import { base64OfText } from "../../src/dashboard/model/bytes";
import type { Update, UpdateKind } from "../../src/dashboard/model/operations";

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

/** Mulberry32: small, seeded, good enough for tests. */
export function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
