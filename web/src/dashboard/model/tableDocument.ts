import { tableField } from "../../graphiql/tables";
import type { TableShape } from "./shape";

/** The root fields of a table, which carry the name of a named one; not those of the service, such as `status`. */
const ROOT_FIELD = /(?<=\{\s*)(updates|value)(?=\()/;
/** Where documents ask for the value of an entry or of a revision; not for that of a header. */
const VALUE = /(?<=(entry \{|timestamp)\s+)value\(encoding: BASE64\)/g;
const KEY = /(?<=\s)key\(encoding: BASE64\)/;
const ENTRY = "... on AnyEntry";
/** Arguments that only keys have which are text, and the variables for them. */
const OF_TEXT = /,?\s*(\$prefix: String|prefix: \$prefix|keyEncoding: (?:BASE64|UTF8))/g;
const KEYS_TYPE = "[String!]";
const KEY_TYPE = "$key: String!";

/** Returns a document that asks of this table what `document` asks of the only one, and typed keys and data in addition. */
export function tableDocument(
  document: string,
  table: string | null,
  { data, keys }: TableShape,
): string {
  let text = document.replace(ENTRY, `... on ${typeName(table, "Entry")}`);
  if (table !== null) {
    text = text.replace(ROOT_FIELD, (field) => `${field}: ${tableField(table, field)}`);
  }
  if (data !== null) {
    text = text.replace(VALUE, (value, before: string) =>
      before === "timestamp"
        ? `${value} ... on ${typeName(table, "Revision")} { ${data.text} }`
        : `${value} ${data.text}`,
    );
  }
  if (keys === null) return text;
  return text
    .replaceAll(OF_TEXT, "")
    .replace(KEYS_TYPE, `[${keys.type}]`)
    .replace(KEY_TYPE, `$key: ${keys.type}`)
    .replace(KEY, (key) => `${key} ${keys.text}`);
}

/** Returns the name of a type of a table, such as `OrdersEntry`. */
export function typeName(table: string | null, type: string): string {
  const name = table ?? "";
  return name.charAt(0).toUpperCase() + name.slice(1) + type;
}
