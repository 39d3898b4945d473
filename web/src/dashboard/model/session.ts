import { type Client, createClient } from "graphql-ws";
import type { Endpoint } from "../../graphiql/endpoint";
import { type Access, isTokenRefusal } from "../../access/access";
import { authorization, readTokens } from "../../access/token";
import { BLOCKED, originRefusal } from "../../graphiql/fallback";
import type { TypedDocumentString } from "../api/operations";
import { EventStreams, type Transport } from "./eventStreams";
import type { Connection, Failure } from "./health";
import { BLOCKED_ATTEMPTS, PING_INTERVAL_MS, PONG_WAIT_MS, RETRY_MS_MAX } from "./limits";
import { shapeOf, type TableShape, TEXT } from "./shape";
import { showIn } from "./shown";
import { tableDocument } from "./tableDocument";

export interface SessionEvents {
  changed: () => void;
  /** The socket is open again, and the subscriptions resume. */
  reconnected: () => void;
  /** All subscriptions ended with the socket and must be created again. */
  restarted: () => void;
}

export interface Sink<T> {
  data: (data: T) => void;
  failed: (failure: Failure) => void;
  ended: () => void;
}

/** A document with its variables. */
export interface Operation<Result, Variables extends Record<string, unknown>> {
  document: TypedDocumentString<Result, Variables>;
  variables: Variables;
}

const UNAUTHORISED_CODES = [4401, 4403];
const UNAUTHENTICATED = 401;
/** Between two clients: what is subscribed to then is created again when the next one is there. */
const NO_TRANSPORT: Transport = {
  subscribe: () => () => undefined,
  dispose: () => undefined,
};

/**
 * The WebSocket of the page. It is opened immediately, and again after each loss. Where WebSockets are refused for the page's
 * origin or do not get through, event streams replace it.
 */
