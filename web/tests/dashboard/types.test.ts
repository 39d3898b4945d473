import { parse, validate } from "graphql";
import { expect, test } from "vitest";
import { type Json, leafOf, numberAt, previewOfJson, typeOf } from "../../src/dashboard/model/json";
import { textOfJson } from "../../src/dashboard/model/value";
import { orders as shape, SCHEMA, shapeIn } from "./schema";

const ORDER = {
  id_: "o-1",
  amount: "9007199254740993",
  price: "12.50",
  placed: "2026-02-28",
  colour: "RED",
  count: 3,
  tags: [{ key: "vip", value: "1" }],
  lines: [{ product: "tea" }],
  payment: { __typename: "NumberValue", value_2: "7" },
  replaces: null,
};

function orders() {
  const { data } = shape();
  if (!data) throw new Error("no typed data");
  return data;
}

test("a table without a schema has no typed data", async () => {
  expect(await shapeIn("plain")).toEqual({ data: null, keys: null, hasJsonKeys: false });
});

test("a table whose keys are JSON in text has them without types", async () => {
  expect(await shapeIn("rows")).toEqual({ data: null, keys: null, hasJsonKeys: true });
});

test("the selection is valid, and bounded where a type contains itself", () => {
  const document = `{ ordersValue { ${orders().text} } }`;
  expect(validate(SCHEMA, parse(document))).toEqual([]);
  expect(document.match(/replaces/g)).toHaveLength(6);
});

test("data shows as a tree with types, whose numbers are exact", () => {
  const json = orders().show(ORDER) ?? null;
  expect(textOfJson(json)).toBe(
    JSON.stringify(
      { ...ORDER, tags: { vip: "1" }, payment: { NumberValue: { value: "7" } } },
      null,
      2,
    ),
  );
  const { amount, price, placed, colour, count } = json as Record<string, Json>;
  expect([amount, price, placed, colour, count].map((one) => typeOf(one ?? null))).toEqual([
    "Int64",
    "Decimal",
    "Date",
    "Colour",
    null,
  ]);
  expect(numberAt(json, "/price")).toBe(12.5);
  expect(numberAt(json, "/tags/vip")).toBe(1);
  expect(numberAt(json, "/payment/NumberValue/value")).toBe(7);
  expect(numberAt(json, "/placed")).toBeNull();
  expect(leafOf(amount ?? null, "/amount")).toEqual({
    text: "9007199254740993",
    role: "number",
    pointer: "/amount",
  });
  expect(previewOfJson(json, 2).map(({ text }) => text)).toEqual(["id_", "o-1", "…"]);
});

test("what is nested deeper than it is selected shows only its type", () => {
  let nested: object = { __typename: "Orders" };
  for (let i = 0; i < 5; i++) nested = { ...ORDER, replaces: nested };
  const json = orders().show({ ...ORDER, replaces: nested }) ?? null;
  expect(textOfJson(json)).toContain('"replaces": "…"');
});

test("a value that cannot be decoded has no tree", () => {
  expect(orders().show(null)).toBeUndefined();
});
