import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Access } from "../../src/access/access";
import { StatusDocument } from "../../src/dashboard/api/operations";
import { RETRY_MS_MAX } from "../../src/dashboard/model/limits";
import { retryDelayMs, Session } from "../../src/dashboard/model/session";

test("retries back off with jitter up to a maximum", () => {
  expect(retryDelayMs(0, 0)).toBe(250);
  expect(retryDelayMs(0, 1)).toBe(500);
  expect(retryDelayMs(3, 1)).toBe(4000);
  expect(retryDelayMs(1_000_000, 1)).toBe(RETRY_MS_MAX);
});

/** The service's side of a WebSocket. */
class FakeSocket {
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  static readonly CLOSING = 2;
  static readonly CLOSED = 3;
  static made: FakeSocket[] = [];
  readyState = FakeSocket.CONNECTING;
  sent: string[] = [];
  onopen: () => unknown = () => undefined;
  onmessage: (event: { data: string }) => void = () => undefined;
  onclose: (event: { code: number; reason: string }) => void = () => undefined;

  constructor() {
    FakeSocket.made.push(this);
  }

  send(message: string): void {
    expect(this.readyState).toBe(FakeSocket.OPEN);
    this.sent.push(message);
  }

  close(): void {
    this.readyState = FakeSocket.CLOSING;
  }

  async acknowledge(): Promise<void> {
    this.readyState = FakeSocket.OPEN;
    await this.onopen();
    this.onmessage({ data: JSON.stringify({ type: "connection_ack" }) });
  }

  end(code: number, reason = ""): void {
    this.readyState = FakeSocket.CLOSED;
    this.onclose({ code, reason });
  }
}

/** How visitors sign in; each time lasts until the test ends it. */
class FakeAccess {
  asked: (() => void)[] = [];

  refresh(): Promise<boolean> {
    return Promise.resolve(false);
  }

  signIn(): Promise<boolean> {
    return new Promise((resolve) => {
      this.asked.push(() => {
        resolve(true);
      });
    });
  }
}

const ANSWER_MS = 10;

describe("a client that was given up", () => {
  const endpoint = { http: "http://service/graphql", socket: "ws://service/graphql" };
  const restarted = vi.fn();
  const events = { changed: () => undefined, reconnected: () => undefined, restarted };
  let access = new FakeAccess();

  beforeEach(() => {
    FakeSocket.made = [];
    access = new FakeAccess();
    restarted.mockClear();
    vi.useFakeTimers();
    vi.stubGlobal("WebSocket", FakeSocket);
    vi.stubGlobal("sessionStorage", { getItem: () => null });
    vi.stubGlobal("fetch", async () => {
      await new Promise((resolve) => setTimeout(resolve, ANSWER_MS));
      return new Response(null, { status: 401 });
    });
  });

  afterEach(() => {
    vi.unstubAllGlobals();
    vi.useRealTimers();
  });

  async function refused(): Promise<Session> {
    const session = new Session(endpoint, events, access as unknown as Access);
    await vi.advanceTimersByTimeAsync(0);
    FakeSocket.made[0]?.end(1006);
    await vi.advanceTimersByTimeAsync(ANSWER_MS);
    expect(access.asked).toHaveLength(1);
    return session;
  }

  test("opens no other socket while the visitor signs in", async () => {
    const session = await refused();
    await vi.advanceTimersByTimeAsync(2 * RETRY_MS_MAX);
    expect(FakeSocket.made).toHaveLength(1);
    expect(session.connection.kind).toBe("refused");
  });

  test("opens no other socket for what is subscribed to while the visitor signs in", async () => {
    const session = new Session(endpoint, events, access as unknown as Access);
    await vi.advanceTimersByTimeAsync(0);
    await FakeSocket.made[0]?.acknowledge();
    FakeSocket.made[0]?.end(4403, "Forbidden");
    await vi.advanceTimersByTimeAsync(0);
    expect(session.connection.kind).toBe("refused");
    const sink = { data: vi.fn(), failed: vi.fn(), ended: vi.fn() };
    session.subscribe({ document: StatusDocument, variables: { interval: 1 } }, sink);
    await vi.advanceTimersByTimeAsync(0);
    expect(FakeSocket.made).toHaveLength(1);
  });

  test("does not make the next one ask twice once its token expires", async () => {
    const session = await refused();
    await vi.advanceTimersByTimeAsync(2 * RETRY_MS_MAX);
    access.asked[0]?.();
    await vi.advanceTimersByTimeAsync(0);
    const socket = FakeSocket.made.at(-1);
    await socket?.acknowledge();
    expect(session.connection.kind).toBe("open");
    socket?.end(4403, "Forbidden");
    await vi.advanceTimersByTimeAsync(0);
    expect(access.asked).toHaveLength(2);
    access.asked[1]?.();
    await vi.advanceTimersByTimeAsync(2 * RETRY_MS_MAX);
    expect(FakeSocket.made).toHaveLength(3);
    expect(restarted).toHaveBeenCalledTimes(2);
  });

  test("is not heard once the page goes on with the next one", async () => {
    const session = await refused();
    session.retryNow();
    access.asked[0]?.();
    await vi.advanceTimersByTimeAsync(0);
    expect(FakeSocket.made).toHaveLength(2);
    await FakeSocket.made[1]?.acknowledge();
    expect(session.connection.kind).toBe("open");
    expect(restarted).toHaveBeenCalledTimes(1);
  });
});
