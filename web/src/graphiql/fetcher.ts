import { createGraphiQLFetcher, type Fetcher, type Observable } from "@graphiql/toolkit";
import { type ExecutionResult, OperationTypeNode } from "graphql";
import { createClient as createEvents } from "graphql-sse";
import { createClient as createSocket, type SubscribePayload } from "graphql-ws";
import type { Endpoint } from "./endpoint";
import { EventList, type EventLimits, type Observer } from "./events";
import { operationOf } from "./operation";
import type { Transport } from "./transport";

const LIMITS: EventLimits = { eventsMax: 50, charactersMax: 50_000 };
/** Faster updates would not be readable. */
const PAINT_MS = 150;

type Headers = Record<string, string>;

/** The part that both clients share; `subscribe` returns a function that unsubscribes. */
interface Client {
  subscribe: (payload: SubscribePayload, observer: Observer<ExecutionResult>) => () => void;
}

/**
 * Sends queries and mutations over POST, and subscriptions over the current `transport`. The contents of the Headers editor
 * become request headers, or connection parameters of a WebSocket, which has no headers.
 */
export function createFetcher(endpoint: Endpoint, transport: () => Transport): Fetcher {
  const post = createGraphiQLFetcher({ url: endpoint.http, enableIncrementalDelivery: false });
  return (params, options) => {
    // GraphiQL parses a document with a delay, so right after a change of tabs it still has the previous operation name.
    const operation = operationOf(params.query, params.operationName);
    const request = operation
      ? { ...params, operationName: operation.name?.value ?? null }
      : params;
    if (operation?.operation !== OperationTypeNode.SUBSCRIPTION) return post(request, options);
    const client = clientOf(endpoint, transport(), options?.headers ?? {});
    return observable(client, request);
  };
}

function clientOf({ http, socket }: Endpoint, transport: Transport, headers: Headers): Client {
  return transport === "events"
    ? (createEvents({ url: http, headers }) as Client)
    : (createSocket({ url: socket, connectionParams: headers }) as Client);
}

function observable(client: Client, payload: SubscribePayload): Observable<ExecutionResult> {
  const subscribe = (observer: Observer<ExecutionResult>) => {
    const events = new EventList(observer as Observer<unknown>, LIMITS, (show) => {
      setTimeout(show, PAINT_MS);
    });
    const unsubscribe = client.subscribe(payload, {
      next: (result) => {
        events.next(result);
      },
      error: (reason) => {
        events.error(readable(reason));
      },
      complete: () => {
        events.complete();
      },
    });
    return { unsubscribe };
  };
  return { subscribe } as Observable<ExecutionResult>;
}

/** GraphiQL prints errors as JSON, which would be empty for browser events and include the stack of exceptions. */
function readable(reason: unknown): unknown {
  if (reason instanceof CloseEvent) {
    return { message: `The WebSocket was closed: ${String(reason.code)} ${reason.reason}`.trim() };
  }
  if (reason instanceof Error) return { message: reason.message };
  return reason instanceof Event ? { message: "The service cannot be reached." } : reason;
}
