import { expect, test } from "vitest";
import { nextScope, suggestPrefixes } from "../../src/dashboard/model/scope";

test("a search within the scope keeps the subscription", () => {
  expect(nextScope("", "cpu/", false)).toBe("");
  expect(nextScope("cpu", "cpu/1", false)).toBe("cpu");
});

test("a search outside of the scope, or in one with too many keys, needs a new subscription", () => {
  expect(nextScope("cpu/", "", false)).toBe("");
  expect(nextScope("cpu/", "mem", false)).toBe("mem");
  expect(nextScope("", "cpu/", true)).toBe("cpu/");
});

test("prefixes are suggested, the most frequent first", () => {
  const keys = ["item/1", "item/2", "cpu:0", "item/3", "plain"];
  expect(suggestPrefixes(keys, "", 2)).toEqual([
    { prefix: "item/", count: 3 },
    { prefix: "cpu:", count: 1 },
  ]);
});

test("rare prefixes are omitted", () => {
  const keys = [
    ...Array.from({ length: 5000 }, (_, i) => `a/${String(i)}`),
    "b/1",
    "b/2",
    "b/3",
    "c/1",
  ];
  expect(suggestPrefixes(keys, "", 9).map(({ prefix }) => prefix)).toEqual(["a/", "b/"]);
});

test("longer prefixes are suggested within a scope", () => {
  const keys = ["item/1/a", "item/1/b", "item/2/a"];
  expect(suggestPrefixes(keys, "item/", 9)).toEqual([
    { prefix: "item/1/", count: 2 },
    { prefix: "item/2/", count: 1 },
  ]);
});

test("keys without separators are divided by their letters, and a prefix of all keys is not suggested", () => {
  expect(suggestPrefixes(["abc", "abd", "xyz"], "", 9)).toEqual([
    { prefix: "ab", count: 2 },
    { prefix: "xy", count: 1 },
  ]);
  expect(suggestPrefixes(["a/1", "a/2"], "", 9)).toEqual([]);
});
