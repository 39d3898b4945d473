import { textOf } from "./bytes";
import { type Json, isBranch, isObject, numberIn, parseJson } from "./json";
import { type FullType, KEY_LIMITS, TypedData, type TypeRef } from "./types";
import { textOfJson, writtenJson } from "./value";

/** A key with a type. */
export interface TypedKey {
  /** One line: what users write to look it up. */
  text: string;
  json: Json;
  /** What means it in requests; undefined for a key that is too large for that. */
  argument: unknown;
  /** Keys sort by this text. */
  order: string;
}

const INTEGER = /^-?\d+$/;
const INT64_RANGE = 2n ** 63n;
const INT64_DIGITS = 16;

/** The typed keys of a table. */
export class TypedKeys {
  private constructor(
    private readonly data: TypedData,
    /** Their type in requests, such as `Int64!`. */
    readonly type: string,
    /** Whether people write a key as JSON, since it has parts. */
    readonly isJson: boolean,
  ) {}

  /** Returns the keys of entries of that type; null if they have none with a type. */
  static of(types: readonly FullType[], entry: string, given: TypeRef): TypedKeys | null {
    const data = TypedData.of(types, entry, "keyData", KEY_LIMITS, given);
    if (!data) return null;
    const type = written(given);
    const kind = types.find(({ name }) => name === type.replace(/!$/, ""))?.kind;
    return new TypedKeys(data, type, kind !== "SCALAR" && kind !== "ENUM");
  }

  /** The selection of `keyData`. */
  get text(): string {
    return this.data.text;
  }

  /** Returns a key that was selected; undefined if it cannot be decoded. */
  of(keyData: unknown): TypedKey | undefined {
    const json = this.data.show(keyData);
    if (json === undefined) return undefined;
    const argument = this.data.give(keyData);
    const text = argument === undefined ? textOfJson(json, 0) : JSON.stringify(argument);
    return { text: isBranch(json) ? text : String(json), json, argument, order: orderOf(json) };
  }

  /** Returns the argument that people mean by a text. Throws SyntaxError if the text is not JSON, where it has to be. */
  parse(text: string): unknown {
    if (this.isJson || this.type === "Boolean!") return JSON.parse(text) as unknown;
    const isNumber = this.type === "Int!" || this.type === "Float!";
    return isNumber && text.trim() !== "" ? Number(text) : text;
  }
}

/** Returns a key that is JSON, without the schema that may be around it; undefined if it is none. */
export function jsonKeyOf(base64: string): TypedKey | undefined {
  const source = textOf(base64);
  const whole = source === null ? undefined : parseJson(source);
  if (source === null || whole === undefined) return undefined;
  const wrapped = isWrapper(whole);
  const json = wrapped ? (whole.payload ?? null) : whole;
  const text = wrapped ? writtenJson(json) : source;
  return { text, json, argument: undefined, order: orderOf(json) };
}

/** Returns whether JSON is what Debezium writes around a key or a value that comes with its schema. */
export function isWrapper(json: Json | undefined): json is Record<string, Json> {
  return isObject(json) && Object.keys(json).sort().join() === "payload,schema";
}

function written(ref: TypeRef): string {
  if (ref.kind === "NON_NULL" && ref.ofType) return `${written(ref.ofType)}!`;
  return ref.kind === "LIST" && ref.ofType ? `[${written(ref.ofType)}]` : (ref.name ?? "");
}

/** Integers sort by their values. */
function orderOf(json: Json): string {
  if (isBranch(json)) return Object.values(json).map(orderOf).join("\0");
  const text = String(json);
  if (numberIn(json) === null || !INTEGER.test(text)) return text;
  return (BigInt(text) + INT64_RANGE).toString(16).padStart(INT64_DIGITS, "0");
}
