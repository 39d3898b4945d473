import { tableField } from "../../graphiql/tables";

/** The root fields of a table, which carry the name of a named one; not those of the service, such as `status`. */
const ROOT_FIELD = /(?<=\{\s*)(updates|value)(?=\()/;
/** Where documents ask for the value of an entry or of a revision; not for that of a header. */
const VALUE = /(?<=(entry \{|timestamp)\s+)value\(encoding: BASE64\)/g;

/**
 * Returns a document that asks of this table what `document` asks of the only one; its answers have the same form. `data` is the
 * selection of typed data, which entries and revisions have in addition.
 */
export function tableDocument(document: string, table: string | null, data = ""): string {
  const named =
    table === null
      ? document
      : document.replace(ROOT_FIELD, (field) => `${field}: ${tableField(table, field)}`);
  if (data === "") return named;
  return named.replace(VALUE, (value, before: string) =>
    before === "timestamp"
      ? `${value} ... on ${typeName(table, "Revision")} { ${data} }`
      : `${value} ${data}`,
  );
}

/** Returns the name of a type of a table, such as `OrdersEntry`. */
export function typeName(table: string | null, type: string): string {
  const name = table ?? "";
  return name.charAt(0).toUpperCase() + name.slice(1) + type;
}
