export const TRANSPORTS = { websocket: "WebSocket", events: "Server-Sent Events" } as const;

export type Transport = keyof typeof TRANSPORTS;

const NAME = "kvs-graphiql-transport";

/** Reads the transport of subscriptions, which is remembered between visits. */
export function readTransport(): Transport {
  return localStorage.getItem(NAME) === "events" ? "events" : "websocket";
}

export function writeTransport(transport: Transport): void {
  localStorage.setItem(NAME, transport);
}
