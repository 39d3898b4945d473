import { expect, test } from "vitest";
import { KeyOrder, type Sort } from "../../src/dashboard/model/order";
import { NEVER } from "../../src/dashboard/model/rates";
import type { Row } from "../../src/dashboard/model/table";

function row(key: string, timestampMs = 0, score = NEVER): Row {
  return {
    id: key,
    key,
    typed: undefined,
    order: key,
    raw: "",
    json: undefined,
    problem: undefined,
    partition: 0,
    offset: 0,
    timestampMs,
    flashMs: 0,
    score,
  };
}

const BY_KEY: Sort = { by: "key", descending: false };

function keys(rows: Row[]): string {
  return rows.map(({ key }) => key).join(" ");
}

const ANY_RATE = Number.POSITIVE_INFINITY;

test("new rows are merged in order, and removed ones disappear", () => {
  const order = new KeyOrder();
  const b = row("b");
  order.merge([row("d"), b], new Set());
  expect(keys(order.rows)).toBe("b d");
  order.merge([row("c"), row("a"), row("e")], new Set([b]));
  expect(keys(order.rows)).toBe("a c d e");
});

test("a row that was added and removed in between does not appear", () => {
  const order = new KeyOrder();
  const gone = row("b");
  order.merge([row("a"), gone], new Set([gone]));
  expect(keys(order.rows)).toBe("a");
});

test("merging empties its arguments and returns whether anything changed", () => {
  const order = new KeyOrder();
  const added = [row("a")];
  const removed = new Set<Row>();
  expect(order.merge(added, removed)).toBe(true);
  expect(added).toEqual([]);
  expect(order.merge(added, removed)).toBe(false);
});

test("a prefix selects its keys", () => {
  const order = new KeyOrder();
  order.merge(
    ["a", "cpu", "cpu/0", "cpu/1", "cpv", "\u{1f600}"].map((key) => row(key)),
    new Set(),
  );
  expect(keys(order.select("cpu/", BY_KEY, ANY_RATE))).toBe("cpu/0 cpu/1");
  expect(keys(order.select("cpu", BY_KEY, ANY_RATE))).toBe("cpu cpu/0 cpu/1");
  expect(keys(order.select("z", BY_KEY, ANY_RATE))).toBe("");
  expect(order.select("", BY_KEY, ANY_RATE)).toHaveLength(6);
});

test("rows with indistinguishable rates stay in key order", () => {
  const order = new KeyOrder();
  order.merge([row("b", 0, 8), row("a", 0, 7), row("c", 0, 1)], new Set());
  expect(keys(order.select("", { by: "rate", descending: true }, 5))).toBe("a b c");
  expect(keys(order.select("", { by: "rate", descending: true }, ANY_RATE))).toBe("b a c");
});

test("rows sort by key, last change and rate, in both directions", () => {
  const order = new KeyOrder();
  order.merge([row("a", 2, 1), row("b", 3), row("c", 1, 5), row("d", 3)], new Set());
  expect(keys(order.select("", { by: "key", descending: true }, ANY_RATE))).toBe("d c b a");
  expect(keys(order.select("", { by: "changed", descending: true }, ANY_RATE))).toBe("b d a c");
  expect(keys(order.select("", { by: "changed", descending: false }, ANY_RATE))).toBe("c a b d");
  expect(keys(order.select("", { by: "rate", descending: true }, ANY_RATE))).toBe("c a b d");
});