export class Session {
  connection: Connection = { kind: "connecting", lostMs: null };
  /** Why event streams replace the WebSocket; null while they do not. */
  fallback: string | null = null;
  /** The table that documents ask; null for the only one of a service. */
  table: string | null = null;
  /** What its keys and values are, as far as it is learnt. */
  shape: TableShape = TEXT;
  private client: Transport;
  /** How many clients were given up. */
  private generation = 0;
  private blocked = 0;
  private failures = 0;
  private lostMs: number | null = null;
  private opened = false;
  /** The token that the service was shown last. */
  private shown: string | null = null;
  private wake: () => void = () => undefined;
  private pongTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly endpoint: Endpoint,
    private readonly events: SessionEvents,
    private readonly access: Access,
  ) {
    this.client = this.connect();
  }

  /**
   * Subscribes, and returns a function that unsubscribes. The variables are read again at every reconnection, so that a
   * caller can resume by changing them in place.
   */
  subscribe<Result, Variables extends Record<string, unknown>>(
    { document, variables }: Operation<Result, Variables>,
    sink: Sink<Result>,
  ): () => void {
    const { shape } = this;
    return this.client.subscribe<Result>(
      { query: tableDocument(document.toString(), this.table, shape), variables },
      {
        next: ({ data, errors }) => {
          guarded(() => {
            if (errors?.[0] && !hasField(data)) sink.failed(failureOf(errors));
            else if (data) {
              showIn(data, shape, errors);
              sink.data(data);
            }
          });
        },
        error: (error) => {
          // Problems of the socket itself are reported by `connection` and followed by `restarted`.
          if (Array.isArray(error))
            guarded(() => {
              sink.failed(failureOf(error));
            });
        },
        complete: () => {
          guarded(sink.ended);
        },
      },
    );
  }

  /** Learns what the table's keys and values are, which subscriptions then ask for. */
  async learn(): Promise<void> {
    this.shape = await shapeOf(this, this.table);
  }

  query<Result, Variables extends Record<string, unknown>>(
    operation: Operation<Result, Variables>,
  ): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.subscribe(operation, {
        data: resolve,
        failed: ({ message, code }) => {
          reject(new Error(`${message} (${code})`));
        },
        ended: () => {
          reject(new Error("The service sent no result."));
        },
      });
    });
  }

  retryNow(): void {
    if (this.connection.kind === "refused") this.restart();
    else this.wake();
  }

  private connect(): Transport {
    return this.fallback === null ? this.connectSocket() : this.connectEvents();
  }

  private connectEvents(): EventStreams {
    const heard = this.untilGivenUp();
    return new EventStreams(this.endpoint.http, this.authorization, {
      received: heard(() => {
        this.failures = 0;
        if (this.connection.kind !== "open") this.changeConnection({ kind: "open" });
      }),
      lost: heard((status: number | undefined) => {
        if (this.connection.kind === "open") this.lostMs = Date.now();
        if (status === UNAUTHENTICATED) void this.renew(statusText(status));
        else if (status === 403) this.refuse(statusText(status));
        else this.restartAfter(retryDelayMs(this.failures++));
      }),
    });
  }

  private fallBack(reason: string): void {
    this.fallback = reason;
    this.restart();
  }

  private connectSocket(): Client {
    const heard = this.untilGivenUp();
    const { generation } = this;
    const client = createClient({
      url: this.endpoint.socket,
      lazy: false,
      keepAlive: PING_INTERVAL_MS,
      connectionAckWaitTimeout: PONG_WAIT_MS,
      connectionParams: this.authorization,
      retryAttempts: Number.POSITIVE_INFINITY,
      retryWait: (retries) => this.waitToRetry(generation, retries),
      shouldRetry: (event) => !UNAUTHORISED_CODES.includes(codeOf(event)),
      onNonLazyError: heard((event) => {
        this.ended(event);
      }),
      on: {
        connecting: heard(() => {
          this.opened = false;
          this.changeConnection({ kind: "connecting", lostMs: this.lostMs });
        }),
        opened: heard(() => {
          this.opened = true;
          this.blocked = 0;
        }),
        connected: heard((_socket: unknown, _payload: unknown, again: boolean) => {
          this.changeConnection({ kind: "open" });
          if (again) this.events.reconnected();
        }),
        ping: heard((received: boolean) => {
          if (!received) this.expectPong(client);
        }),
        pong: heard(() => {
          clearTimeout(this.pongTimer);
        }),
        closed: heard(() => {
          this.lost();
        }),
      },
    });
    return client;
  }

  /** Wraps what is done with the reports of a client: those that come after it was given up are ignored. */
  private untilGivenUp(): <Report extends unknown[]>(
    handle: (...report: Report) => void,
  ) => (...report: Report) => void {
    const { generation } = this;
    return (handle) =>
      (...report) => {
        if (generation === this.generation) handle(...report);
      };
  }

  private changeConnection(connection: Connection): void {
    this.connection = connection;
    this.events.changed();
  }

  /** Terminates a socket without a pong; if its other end vanished, it would stay open for minutes. */
  private expectPong(client: Client): void {
    clearTimeout(this.pongTimer);
    this.pongTimer = setTimeout(() => {
      client.terminate();
    }, PONG_WAIT_MS);
  }

  private lost(): void {
    clearTimeout(this.pongTimer);
    if (!this.opened) void this.probe();
    // After a failed attempt, the next one is already scheduled.
    if (this.connection.kind !== "open") return;
    this.lostMs = Date.now();
    this.changeConnection({ kind: "connecting", lostMs: this.lostMs });
  }

  /** Finds out by a plain request whether the socket was refused, did not get through, or the service cannot be reached. */
  private async probe(): Promise<void> {
    const { generation } = this;
    try {
      const body = JSON.stringify({ query: "{ __typename }" });
      const headers = { "content-type": "application/json", ...this.authorization() };
      const { status, ok } = await fetch(this.endpoint.http, { method: "POST", headers, body });
      if (generation !== this.generation) return;
      if (status === UNAUTHENTICATED) await this.renew(statusText(status));
      else if (status === 403) this.refuse(statusText(status));
      else if (ok && !this.opened && this.fallback === null) {
        this.blocked += 1;
        if (this.blocked >= BLOCKED_ATTEMPTS) this.fallBack(BLOCKED);
      }
    } catch {
      // Unreachable as well, so the retries continue.
    }
  }

  private authorization = (): Record<string, string> => {
    this.shown = readTokens()?.token ?? null;
    return authorization();
  };

  /** The service refuses the token, or that there is none: goes on from here with another one. */
  private async renew(reason: string): Promise<void> {
    const { shown } = this;
    this.giveUp();
    const { generation } = this;
    this.changeConnection({ kind: "connecting", lostMs: this.lostMs });
    if (!(await this.access.refresh(shown))) {
      if (generation === this.generation) this.changeConnection({ kind: "refused", reason });
      if (!(await this.access.signIn(shown))) return;
    }
    if (generation === this.generation) this.restart();
  }

  private refuse(reason: string): void {
    this.giveUp();
    this.changeConnection({ kind: "refused", reason });
  }

  /** Disposes of the client, and ignores the failure of a pending connection attempt. */
  private giveUp(): void {
    this.generation += 1;
    clearTimeout(this.pongTimer);
    const { client } = this;
    // A disposed client would connect again for a new subscription.
    this.client = NO_TRANSPORT;
    void Promise.resolve(client.dispose()).catch(() => undefined);
  }

  private async waitToRetry(generation: number, retries: number): Promise<void> {
    if (generation === this.generation) await this.wait(retryDelayMs(retries));
    // The next attempt of a client that was given up is never made.
    if (generation !== this.generation) await new Promise(() => undefined);
  }

  private async wait(delayMs: number): Promise<void> {
    this.changeConnection({ kind: "waiting", lostMs: this.lostMs, retryMs: Date.now() + delayMs });
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, delayMs);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** The client gave up. Unless access was denied, another client replaces it. */
  private ended(event: unknown): void {
    const refusal = originRefusal(event);
    if (refusal !== null) {
      this.fallBack(refusal);
      return;
    }
    if (isTokenRefusal(event)) {
      void this.renew(reasonOf(event));
      return;
    }
    if (UNAUTHORISED_CODES.includes(codeOf(event))) {
      this.refuse(reasonOf(event) || "Authentication is required.");
      return;
    }
    this.restartAfter(RETRY_MS_MAX);
  }

  private restartAfter(delayMs: number): void {
    this.giveUp();
    const { generation } = this;
    void this.wait(delayMs).then(() => {
      if (generation === this.generation) this.restart();
    });
  }

  private restart(): void {
    this.giveUp();
    this.changeConnection({ kind: "connecting", lostMs: this.lostMs });
    this.client = this.connect();
    this.events.restarted();
  }
}

