export const TRANSPORTS = { websocket: "WebSocket", events: "Server-Sent Events" } as const;

export type Transport = keyof typeof TRANSPORTS;

const NAME = "kvs-graphiql-transport";

/** What subscriptions go over, remembered from one visit to the next. */
export function readTransport(): Transport {
  return localStorage.getItem(NAME) === "events" ? "events" : "websocket";
}

export function writeTransport(transport: Transport): void {
  localStorage.setItem(NAME, transport);
}
