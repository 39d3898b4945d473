import type { Endpoint } from "./endpoint";

/** The page does not wait longer for the names of tables. */
const WAIT_MS = 2_000;

interface Answer {
  data?: { status: { tables: { name: string | null }[] } } | null;
}

/** Returns a root field of a table, such as `ordersEntries`; null is the only table of a service, without a name. */
export function tableField(table: string | null, field: string): string {
  return table === null ? field : table + field.charAt(0).toUpperCase() + field.slice(1);
}

/** Returns the names of the service's tables, or of the only one if the service does not tell. */
export async function tableNames(
  { http }: Endpoint,
  send: typeof fetch,
): Promise<(string | null)[]> {
  try {
    const response = await send(http, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ query: "{ status { tables { name } } }" }),
      signal: AbortSignal.timeout(WAIT_MS),
    });
    const { data } = (await response.json()) as Answer;
    return data?.status.tables.map(({ name }) => name) ?? [null];
  } catch {
    return [null];
  }
}
