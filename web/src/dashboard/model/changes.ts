import { isBranch, type Json, leafOf, type Piece, pointerOf } from "./json";

/** Returns what differs between two JSON values, as a name and a value for each part; empty if they are equal. */
export function changesOf(before: Json, after: Json, piecesMax: number): Piece[] {
  const pieces: Piece[] = [];
  collect(before, after, [], pieces, piecesMax);
  return pieces.length > piecesMax
    ? [...pieces.slice(0, piecesMax), { text: "…", role: "rest" }]
    : pieces;
}

function collect(
  before: Json | undefined,
  after: Json | undefined,
  path: string[],
  pieces: Piece[],
  piecesMax: number,
): void {
  if (pieces.length > piecesMax) return;
  if (isBranch(before) && isBranch(after) && Array.isArray(before) === Array.isArray(after)) {
    const [old, now] = [new Map(Object.entries(before)), new Map(Object.entries(after))];
    for (const name of new Set([...now.keys(), ...old.keys()])) {
      collect(old.get(name), now.get(name), [...path, name], pieces, piecesMax);
    }
  } else if (!isSame(before, after)) {
    if (path.length > 0) pieces.push({ text: path.join("."), role: "name" });
    pieces.push(
      after === undefined ? { text: "removed", role: "rest" } : leafOf(after, pointerOf(path)),
    );
  }
}

function isSame(before: Json | undefined, after: Json | undefined): boolean {
  if (isBranch(before) || isBranch(after) || typeof before !== typeof after) return false;
  return String(before) === String(after);
}
