import { expect, test } from "vitest";
import { originRefusal } from "../../src/graphiql/fallback";

test("only a refusal for the origin has a remedy to show", () => {
  const reason = "Refused for its origin: the proxy must pass Host.";
  expect(originRefusal({ code: 4403, reason })).toBe(reason);
  expect(originRefusal({ code: 4403, reason: "Forbidden" })).toBeNull();
  expect(originRefusal({ code: 1006, reason })).toBeNull();
  expect(originRefusal(new Error("origin"))).toBeNull();
  expect(originRefusal(null)).toBeNull();
});
