import { expect, test } from "vitest";
import {
  numberAt,
  numberIn,
  parseJson,
  pointerOf,
  preview,
  tokensOf,
} from "../../src/dashboard/model/json";

function at(text: string, pointer: string): number | null {
  return numberAt(parseJson(text), pointer);
}

test("a number is found by its pointer", () => {
  expect(at('{"a":{"b":[1,2.5]}}', "/a/b/1")).toBe(2.5);
  expect(at("42", "")).toBe(42);
  expect(at('{"":{"a/b":1,"m~n":2}}', "//a~1b")).toBe(1);
  expect(at('{"m~n":2}', "/m~0n")).toBe(2);
});

test("anything else at a pointer is null", () => {
  for (const [text, pointer] of [
    ['{"a":"1"}', "/a"],
    ['{"a":null}', "/a"],
    ['{"a":1}', "/b"],
    ['{"a":1}', "/a/b"],
    ["[1]", "/length"],
    ["[1]", "/x"],
    ['{"a":1}', "/toString"],
    ["no JSON", ""],
  ] as const) {
    expect(at(text, pointer)).toBeNull();
  }
});

test("pointers round-trip through their tokens", () => {
  for (const tokens of [[], [""], ["a/b", "~1", "0", "ü"]]) {
    expect(tokensOf(pointerOf(tokens))).toEqual(tokens);
  }
});

test("invalid JSON is undefined", () => {
  expect(parseJson("{")).toBeUndefined();
  expect(parseJson("")).toBeUndefined();
});

test("a bigint can be plotted", () => {
  expect(numberIn(9007199254740993n)).toBe(9007199254740992);
});

test("a preview has field names, and its numbers have pointers", () => {
  expect(preview('{"a":1,"b":"x","c":[1,2],"d":{}}', 99)).toEqual([
    { text: "a", role: "name" },
    { text: "1", role: "number", pointer: "/a" },
    { text: "b", role: "name" },
    { text: "x", role: "word" },
    { text: "c", role: "name" },
    { text: "[2]", role: "rest" },
    { text: "d", role: "name" },
    { text: "{0}", role: "rest" },
  ]);
});

test("a single number can be plotted, text cannot", () => {
  expect(preview("3.5", 9)).toEqual([{ text: "3.5", role: "number", pointer: "" }]);
  expect(preview("hello", 9)).toEqual([{ text: "hello", role: "word" }]);
  expect(preview("{}", 9)).toEqual([{ text: "{}", role: "rest" }]);
  expect(preview("[7]", 9)).toEqual([{ text: "7", role: "number", pointer: "/0" }]);
});

test("a long preview is cut", () => {
  expect(preview("[1,2,3,4]", 2).map(({ text }) => text)).toEqual(["1", "2", "…"]);
});