/** Exponential backoff with jitter, so that the pages of a restarted service do not all reconnect at once. */
export function retryDelayMs(retries: number, random = Math.random()): number {
  return Math.min(RETRY_MS_MAX, 500 * 2 ** Math.min(retries, 10)) * (0.5 + random / 2);
}

function statusText(status: number): string {
  return `The response status was ${String(status)}.`;
}

/** Tells whether any root field has data; then an error concerns only a part. */
function hasField(data: unknown): boolean {
  return typeof data === "object" && data !== null && Object.values(data).some((v) => v !== null);
}

function failureOf(errors: readonly unknown[]): Failure {
  const error = errors[0] as { message?: string; extensions?: Partial<Failure> } | undefined;
  return {
    message: error?.message ?? "Unknown error",
    code: error?.extensions?.code ?? "INTERNAL",
    limit: error?.extensions?.limit,
  };
}

function codeOf(event: unknown): number {
  const code = typeof event === "object" && event !== null && "code" in event ? event.code : 0;
  return typeof code === "number" ? code : 0;
}

/** What the service says about the end of a socket, such as that a proxy in front of it does not pass Host. */
function reasonOf(event: unknown): string {
  const reason =
    typeof event === "object" && event !== null && "reason" in event ? event.reason : "";
  return typeof reason === "string" ? reason : "";
}

/** Reports exceptions itself, since graphql-ws would mistake them for a broken message and close the socket. */
function guarded(action: () => void): void {
  try {
    action();
  } catch (error) {
    reportError(error);
  }
}
