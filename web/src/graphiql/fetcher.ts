import { createGraphiQLFetcher, type Fetcher, type Observable } from "@graphiql/toolkit";
import { type ExecutionResult, OperationTypeNode } from "graphql";
import { createClient as createEvents } from "graphql-sse";
import { createClient as createSocket, type SubscribePayload } from "graphql-ws";
import type { Endpoint } from "./endpoint";
import { latestOfEachFrame, type Observer } from "./latest";
import { operationOf } from "./operation";
import type { Transport } from "./transport";

type Headers = Record<string, string>;

/** Of both clients; returns what ends the subscription. */
interface Client {
  subscribe: (payload: SubscribePayload, observer: Observer<ExecutionResult>) => () => void;
}

/**
 * Queries and mutations by POST, subscriptions over what `transport` says at the time. What the Headers editor holds
 * goes with each of them: as headers, and on a WebSocket, which has none, as the parameters of its connection.
 */
export function createFetcher(endpoint: Endpoint, transport: () => Transport): Fetcher {
  const post = createGraphiQLFetcher({ url: endpoint.http, enableIncrementalDelivery: false });
  return (params, options) => {
    // GraphiQL reads a document some time after it shows it: right after a change of tabs the name is the old one's.
    const operation = operationOf(params.query, params.operationName);
    const asked = operation ? { ...params, operationName: operation.name?.value ?? null } : params;
    if (operation?.operation !== OperationTypeNode.SUBSCRIPTION) return post(asked, options);
    const client = clientOf(endpoint, transport(), options?.headers ?? {});
    return observable(client, asked);
  };
}

function clientOf({ http, socket }: Endpoint, transport: Transport, headers: Headers): Client {
  return transport === "events"
    ? (createEvents({ url: http, headers }) as Client)
    : (createSocket({ url: socket, connectionParams: headers }) as Client);
}

function observable(client: Client, payload: SubscribePayload): Observable<ExecutionResult> {
  const subscribe = (observer: Observer<ExecutionResult>) => {
    const each = latestOfEachFrame(observer, requestAnimationFrame);
    const error = (reason: unknown) => {
      each.error(readable(reason));
    };
    return { unsubscribe: client.subscribe(payload, { ...each, error }) };
  };
  return { subscribe } as Observable<ExecutionResult>;
}

/** GraphiQL prints what it gets as JSON; events of the browser would print as nothing, and errors with their stack. */
function readable(reason: unknown): unknown {
  if (reason instanceof CloseEvent) {
    return { message: `The socket was closed: ${String(reason.code)} ${reason.reason}`.trim() };
  }
  if (reason instanceof Error) return { message: reason.message };
  return reason instanceof Event ? { message: "The service cannot be reached." } : reason;
}
