export interface Endpoint {
  http: string;
  socket: string;
}

/** The service's `graphql` beside the page, so also behind a path prefix. */
export function endpointBeside(href: string): Endpoint {
  const http = new URL("graphql", href);
  const socket = new URL(http);
  socket.protocol = http.protocol === "https:" ? "wss:" : "ws:";
  return { http: http.href, socket: socket.href };
}
