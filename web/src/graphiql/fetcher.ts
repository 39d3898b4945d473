import { createGraphiQLFetcher, type Fetcher, type Observable } from "@graphiql/toolkit";
import { type ExecutionResult, OperationTypeNode } from "graphql";
import { createClient as createEvents } from "graphql-sse";
import { createClient as createSocket, type SubscribePayload } from "graphql-ws";
import { type Access, isTokenRefusal } from "../access/access";
import { authorization, readTokens } from "../access/token";
import type { Endpoint } from "./endpoint";
import { EventList, type EventLimits, type Observer } from "./events";
import { BLOCKED, originRefusal } from "./fallback";
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
export function createFetcher(
  endpoint: Endpoint,
  transport: () => Transport,
  access: Access,
): Fetcher {
  const { fetch } = access;
  const post = createGraphiQLFetcher({
    url: endpoint.http,
    enableIncrementalDelivery: false,
    fetch,
  });
  return (params, options) => {
    // GraphiQL parses a document with a delay, so right after a change of tabs it still has the previous operation name.
    const operation = operationOf(params.query, params.operationName);
    const request = operation
      ? { ...params, operationName: operation.name?.value ?? null }
      : params;
    if (operation?.operation !== OperationTypeNode.SUBSCRIPTION) return post(request, options);
    return observable(endpoint, transport(), access, options?.headers ?? {}, request);
  };
}

function observable(
  endpoint: Endpoint,
  transport: Transport,
  access: Access,
  headers: Headers,
  payload: SubscribePayload,
): Observable<ExecutionResult> {
  const subscribe = (observer: Observer<ExecutionResult>) => {
    const events = new EventList(observer as Observer<unknown>, LIMITS, (show) => {
      setTimeout(show, PAINT_MS);
    });
    const run = (client: Client, failed: (reason: unknown) => void) =>
      client.subscribe(payload, {
        next: (result) => {
          events.next(result);
        },
        error: failed,
        complete: () => {
          events.complete();
        },
      });
    const fail = (reason: unknown) => {
      events.error(readable(reason));
    };
    const overEvents = () => run(eventsOf(endpoint, access, headers), fail);
    if (transport === "events") return { unsubscribe: overEvents() };
    let opened = false;
    let shown: string | null = null;
    let stopped = false;
    const socket = createSocket({
      url: endpoint.socket,
      connectionParams: () => {
        shown = readTokens()?.token ?? null;
        return { ...authorization(), ...headers };
      },
      shouldRetry: (event) => opened && !isTokenRefusal(event),
      on: {
        opened: () => {
          opened = true;
        },
      },
    });
    const overSocket = () => run(socket as Client, failed);
    const failed = (reason: unknown) => {
      // With a header of the visitor's own, another token would not be sent.
      if (isTokenRefusal(reason) && !hasToken(headers)) {
        void access.renew(shown).then((renewed) => {
          if (!renewed) fail(reason);
          else if (!stopped) unsubscribe = overSocket();
        });
        return;
      }
      const notice = originRefusal(reason) ?? (opened ? null : BLOCKED);
      if (notice === null) fail(reason);
      else {
        events.notice = `Over Server-Sent Events. ${notice}`;
        unsubscribe = overEvents();
      }
    };
    let unsubscribe = overSocket();
    return {
      unsubscribe: () => {
        stopped = true;
        unsubscribe();
      },
    };
  };
  return { subscribe } as Observable<ExecutionResult>;
}

function eventsOf({ http }: Endpoint, { fetch }: Access, headers: Headers): Client {
  return createEvents({ url: http, headers, fetchFn: fetch }) as Client;
}

function hasToken(headers: Headers): boolean {
  return Object.keys(headers).some((name) => name.toLowerCase() === "authorization");
}

/** GraphiQL prints errors as JSON, which would be empty for browser events and include the stack of exceptions. */
function readable(reason: unknown): unknown {
  if (reason instanceof CloseEvent) {
    return { message: `The WebSocket was closed: ${String(reason.code)} ${reason.reason}`.trim() };
  }
  if (reason instanceof Error) return { message: reason.message };
  return reason instanceof Event ? { message: "The service cannot be reached." } : reason;
}
