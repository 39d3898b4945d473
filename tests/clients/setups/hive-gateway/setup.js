import { createServer } from "node:http";
import { createGatewayRuntime } from "@graphql-hive/gateway-runtime";

/** A gateway in front of the service, to which its subscriptions go over Server-Sent Events. */
export function gateway(url) {
  return createServer(createGatewayRuntime({ proxy: { endpoint: url } }));
}
