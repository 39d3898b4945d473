// How subscriptions end. tests/clients of the repository shows against the real service how they resume.
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { GraphQLError, buildSchema } from "graphql";
import { createClient } from "graphql-ws";
import { useServer } from "graphql-ws/use/ws";
import { WebSocket, WebSocketServer } from "ws";
import { resumableUpdates } from "../src/index.js";

const schema = buildSchema(`
  type Query { nothing: Int }
  type Update { cursor: String! }
  type Subscription { updates(after: String): Update! }
`);
const query = "subscription ($after: String) { updates(after: $after) { cursor } }";

const first = { updates: { cursor: "1" } };
const second = { updates: { cursor: "2" } };

/** @param {object[]} sent */
async function* updates(...sent) {
  for (const update of sent) yield await Promise.resolve(update);
}

/** @param {WebSocket} socket */
async function* firstThenClosed(socket) {
  yield first;
  socket.close(1012);
  await once(socket, "close");
}

/**
 * @param {import("node:test").TestContext} context
 * @param {(variables: object, socket: WebSocket) => unknown} resolve returns the updates of a subscription
 */
async function clientOfAService(context, resolve = () => updates(first, second)) {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  const roots = { subscription: { updates: resolve } };
  const { dispose } = useServer({ schema, roots, context: ({ extra }) => extra.socket }, server);
  context.after(dispose);
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return createClient({ url: `ws://127.0.0.1:${String(port)}`, webSocketImpl: WebSocket });
}

/**
 * Returns all events of a subscription once it has ended.
 *
 * @param {import("graphql-ws").Client} client
 * @returns {Promise<unknown[]>}
 */
function eventsOf(client, next = () => {}) {
  return new Promise((resolve) => {
    /** @type {unknown[]} */
    const events = [];
    resumableUpdates(
      client,
      { query },
      {
        next: ({ data }) => {
          events.push(data);
          next();
        },
        error: (reason) => {
          resolve([...events, reason]);
        },
        complete: () => {
          resolve([...events, "complete"]);
        },
      },
    );
  });
}

test("a subscription that the service completes is not resumed", async (context) => {
  const client = await clientOfAService(context);
  assert.deepEqual(await eventsOf(client), [first, second, "complete"]);
});

test("an exception in `next` ends its subscription and no other on the socket", async (context) => {
  const client = await clientOfAService(context);
  let sockets = 0;
  client.on("opened", () => sockets++);
  const mistake = new Error("a mistake of the application");
  const failing = eventsOf(client, () => {
    throw mistake;
  });
  assert.deepEqual(await Promise.all([failing, eventsOf(client)]), [
    [first, mistake],
    [first, second, "complete"],
  ]);
  assert.equal(sockets, 1);
});

test("a resumed subscription that exceeds a limit retries after its last update", async (context) => {
  /** @type {object[]} */
  const requested = [];
  const client = await clientOfAService(context, (variables, socket) => {
    requested.push({ ...variables });
    if (requested.length === 1) return firstThenClosed(socket);
    if (requested.length === 3) return updates(second);
    throw new GraphQLError("too many subscriptions", { extensions: { code: "LIMIT_EXCEEDED" } });
  });
  assert.deepEqual(await eventsOf(client), [first, second, "complete"]);
  assert.deepEqual(requested, [{}, { after: "1" }, { after: "1" }]);
});
