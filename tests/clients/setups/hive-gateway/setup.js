import { createServer } from "node:http";
import {
  createGatewayRuntime,
  createLoggerFromLogging,
  getGraphQLWSOptions,
} from "@graphql-hive/gateway-runtime";
import { useServer } from "graphql-ws/use/ws";
import { WebSocketServer } from "ws";

/** A gateway in front of the service, to which its subscriptions go over Server-Sent Events. */
export function gateway(url) {
  return serving(createGatewayRuntime({ proxy: { endpoint: url } }));
}

/** A gateway that sends everything to the service over a WebSocket, by `@graphql-mesh/transport-ws`. */
export function gatewayOverWebSocket(url) {
  const transportEntries = { "*": { kind: "ws" } };
  return serving(createGatewayRuntime({ proxy: { endpoint: url }, transportEntries }));
}

/** Clients may use either transport. */
function serving(runtime) {
  const server = createServer(runtime);
  const sockets = new WebSocketServer({ server, path: runtime.graphqlEndpoint });
  const log = createLoggerFromLogging("info"); // Only requests by HTTP bring their own.
  const options = getGraphQLWSOptions(runtime, ({ extra: { request, socket } }) => ({
    log,
    req: request,
    socket,
  }));
  useServer(options, sockets);
  return server;
}
