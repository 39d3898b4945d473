import { once } from "node:events";
import { connect as connectSse } from "../graphql-sse/setup.js";
import { connect } from "../graphql-ws/setup.js";
import { operations } from "../plain.js";
import { gateway, gatewayOverWebSocket } from "./setup.js";

export async function open(url) {
  const overSse = operations(connectSse(await listening(gateway(url))));
  const overWebSocket = operations(connect(await listening(gatewayOverWebSocket(url))));
  const transports = { SSE: overSse, WebSocket: overWebSocket };
  return {
    ...overSse,
    subscribe: (transport, key, next) => transports[transport].subscribe(transport, key, next),
  };
}

async function listening(server) {
  await once(server.listen(0, "127.0.0.1"), "listening");
  return `http://127.0.0.1:${server.address().port}/graphql`;
}
