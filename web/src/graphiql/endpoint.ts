export interface Endpoint {
  http: string;
  socket: string;
}

/** Resolves `graphql` relative to the page, so that it also works behind a path prefix. */
export function endpointBeside(href: string): Endpoint {
  const http = new URL("graphql", href);
  const socket = new URL(http);
  socket.protocol = http.protocol === "https:" ? "wss:" : "ws:";
  return { http: http.href, socket: socket.href };
}
