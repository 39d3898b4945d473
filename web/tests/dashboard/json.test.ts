import { expect, test } from "vitest";
import {
  isBranch,
  numberAt,
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

const WRITTEN = [
  "963019363229999955968",
  "9007199254740993",
  "-9223372036854775809",
  "3.14159265358979323846264338327950288",
  "1.50",
  "100.0",
  "0.0000001",
  "1e2",
  "1E-7",
  "1e400",
  "-0",
];

test("numbers are shown as they were written", () => {
  for (const number of [...WRITTEN, "0", "-7", "21.5", "0.001", "123456789012345"]) {
    expect(String(parseJson(number) as number)).toBe(number);
    expect(preview(`{"n":${number}}`, 9)[1]?.text).toBe(number);
    expect(isBranch(parseJson(number))).toBe(false);
  }
});

test("numbers can be plotted however they are written", () => {
  expect(at('{"n":9007199254740993}', "/n")).toBe(9007199254740992);
  expect(at('{"n":1.50}', "/n")).toBe(1.5);
  expect(at('{"n":1e400}', "/n")).toBeNull();
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
