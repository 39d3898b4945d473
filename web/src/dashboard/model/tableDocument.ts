import { tableField } from "../../graphiql/tables";

/** The root fields of a table, which carry the name of a named one; not those of the service, such as `status`. */
const ROOT_FIELD = /(?<=\{\s*)(updates|value)(?=\()/;

/** Returns a document that asks of this table what `document` asks of the only one; its answers have the same form. */
export function tableDocument(document: string, table: string | null): string {
  if (table === null) return document;
  return document.replace(ROOT_FIELD, (field) => `${field}: ${tableField(table, field)}`);
}
