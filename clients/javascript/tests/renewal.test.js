// When subscriptions renew their tokens. tests/clients of the repository shows against the real service that they lose nothing.
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { buildSchema } from "graphql";
import { createClient } from "graphql-ws";
import { useServer } from "graphql-ws/use/ws";
import { WebSocket, WebSocketServer } from "ws";
import { authorizeBy, resumableUpdates } from "../src/index.js";

const schema = buildSchema(`
  type Query { nothing: Int }
  type Update { cursor: String! }
  type Subscription { updates(after: String): Update! }
`);
const query = "subscription ($after: String) { updates(after: $after) { cursor } }";
const FORBIDDEN = 4403;

/**
 * @param {import("node:test").TestContext} context
 * @param {{
 *   accepts: (header: unknown) => boolean,
 *   resolve?: (variables: object, socket: WebSocket) => unknown,
 *   reason?: string,
 * }} service
 */
async function clientOf(context, { accepts, resolve = () => [], reason = "" }) {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  const { dispose } = useServer(
    {
      schema,
      roots: { subscription: { updates: resolve } },
      context: ({ extra }) => extra.socket,
      onConnect: ({ connectionParams, extra }) => {
        if (accepts(connectionParams?.authorization)) return true;
        if (reason) extra.socket.close(FORBIDDEN, reason);
        return false;
      },
    },
    server,
  );
  context.after(dispose);
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  /** @type {boolean[]} */
  const asked = [];
  const authorization = authorizeBy((refused) => {
    asked.push(refused);
    return refused ? "new" : "old";
  });
  const client = createClient({
    url: `ws://127.0.0.1:${String(port)}`,
    webSocketImpl: WebSocket,
    connectionParams: authorization,
    retryAttempts: 0,
  });
  return { client, authorization, asked };
}

/**
 * @param {Parameters<typeof resumableUpdates>[0]} client
 * @param {import("../src/index.d.ts").Authorization | undefined} authorization
 * @returns {Promise<unknown[]>} all events of a subscription once it has ended
 */
function eventsOf(client, authorization) {
  return new Promise((resolve) => {
    /** @type {unknown[]} */
    const events = [];
    const end = (/** @type {unknown} */ last) => {
      resolve([...events, last]);
    };
    const sink = {
      next: (/** @type {{ data: unknown }} */ { data }) => events.push(data),
      error: (/** @type {unknown} */ reason) => {
        const { code, response } = /** @type {CloseEvent & { response?: Response }} */ (reason);
        end(response?.status ?? code);
      },
      complete: () => {
        end("complete");
      },
    };
    resumableUpdates(client, { query }, sink, { authorization });
  });
}

test("a token that expires is renewed, and the subscription goes on after its last update", async (context) => {
  /** @type {object[]} */
  const requested = [];
  const { client, authorization, asked } = await clientOf(context, {
    accepts: () => true,
    async *resolve(variables, socket) {
      requested.push({ ...variables });
      yield { updates: { cursor: String(requested.length) } };
      if (requested.length === 3) return;
      socket.close(FORBIDDEN, "The token has expired.");
      await once(socket, "close");
    },
  });
  const cursors = ["1", "2", "3"].map((cursor) => ({ updates: { cursor } }));
  assert.deepEqual(await eventsOf(client, authorization), [...cursors, "complete"]);
  assert.deepEqual(requested, [{}, { after: "1" }, { after: "2" }]);
  assert.deepEqual(asked, [false, true, true]);
});

test("a token that is refused at first is renewed at once", async (context) => {
  const { client, authorization, asked } = await clientOf(context, {
    accepts: (header) => header === "Bearer new",
    async *resolve() {
      yield await Promise.resolve({ updates: { cursor: "1" } });
    },
  });
  const events = await eventsOf(client, authorization);
  assert.deepEqual(events, [{ updates: { cursor: "1" } }, "complete"]);
  assert.deepEqual(asked, [false, true]);
});

test("a subscription ends when the service goes on refusing new tokens", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  /** @type {boolean[]} */
  const asked = [];
  const authorization = authorizeBy((refused) => {
    asked.push(refused);
    return "token";
  });
  /** @type {import("../src/index.d.ts").EventsClient} */
  const refused = {
    subscribe(_request, sink, on) {
      on?.connecting?.(false);
      void authorization().then(() => {
        sink.error({ response: { status: 401 } });
      });
      return () => {};
    },
  };
  const events = eventsOf(refused, authorization);
  while (asked.length < 7) {
    await setImmediate();
    context.mock.timers.tick(10_000);
  }
  assert.deepEqual(await events, [401]);
  assert.deepEqual(asked, [false, true, true, true, true, true, true]);
});

test("without tokens to renew, and for its origin, a refusal is final", async (context) => {
  const refused = await clientOf(context, { accepts: () => false });
  assert.deepEqual(await eventsOf(refused.client, undefined), [FORBIDDEN]);
  const reason = "Refused for its origin: the proxy must pass Host.";
  const { client, authorization, asked } = await clientOf(context, {
    accepts: () => false,
    reason,
  });
  assert.deepEqual(await eventsOf(client, authorization), [FORBIDDEN]);
  assert.deepEqual(asked, [false]);
});
