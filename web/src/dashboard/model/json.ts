export type Branch = Extract<Json, object>;

/** A parsed JSON value; integers that a double cannot hold exactly are bigints. */
export type Json = null | boolean | number | bigint | string | Json[] | { [name: string]: Json };

const MAYBE_LARGE = /\d{16}/;

/** Parses JSON; undefined if the text is not JSON. */
export function parseJson(text: string): Json | undefined {
  try {
    return MAYBE_LARGE.test(text)
      ? (JSON.parse(text, keepLarge) as Json)
      : (JSON.parse(text) as Json);
  } catch {
    return undefined;
  }
}

/** Keeps large integers exact in browsers that provide the source text of numbers. */
function keepLarge(_name: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
  return /^-?\d+$/.test(context?.source ?? "") ? BigInt(context?.source ?? "") : value;
}

/** RFC 6901. */
export function pointerOf(tokens: readonly string[]): string {
  return tokens.map((token) => `/${token.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}

export function tokensOf(pointer: string): string[] {
  return pointer
    .split("/")
    .slice(1)
    .map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** Returns the finite number at a pointer, or null if there is none. */
export function numberAt(json: Json | undefined, pointer: string): number | null {
  let found = json;
  for (const token of tokensOf(pointer)) found = child(found, token);
  return numberIn(found);
}

export function numberIn(json: Json | undefined): number | null {
  if (typeof json === "bigint") return Number(json);
  return typeof json === "number" && Number.isFinite(json) ? json : null;
}

export function isBranch(json: Json | undefined): json is Branch {
  return typeof json === "object" && json !== null;
}

function child(json: Json | undefined, token: string): Json | undefined {
  if (!isBranch(json) || !Object.hasOwn(json, token)) return undefined;
  return Array.isArray(json)
    ? /^\d+$/.test(token)
      ? json[Number(token)]
      : undefined
    : json[token];
}

/** A piece of a one-line preview; a number has the pointer for plotting it. */
export interface Piece {
  text: string;
  role: "name" | "number" | "word" | "rest";
  pointer?: string;
}

/** Returns a one-line preview: the fields of an object, the items of a list, or the value itself. */
export function preview(text: string, piecesMax: number): Piece[] {
  const json = parseJson(text);
  if (json === undefined) return [{ text: text.slice(0, 400), role: "word" }];
  if (!isBranch(json)) return [leaf(json, "")];
  const pieces: Piece[] = [];
  const named = !Array.isArray(json);
  for (const [name, value] of Object.entries(json)) {
    if (pieces.length >= piecesMax) return [...pieces, { text: "…", role: "rest" }];
    if (named) pieces.push({ text: name, role: "name" });
    pieces.push(leaf(value, pointerOf([name])));
  }
  return pieces.length > 0 ? pieces : [{ text: named ? "{}" : "[]", role: "rest" }];
}

function leaf(json: Json, pointer: string): Piece {
  if (isBranch(json)) {
    const count = Object.keys(json).length;
    return {
      text: Array.isArray(json) ? `[${String(count)}]` : `{${String(count)}}`,
      role: "rest",
    };
  }
  const number = numberIn(json);
  if (number !== null) return { text: String(json), role: "number", pointer };
  return { text: typeof json === "string" ? json.slice(0, 200) : String(json), role: "word" };
}
