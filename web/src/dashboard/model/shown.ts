import { textOf } from "./bytes";
import { isObject, type Json, parseJson } from "./json";
import { isWrapper, jsonKeyOf } from "./keys";
import type { TableShape } from "./shape";
import { writtenJson } from "./value";

interface Selected {
  /** Base64. */
  value?: string | null;
  data?: unknown;
  problem?: string;
}

interface FieldError {
  message: string;
  path?: readonly (string | number)[];
}

interface Keyed {
  /** Base64. */
  key?: string | null;
  keyData?: unknown;
}

interface Answer {
  updates?: Keyed & { entry: Selected | null };
  value?: Keyed | null;
  node?: (Keyed & { history?: Selected[] }) | null;
}

/** Replaces the typed keys and data of an answer by what is shown of them, and says why data cannot be decoded. */
export function showIn(
  answer: unknown,
  { data, keys, hasJsonKeys }: TableShape,
  errors: readonly FieldError[] = [],
): void {
  const { updates, value, node } = answer as Answer;
  if (data !== null) {
    for (const one of [...(updates?.entry ? [updates.entry] : []), ...(node?.history ?? [])]) {
      one.data = data.isJson ? partIn(one.value, one.data) : data.show(one.data);
    }
    for (const { message, path } of errors) {
      const [root, field, third, fourth] = path ?? [];
      if (root === "updates" && field === "entry" && third === "data" && updates?.entry) {
        updates.entry.problem = message;
      }
      const revision = typeof third === "number" ? node?.history?.[third] : undefined;
      if (root === "node" && fourth === "data" && revision) revision.problem = message;
    }
  }
  if (keys !== null) {
    for (const one of [updates, value, node]) if (one) one.keyData = keys.of(one.keyData);
  } else if (hasJsonKeys && updates) {
    updates.keyData = jsonKeyOf(updates.key ?? "");
  }
}

/**
 * Returns JSON that is a value or the row in its envelope, from the value's text, where numbers are as they were written;
 * undefined if there is none.
 */
function partIn(value: string | null | undefined, data: unknown): Json | undefined {
  if (data === null || data === undefined) return undefined;
  const text = value ? textOf(value) : null;
  const whole = text === null ? undefined : parseJson(text);
  const envelope = isWrapper(whole) ? whole.payload : whole;
  const row = isObject(envelope) ? envelope.after : undefined;
  const found = [whole, row].find((one) => one !== undefined && isSame(one, data));
  return found ?? (data as Json);
}

function isSame(json: Json, data: unknown): boolean {
  return JSON.stringify(JSON.parse(writtenJson(json))) === JSON.stringify(data);
}
