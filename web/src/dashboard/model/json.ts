/** A number that JavaScript would show in another way than it is written. */
export class WrittenNumber {
  constructor(
    readonly source: string,
    /** Its type in a schema; empty without one. */
    readonly type = "",
  ) {}

  toString(): string {
    return this.source;
  }
}

/** A value that a schema gives more meaning than text has: a date, a symbol of an enumeration. */
export class TypedText {
  constructor(
    readonly source: string,
    readonly type: string,
  ) {}

  toString(): string {
    return this.source;
  }
}

export type Branch = Json[] | { [name: string]: Json };

/** A parsed JSON value. */
export type Json = null | boolean | number | WrittenNumber | string | TypedText | Branch;

/** Matches in every text with a number of more than 15 digits, an exponent, trailing zeros, leading ones, or -0. */
const MAYBE_SHOWN_OTHERWISE = /[\d.]{16}|\d[eE]|\.\d*0(?!\d)|\.0{6}|-0/;

const STRING_OR_NUMBER = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*/g;

/** Begins no string but those that stand for numbers, since nobody can guess it. */
const MARK = `${String(Math.random())}:`;

/** Parses JSON; undefined if the text is not JSON. */
export function parseJson(text: string): Json | undefined {
  try {
    const json = JSON.parse(text) as Json;
    return MAYBE_SHOWN_OTHERWISE.test(text) ? parseWritten(text) : json;
  } catch {
    return undefined;
  }
}

/** Parses valid JSON, in which it hides numbers in strings until they are parsed. */
function parseWritten(text: string): Json {
  const hidden = text.replace(STRING_OR_NUMBER, (token) =>
    token.startsWith('"') || String(Number(token)) === token ? token : `"${MARK}${token}"`,
  );
  return JSON.parse(hidden, (_name, value: unknown) =>
    typeof value === "string" && value.startsWith(MARK)
      ? new WrittenNumber(value.slice(MARK.length))
      : value,
  ) as Json;
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
  const number = json instanceof WrittenNumber ? Number(json.source) : json;
  return typeof number === "number" && Number.isFinite(number) ? number : null;
}

export function isBranch(json: Json | undefined): json is Branch {
  return typeof json === "object" && json !== null && typeOf(json) === null;
}

export function isObject(json: Json | undefined): json is Record<string, Json> {
  return isBranch(json) && !Array.isArray(json);
}

/** Returns the type that a schema gives a leaf: empty for a written number without one, null for all else. */
export function typeOf(json: Json): string | null {
  return json instanceof WrittenNumber || json instanceof TypedText ? json.type : null;
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
  return json === undefined ? [pieceOf(text.slice(0, 400))] : previewOfJson(json, piecesMax);
}

export function previewOfJson(json: Json, piecesMax: number): Piece[] {
  if (!isBranch(json)) return [leafOf(json, "")];
  const pieces: Piece[] = [];
  const named = !Array.isArray(json);
  for (const [name, value] of Object.entries(json)) {
    if (pieces.length >= piecesMax) return [...pieces, { text: "…", role: "rest" }];
    if (named) pieces.push({ text: name, role: "name" });
    pieces.push(leafOf(value, pointerOf([name])));
  }
  return pieces.length > 0 ? pieces : [{ text: named ? "{}" : "[]", role: "rest" }];
}

/** Returns the piece of one value; of a branch, only its size. */
export function leafOf(json: Json, pointer: string): Piece {
  if (isBranch(json)) {
    const count = Object.keys(json).length;
    return {
      text: Array.isArray(json) ? `[${String(count)}]` : `{${String(count)}}`,
      role: "rest",
    };
  }
  const number = numberIn(json);
  if (number !== null) return { text: String(json), role: "number", pointer };
  return pieceOf(typeof json === "string" ? json.slice(0, 200) : String(json));
}

function pieceOf(text: string): Piece {
  return text === "" ? { text: "empty", role: "rest" } : { text, role: "word" };
}
