import { type Client, createClient, NetworkError, type RequestParams } from "graphql-sse";
import type { Client as SocketClient, Sink, SubscribePayload } from "graphql-ws";
import { EVENT_STREAMS_MAX, EVENT_STREAMS_SILENCE_MS } from "./limits";

export interface EventStreamsEvents {
  received: () => void;
  /** A stream was lost, and all others are closed. The status is that of the response, if there was one. */
  lost: (status: number | undefined) => void;
}

/** The part of a client that the page uses on either transport. */
export type Transport = Pick<SocketClient, "subscribe" | "dispose">;

/** Subscriptions over Server-Sent Events, one request each. Those that do not fit wait until another one ends. */
export class EventStreams implements Transport {
  private readonly client: Client;
  private running = 0;
  private waiting: (() => void)[] = [];
  private closed = false;
  private silence: ReturnType<typeof setTimeout> | undefined;

  constructor(
    url: string,
    headers: () => Record<string, string>,
    private readonly events: EventStreamsEvents,
    private readonly streamsMax = streamsMaxOf(performance.getEntriesByType("navigation")),
  ) {
    this.client = createClient({ url, headers, retryAttempts: 0 });
    this.expectMessage();
  }

  subscribe(payload: SubscribePayload, sink: Sink): () => void {
    // Queries end soon, and have a connection of their own.
    const counted = /^\s*subscription\b/.test(payload.query);
    let end: () => void = () => undefined;
    let started = false;
    let ended = false;
    const finish = () => {
      if (ended) return;
      ended = true;
      this.waiting = this.waiting.filter((one) => one !== start);
      if (!counted || !started) return;
      this.running -= 1;
      this.waiting.shift()?.();
    };
    const start = () => {
      started = true;
      if (counted) this.running += 1;
      end = this.client.subscribe(payload as RequestParams, {
        next: (result) => {
          this.expectMessage();
          this.events.received();
          sink.next(result);
        },
        error: (reason) => {
          finish();
          this.lose(reason);
        },
        complete: () => {
          if (ended) return;
          finish();
          sink.complete();
        },
      });
    };
    if (counted && this.running >= this.streamsMax) this.waiting.push(start);
    else start();
    return () => {
      finish();
      end();
    };
  }

  dispose(): void {
    this.closed = true;
    this.waiting = [];
    clearTimeout(this.silence);
    this.client.dispose();
  }

  /** The status comes every second; without any message for longer, the other end has vanished. */
  private expectMessage(): void {
    clearTimeout(this.silence);
    if (this.closed) return;
    this.silence = setTimeout(() => {
      this.lose(undefined);
    }, EVENT_STREAMS_SILENCE_MS);
  }

  private lose(reason: unknown): void {
    if (this.closed) return;
    this.dispose();
    const response =
      reason instanceof NetworkError ? (reason.response as Response | undefined) : undefined;
    this.events.lost(response?.status);
  }
}

/** Over HTTP/1.1, browsers hold few connections to a service; later versions share one. */
function streamsMaxOf(navigation: readonly PerformanceEntry[]): number {
  const { nextHopProtocol } = (navigation[0] ?? {}) as Partial<PerformanceNavigationTiming>;
  return nextHopProtocol?.startsWith("http/1") === false
    ? Number.POSITIVE_INFINITY
    : EVENT_STREAMS_MAX;
}
