import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { createClient } from "graphql-ws";
import { WebSocket } from "ws";
import { resumableUpdates } from "../src/index.js";

const NO_SERVICE = "ws://127.0.0.1:1";

test("unsubscribing while waiting for a retry prevents the retry", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const client = createClient({ url: NO_SERVICE, webSocketImpl: WebSocket, retryAttempts: 0 });
  let attempts = 0;
  client.on("connecting", () => attempts++);
  const lostAttempt = async () => {
    await new Promise((resolve) => client.on("closed", resolve));
    await setImmediate();
  };
  /** @type {string[]} */
  const events = [];
  const unsubscribe = resumableUpdates(
    client,
    { query: "subscription { updates { cursor } }" },
    {
      next: () => {},
      error: () => events.push("error"),
      complete: () => events.push("complete"),
      state: (state) => events.push(state),
    },
  );
  await lostAttempt();
  context.mock.timers.tick(500);
  assert.equal(attempts, 2);
  await lostAttempt();
  unsubscribe();
  unsubscribe();
  context.mock.timers.tick(20_000);
  assert.equal(attempts, 2);
  assert.deepEqual(events, ["connecting", "complete"]);
});
