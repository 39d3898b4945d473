import type { GraphQLError } from "graphql";
import type { Client as EventsClient } from "graphql-sse";
import type { Client as SocketClient } from "graphql-ws";

/**
 * A subscription to `updates`. Its document has the variable `$after: Cursor`, for a snapshot also
 * `$snapshot: Boolean!`, passes them on, and selects `cursor`:
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
  /** What of this update could not be shown, such as a value that is no JSON. They end nothing. */
  errors?: readonly GraphQLError[];
}

/**
 * - `connecting`: no update came yet;
 * - `live`: updates come;
 * - `reconnecting`: the connection was lost, and what was told is getting old.
 */
export type State = "connecting" | "live" | "reconnecting";

export interface UpdatesSink<Data> {
  /** Every update, in order, none left out and none twice, however often the connection was lost. */
  next(result: Result<Data>): void;
  /**
   * The end, where asking again would not help. The reason is what the client reported (the service's errors, each with
   * `extensions.code`; the close event of a socket; a `NetworkError` with the response that refused), or what `next`
   * threw.
   */
  error(reason: unknown): void;
  /** The end: it was disposed of, or the service says that there is no more. */
  complete(): void;
  /** Where it stands, at the start and at each change. */
  state?(state: State): void;
}

/**
 * Subscribes, and after a lost connection subscribes again behind the last update: for as long as it takes, with pauses
 * that grow from half a second to ten seconds, each of random length. Returns what ends it: the service is told, and the
 * sink completed.
 *
 * Until its first update there is no place to go on from. Changes meanwhile are told all the same where the variables
 * have an `after` or ask for a snapshot; else ask for `progress: true`, which begins with a `LIVE`.
 *
 * A client of graphql-ws with `keepAlive` gives up its socket when a pong is missing for five seconds; a client of
 * graphql-sse notices a connection gone silent with `fetchFn: fetchUntilSilent()`. The clients' own retries do no harm;
 * `retryAttempts: 0` leaves them out.
 */
export function resumableUpdates<Data = Record<string, unknown>>(
  client: SocketClient | EventsClient,
  operation: Operation,
  sink: UpdatesSink<Data>,
): () => void;

/**
 * A `fetchFn` for a client of graphql-sse. It fails responses that are silent for longer than that; the service sends
 * something at least every 15 seconds.
 */
export function fetchUntilSilent(silenceMsMax?: number): typeof fetch;
