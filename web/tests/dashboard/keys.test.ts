import { expect, test } from "vitest";
import { base64OfBytes, base64OfText } from "../../src/dashboard/model/bytes";
import { type Json, typeOf } from "../../src/dashboard/model/json";
import { jsonKeyOf, type TypedKeys } from "../../src/dashboard/model/keys";
import { shapeIn } from "./schema";

async function keysOf(table: string): Promise<TypedKeys> {
  const { keys } = await shapeIn(table);
  if (!keys) throw new Error("no typed keys");
  return keys;
}

/** As it is selected of a key whose union is a wrapped text. */
function selected(kind: object, inside: object | null = null) {
  const tags = [{ key: "a", value: "1" }];
  return { region: "eu", number: "9007199254740993", tags, kind, inside };
}

test("a table whose keys have an encoding has no typed keys", async () => {
  expect((await shapeIn("plain")).keys).toBeNull();
});

test("a scalar key shows exactly, is its own argument, and can be written as it is", async () => {
  const keys = await keysOf("orders");
  expect([keys.type, keys.isJson, keys.text]).toEqual(["Int64!", false, "keyData"]);
  expect(keys.of("9007199254740993")).toMatchObject({
    text: "9007199254740993",
    argument: "9007199254740993",
  });
  expect(keys.parse("9007199254740993")).toBe("9007199254740993");
  expect((await keysOf("counts")).parse("-5")).toBe(-5);
  expect(keys.of(null)).toBeUndefined();
});

test("integers sort by their values", async () => {
  const keys = await keysOf("orders");
  const values = ["10", "-1", "9", "-9223372036854775808", "9223372036854775807", "0"];
  const sorted = values
    .map((value) => keys.of(value))
    .sort((one, other) => ((one?.order ?? "") < (other?.order ?? "") ? -1 : 1));
  expect(sorted.map((key) => key?.text)).toEqual([
    "-9223372036854775808",
    "-1",
    "0",
    "9",
    "10",
    "9223372036854775807",
  ]);
});

test("a record as key is a tree, and as one line the input that means it", async () => {
  const keys = await keysOf("places");
  expect([keys.type, keys.isJson]).toEqual(["PlacesKeyInput!", true]);
  const key = keys.of(selected({ __typename: "TextValue", value_1: "old" }));
  const { number } = key?.json as Record<string, Json>;
  expect(typeOf(number ?? null)).toBe("Int64");
  const argument = {
    region: "eu",
    number: "9007199254740993",
    tags: [{ key: "a", value: "1" }],
    kind: { text: "old" },
    inside: null,
  };
  expect(key?.argument).toEqual(argument);
  expect(key?.text).toBe(JSON.stringify(argument));
  const card = keys.of(selected({ __typename: "Card", value_0: "1", holder_0: "Ann" }));
  expect(card?.argument).toEqual({ ...argument, kind: { card: { value: "1", holder: "Ann" } } });
  expect(keys.parse('{"region": "eu"}')).toEqual({ region: "eu" });
  expect(() => keys.parse("eu")).toThrow(SyntaxError);
});

test("a key that is nested deeper than it is selected has no argument", async () => {
  const keys = await keysOf("places");
  const kind = { __typename: "TextValue", value_1: "old" };
  let nested: object = { __typename: "PlacesKey" };
  for (let i = 0; i < 5; i++) nested = selected(kind, nested);
  const key = keys.of(selected(kind, nested));
  expect(key?.argument).toBeUndefined();
  expect(key?.text).toContain("…");
});

test("a key that is JSON shows without the schema around it, with its numbers as they were written", () => {
  const textOf = (text: string) => jsonKeyOf(base64OfText(text))?.text;
  expect(textOf('{"schema": {"type": "int64"}, "payload": 9007199254740993}')).toBe(
    "9007199254740993",
  );
  expect(textOf('{"payload": {"id": 1.50, "of": ["a", null]}, "schema": {}}')).toBe(
    '{"id":1.50,"of":["a",null]}',
  );
  expect(textOf('{"schema": {}, "payload": null}')).toBe("null");
});

test("a key that is other JSON shows as it was written, since prefixes are of that", () => {
  for (const text of ['{"id": 1}', '{"schema": 1}', '{"schema": 1, "payload": 2, "x": 3}', '"a"']) {
    expect(jsonKeyOf(base64OfText(text))?.text).toBe(text);
  }
});

test("a key that is no JSON is none", () => {
  expect(jsonKeyOf(base64OfText("plain"))).toBeUndefined();
  expect(jsonKeyOf(base64OfBytes(Uint8Array.of(255)))).toBeUndefined();
});
