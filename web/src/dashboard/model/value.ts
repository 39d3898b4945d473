import { textOf } from "./bytes";
import { isBranch, type Json, parseJson, WrittenNumber, TypedText } from "./json";

/** A value as it arrives: its bytes, and what its schema makes of them. */
export interface Recorded {
  /** Base64; null if the key was deleted. */
  readonly raw: string | null;
  /** Undefined without a schema, and for a value that cannot be decoded. */
  readonly json?: Json | undefined;
  /** Why it cannot be decoded, or not all of it. */
  readonly problem?: string | undefined;
}

/** Returns a value as JSON; undefined if it is none. */
export function jsonOf({ raw, json }: Recorded): Json | undefined {
  if (json !== undefined) return json;
  const text = raw === null ? null : textOf(raw);
  return text === null ? undefined : parseJson(text);
}

/** Returns JSON as one line, with its numbers as they were written. */
export function writtenJson(json: Json): string {
  if (json instanceof WrittenNumber) return json.source;
  if (!isBranch(json)) return JSON.stringify(json instanceof TypedText ? json.source : json);
  if (Array.isArray(json)) return `[${json.map(writtenJson).join()}]`;
  const fields = Object.entries(json).map(
    ([name, value]) => `${JSON.stringify(name)}:${writtenJson(value)}`,
  );
  return `{${fields.join()}}`;
}

/** Returns typed data as text, with that many spaces for each level. */
export function textOfJson(json: Json, spaces = 2): string {
  return JSON.stringify(
    json,
    (_name, value: unknown) =>
      value instanceof WrittenNumber || value instanceof TypedText ? value.source : value,
    spaces,
  );
}
