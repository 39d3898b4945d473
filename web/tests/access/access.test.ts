import { expect, test } from "vitest";
import { isTokenRefusal } from "../../src/access/access";

test("a socket closed for the origin of its page is not closed for its token", () => {
  expect(isTokenRefusal({ code: 4403, reason: "The token has expired." })).toBe(true);
  expect(isTokenRefusal({ code: 4403 })).toBe(true);
  expect(isTokenRefusal({ code: 4403, reason: "Refused for its origin: …" })).toBe(false);
  expect(isTokenRefusal({ code: 1006, reason: "" })).toBe(false);
  expect(isTokenRefusal(new Error("token"))).toBe(false);
  expect(isTokenRefusal(null)).toBe(false);
});
