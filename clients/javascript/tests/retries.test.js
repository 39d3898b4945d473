import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { createClient } from "graphql-ws";
import { WebSocket } from "ws";
import { resumableUpdates } from "../src/index.js";

const NOBODY = "ws://127.0.0.1:1";

test("disposed of while it waits for the next attempt, it makes no other", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const client = createClient({ url: NOBODY, webSocketImpl: WebSocket, retryAttempts: 0 });
  let attempts = 0;
  client.on("connecting", () => attempts++);
  const lost = async () => {
    await new Promise((resolve) => client.on("closed", resolve));
    await setImmediate();
  };
  /** @type {string[]} */
  const told = [];
  const dispose = resumableUpdates(
    client,
    { query: "subscription { updates { cursor } }" },
    {
      next: () => {},
      error: () => told.push("error"),
      complete: () => told.push("complete"),
      state: (state) => told.push(state),
    },
  );
  await lost();
  context.mock.timers.tick(500);
  assert.equal(attempts, 2);
  await lost();
  dispose();
  dispose();
  context.mock.timers.tick(20_000);
  assert.equal(attempts, 2);
  assert.deepEqual(told, ["connecting", "complete"]);
});
