import { expect, test } from "vitest";
import { RETRY_MS_MAX } from "../../src/dashboard/model/limits";
import { retryDelayMs } from "../../src/dashboard/model/session";

test("retries back off with jitter up to a maximum", () => {
  expect(retryDelayMs(0, 0)).toBe(250);
  expect(retryDelayMs(0, 1)).toBe(500);
  expect(retryDelayMs(3, 1)).toBe(4000);
  expect(retryDelayMs(1_000_000, 1)).toBe(RETRY_MS_MAX);
});
