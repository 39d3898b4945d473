export interface DeepLink {
  query: string;
  /** JSON text, or empty. */
  variables: string;
  /** Null or empty if the link has none. */
  operationName: string | null;
}

/** Parses `?query=…&variables=…&operationName=…`; null without a query. */
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

/** Returns the address without the parameters of a deep link. */
export function withoutDeepLink(href: string): string {
  const url = new URL(href);
  for (const name of ["query", "variables", "operationName"]) url.searchParams.delete(name);
  return url.href;
}

/** Text that is not JSON is unchanged, and the editor marks the mistake. */
function indentJson(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
