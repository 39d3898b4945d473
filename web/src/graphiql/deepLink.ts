export interface DeepLink {
  query: string;
  /** JSON text, empty where the link has none. */
  variables: string;
  /** Null or empty where the link has none. */
  operationName: string | null;
}

/** Reads `?query=…&variables=…&operationName=…`; null without a query. */
export function parseDeepLink(search: string): DeepLink | null {
  const parameters = new URLSearchParams(search);
  const query = parameters.get("query")?.trim();
  if (!query) return null;
  return {
    query,
    variables: indentJson(parameters.get("variables") ?? ""),
    operationName: parameters.get("operationName"),
  };
}

/** The same address without the link's parameters. */
export function withoutDeepLink(href: string): string {
  const url = new URL(href);
  for (const name of ["query", "variables", "operationName"]) url.searchParams.delete(name);
  return url.href;
}

/** What is not JSON stays as it is: the editor marks the mistake. */
function indentJson(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
