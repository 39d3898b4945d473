import assert from "node:assert/strict";
import { test } from "node:test";
import { authorizeBy } from "../src/authorization.js";
import { fetchUntilSilent } from "../src/events.js";
import { eventSourceClient } from "../src/eventSources.js";
import { resumableUpdates } from "../src/updates.js";

test("the package exports exactly what index.d.ts declares", async () => {
  /** @satisfies {typeof import("../src/index.d.ts")} */
  const declared = { authorizeBy, eventSourceClient, fetchUntilSilent, resumableUpdates };
  assert.deepEqual({ ...(await import("../src/index.js")) }, declared);
});
