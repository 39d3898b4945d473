import { tableField } from "../../graphiql/tables";
import { TypedDocumentString } from "../api/operations";
import { TypedKeys } from "./keys";
import type { Session } from "./session";
import { typeName } from "./tableDocument";
import { type FullType, REF, TypedData, type TypeRef, TYPES, VALUE_LIMITS } from "./types";

/** What the keys and the values of a table are. */
export interface TableShape {
  /** Null for values without a schema. */
  readonly data: TypedData | null;
  /** Null for keys that are text in requests. */
  readonly keys: TypedKeys | null;
  /** Whether keys are text in requests, and JSON for those who read them. */
  readonly hasJsonKeys: boolean;
}

export const TEXT: TableShape = { data: null, keys: null, hasJsonKeys: false };

/** Asks for the fields of entries, and for the arguments of subscriptions. */
const FIELDS = `
query Fields($entry: String!) {
  entry: __type(name: $entry) { fields { name } }
  __schema { subscriptionType { fields { name args { name type { ...Ref } } } } }
}
${REF}`;

interface Fields {
  entry: { fields: { name: string }[] } | null;
  __schema: {
    subscriptionType: {
      fields: { name: string; args: { name: string; type: TypeRef }[] }[];
    } | null;
  };
}

interface Types {
  __schema: { types: FullType[] };
}

/** Asks the service for the shape of a table. */
export async function shapeOf(
  session: Pick<Session, "query">,
  table: string | null,
): Promise<TableShape> {
  const entry = typeName(table, "Entry");
  const fields = new TypedDocumentString<Fields, { entry: string }>(FIELDS);
  const found = await session.query({ document: fields, variables: { entry } });
  const has = (field: string) => found.entry?.fields.some(({ name }) => name === field) === true;
  const key = keyType(found, tableField(table, "updates"));
  const hasJsonKeys = key === null && has("keyData");
  if (!has("data") && key === null) return { ...TEXT, hasJsonKeys };
  const types = new TypedDocumentString<Types, Record<string, never>>(TYPES);
  const { __schema } = await session.query({ document: types, variables: {} });
  const data = TypedData.of(__schema.types, entry, "data", VALUE_LIMITS);
  return { data, keys: key && TypedKeys.of(__schema.types, entry, key), hasJsonKeys };
}

/** Returns the type of a key in requests; null for text, which has an encoding. */
function keyType({ __schema }: Fields, updates: string): TypeRef | null {
  const field = __schema.subscriptionType?.fields.find(({ name }) => name === updates);
  if (!field || field.args.some(({ name }) => name === "keyEncoding")) return null;
  return field.args.find(({ name }) => name === "keys")?.type.ofType ?? null;
}
