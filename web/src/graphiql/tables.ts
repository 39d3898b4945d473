import type { Endpoint } from "./endpoint";

/** The page does not wait longer for the names of tables. */
const WAIT_MS = 2_000;

const TABLES = `{
  status { tables { name } }
  __type(name: "Query") { fields { name args { name type { name ofType { name } } } } }
}`;

interface Named {
  name: string | null;
  ofType: { name: string | null } | null;
}

interface Answer {
  data?: {
    status: { tables: { name: string | null }[] };
    __type: { fields: { name: string; args: { name: string; type: Named }[] }[] } | null;
  } | null;
}

/** A table of the service. */
export interface Table {
  /** Null for the only table of a service. */
  name: string | null;
  /** Whether its keys are texts; otherwise they have a type of their own. */
  textKeys: boolean;
}

/** Returns a root field of a table, such as `ordersEntries`; null is the only table of a service, without a name. */
export function tableField(table: string | null, field: string): string {
  return table === null ? field : table + field.charAt(0).toUpperCase() + field.slice(1);
}

/** Returns the service's tables, or its only one if the service does not tell. */
export async function tablesOf({ http }: Endpoint, send: typeof fetch): Promise<Table[]> {
  try {
    const response = await send(http, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ query: TABLES }),
      signal: AbortSignal.timeout(WAIT_MS),
    });
    const { data } = (await response.json()) as Answer;
    if (!data) return [UNKNOWN];
    return data.status.tables.map(({ name }) => ({ name, textKeys: hasTextKeys(data, name) }));
  } catch {
    return [UNKNOWN];
  }
}

const UNKNOWN: Table = { name: null, textKeys: true };

function hasTextKeys(
  { __type: queries }: NonNullable<Answer["data"]>,
  table: string | null,
): boolean {
  const field = queries?.fields.find(({ name }) => name === tableField(table, "value"));
  const key = field?.args.find(({ name }) => name === "key");
  return key === undefined || (key.type.ofType ?? key.type).name === "String";
}
