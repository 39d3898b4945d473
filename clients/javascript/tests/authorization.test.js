import assert from "node:assert/strict";
import { test } from "node:test";
import { authorizeBy } from "../src/index.js";

/** Returns an authorization, and what the caller was asked. */
function asked() {
  /** @type {boolean[]} */
  const refused = [];
  const authorization = authorizeBy((isRefused) => {
    refused.push(isRefused);
    return String(refused.length);
  });
  return { authorization, refused };
}

test("connections that open together share one token", async () => {
  const { authorization, refused } = asked();
  const headers = await Promise.all([authorization(), authorization()]);
  assert.deepEqual(headers, [{ authorization: "Bearer 1" }, { authorization: "Bearer 1" }]);
  await authorization();
  assert.deepEqual(refused, [false, false]);
});

test("a token that several connections were refused with is renewed once", async () => {
  const { authorization, refused } = asked();
  const [one, other] = [authorization.attempt(), authorization.attempt()];
  await authorization();
  one();
  const again = authorization.attempt();
  await authorization();
  other();
  await authorization();
  assert.deepEqual(refused, [false, true, false]);
  again();
  await authorization();
  assert.deepEqual(refused, [false, true, false, true]);
});

test("a renewal that failed is tried again", async () => {
  const answers = [Promise.reject(new Error("offline")), Promise.resolve("new")];
  /** @type {boolean[]} */
  const refused = [];
  const authorization = authorizeBy((isRefused) => {
    refused.push(isRefused);
    return /** @type {Promise<string>} */ (answers.shift());
  });
  authorization.attempt()();
  await assert.rejects(authorization(), { message: "offline" });
  assert.deepEqual(await authorization(), { authorization: "Bearer new" });
  assert.deepEqual(refused, [true, true]);
});
