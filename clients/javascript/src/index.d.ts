import type { GraphQLError } from "graphql";
import type { Client } from "graphql-sse";
import type { Client as SocketClient } from "graphql-ws";

/**
 * A subscription to `updates`. The document must declare the variable `$after: Cursor` (for a snapshot also
 * `$snapshot: Boolean!`), pass it to the field, and select `cursor`:
 *
 *     subscription Watch($prefix: String, $after: Cursor, $snapshot: Boolean!) {
 *       updates(prefix: $prefix, after: $after, snapshot: $snapshot) { kind key cursor entry { json } }
 *     }
 */
export interface Operation {
  query: string;
  operationName?: string;
  variables?: Record<string, unknown>;
}

export interface Result<Data> {
  data: Data;
  /** Errors of single fields of this update, such as a value that is not JSON. They do not end the subscription. */
  errors?: readonly GraphQLError[];
}

/**
 * - `connecting`: no update has arrived yet;
 * - `live`: updates arrive;
 * - `reconnecting`: the connection was lost, and the updates received so far become stale.
 */
export type State = "connecting" | "live" | "reconnecting";

export interface UpdatesSink<Data> {
  /** Receives every update in order, without gap or duplicate, however often the connection is lost. */
  next(result: Result<Data>): void;
  /**
   * Called once at the end, if retrying would not help. The reason is what the client reported (the service's errors, each
   * with `extensions.code`; the close event of a WebSocket; a `NetworkError` with the response), or what `next` threw.
   */
  error(reason: unknown): void;
  /** Called once at the end, after the caller unsubscribed or the service completed the subscription. */
  complete(): void;
  /** Receives the state at the start and after each change. */
  state?(state: State): void;
}

/** A client of graphql-sse, also with `singleConnection`, or what `eventSourceClient` returns. */
export type EventsClient = Pick<Client, "subscribe">;

/**
 * Returns a header with the token for a new connection, as `connectionParams` of graphql-ws and as `headers` of graphql-sse
 * take such a function.
 */
export interface Authorization {
  (): Promise<{ authorization: string }>;
  /** Notes an attempt to connect. Returns a function to call if the service refuses its token. */
  attempt(): () => void;
}

/**
 * Renews tokens: a service ends each connection when its token expires. `token` is called before each connection, once for all
 * that are opened together. `refused` is true if the service refused what it returned last; then a new token is needed. If it
 * throws, the connection is tried again later.
 */
export function authorizeBy(token: (refused: boolean) => string | Promise<string>): Authorization;

export interface ResumeOptions {
  /**
   * What the client sends. With it, a subscription whose token expired or is refused goes on after its last update, with a new
   * token. It ends with an error if the service refuses new tokens for more than ten seconds. For graphql-sse, set
   * `retryAttempts: 0`: its own retries take time, and would send a refused token again.
   */
  authorization?: Authorization | undefined;
}

/**
 * Subscribes, and after a lost connection subscribes again after the last update. Retries indefinitely, with random pauses
 * that grow from half a second to ten seconds. Returns a function that unsubscribes and completes the sink.
 *
 * There is no cursor to resume from before the first update. Changes before it are still delivered if the variables
 * have `after` or ask for a snapshot. Otherwise, ask for `progress: true`, which starts with a `LIVE` update.
 *
 * A graphql-ws client with `keepAlive` closes its WebSocket if a pong is missing for five seconds. A graphql-sse client
 * with `fetchFn: fetchUntilSilent()` detects silent connections. The clients' own retries do no harm; `retryAttempts: 0`
 * disables them.
 */
export function resumableUpdates<Data = Record<string, unknown>>(
  client: SocketClient | EventsClient,
  operation: Operation,
  sink: UpdatesSink<Data>,
  options?: ResumeOptions,
): () => void;

export interface EventSourceOptions {
  /** The address of `/graphql`. */
  url: string;
  /** For a service that needs tokens. An EventSource sends no header, so a POST exchanges the token for a cookie first. */
  authorization?: Authorization | undefined;
  fetchFn?: typeof fetch;
  /** By default, that of the browser. */
  eventSource?: typeof EventSource;
}

/** Returns a client whose subscriptions are the browser's own EventSources. */
export function eventSourceClient(options: EventSourceOptions): EventsClient;

/**
 * Returns a `fetchFn` for a graphql-sse client that fails responses after this many milliseconds without data. By default,
 * the service sends something at least every 20 seconds.
 */
export function fetchUntilSilent(silenceMsMax?: number): typeof fetch;
