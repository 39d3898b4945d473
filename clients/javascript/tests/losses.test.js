import assert from "node:assert/strict";
import { test } from "node:test";
import { isTemporary, retryDelayMs } from "../src/losses.js";

for (const code of [1000, 1001, 1005, 1006, 1011, 1012, 1013, 4408, 4499, 4500, 4504]) {
  test(`a socket closed with ${String(code)} is worth a retry`, () => {
    assert.equal(isTemporary({ code, reason: "" }, false), true);
  });
}

for (const code of [1002, 1008, 1009, 4400, 4401, 4403, 4406, 4409, 4429]) {
  test(`a socket closed with ${String(code)} is not worth a retry`, () => {
    assert.equal(isTemporary({ code, reason: "" }, false), false);
  });
}

test("overload and outages are temporary, refusals are not", () => {
  for (const status of [408, 429, 500, 502, 503])
    assert.equal(isTemporary({ response: { status } }, false), true);
  for (const status of [400, 401, 403, 404, 413])
    assert.equal(isTemporary({ response: { status } }, false), false);
});

test("an event stream that was there before, and is not found any more, is worth a retry", () => {
  assert.equal(isTemporary({ response: { status: 404 } }, true), true);
  assert.equal(isTemporary({ response: { status: 400 } }, true), false);
});

test("UNAVAILABLE is temporary, and so is a limit for an operation accepted before", () => {
  const errors = (/** @type {string[]} */ ...codes) =>
    codes.map((code) => ({ extensions: { code } }));
  assert.equal(isTemporary(errors("UNAVAILABLE"), false), true);
  assert.equal(isTemporary(errors("UNAVAILABLE", "BAD_CURSOR"), false), false);
  assert.equal(isTemporary(errors("LIMIT_EXCEEDED"), false), false);
  assert.equal(isTemporary(errors("LIMIT_EXCEEDED"), true), true);
  assert.equal(isTemporary(errors("INTERNAL"), true), false);
  assert.equal(isTemporary([{ message: "without a code" }], true), false);
});

test("any other connection error is temporary", () => {
  for (const reason of [
    new TypeError("fetch failed"),
    new Event("error"),
    { code: "ECONNREFUSED" },
    undefined,
  ]) {
    assert.equal(isTemporary(reason, false), true);
  }
});

test("pauses grow from half a second to ten seconds, with jitter of up to half", () => {
  const longest = [0, 1, 2, 3, 4, 5, 2000].map((failures) => retryDelayMs(failures, 1));
  assert.deepEqual(longest, [500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
  assert.equal(retryDelayMs(0, 0), 250);
  assert.equal(retryDelayMs(2000, 0), 5000);
});
