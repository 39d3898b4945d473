// How it ends. How it goes on is shown against the real service, in tests/clients of the repository.
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

/** @param {object[]} told */
async function* updates(...told) {
  for (const update of told) yield await Promise.resolve(update);
}

/** @param {WebSocket} socket */
async function* firstAndGone(socket) {
  yield first;
  socket.close(1012);
  await once(socket, "close");
}

/**
 * @param {import("node:test").TestContext} context
 * @param {(variables: object, socket: WebSocket) => unknown} answer what a subscription is told
 */
async function clientOfAService(context, answer = () => updates(first, second)) {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  const roots = { subscription: { updates: answer } };
  const { dispose } = useServer({ schema, roots, context: ({ extra }) => extra.socket }, server);
  context.after(dispose);
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return createClient({ url: `ws://127.0.0.1:${String(port)}`, webSocketImpl: WebSocket });
}

/**
 * All that a subscription was told when it ended.
 *
 * @param {import("graphql-ws").Client} client
 * @returns {Promise<unknown[]>}
 */
function toldBy(client, next = () => {}) {
  return new Promise((resolve) => {
    /** @type {unknown[]} */
    const told = [];
    resumableUpdates(
      client,
      { query },
      {
        next: ({ data }) => {
          told.push(data);
          next();
        },
        error: (reason) => {
          resolve([...told, reason]);
        },
        complete: () => {
          resolve([...told, "complete"]);
        },
      },
    );
  });
}

test("what the service ends is not begun again", async (context) => {
  const client = await clientOfAService(context);
  assert.deepEqual(await toldBy(client), [first, second, "complete"]);
});

test("what `next` throws ends its subscription and no other of the socket", async (context) => {
  const client = await clientOfAService(context);
  let sockets = 0;
  client.on("opened", () => sockets++);
  const mistake = new Error("a mistake of the application");
  const mistaken = toldBy(client, () => {
    throw mistake;
  });
  assert.deepEqual(await Promise.all([mistaken, toldBy(client)]), [
    [first, mistake],
    [first, second, "complete"],
  ]);
  assert.equal(sockets, 1);
});

test("refused for a limit when it comes back, it asks again behind its last update", async (context) => {
  /** @type {object[]} */
  const asked = [];
  const client = await clientOfAService(context, (variables, socket) => {
    asked.push({ ...variables });
    if (asked.length === 1) return firstAndGone(socket);
    if (asked.length === 3) return updates(second);
    throw new GraphQLError("all places are taken", { extensions: { code: "LIMIT_EXCEEDED" } });
  });
  assert.deepEqual(await toldBy(client), [first, second, "complete"]);
  assert.deepEqual(asked, [{}, { after: "1" }, { after: "1" }]);
});
