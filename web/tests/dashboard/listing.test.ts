import { expect, test } from "vitest";
import { Listing } from "../../src/dashboard/model/listing";
import type { Sort } from "../../src/dashboard/model/order";
import { Table } from "../../src/dashboard/model/table";
import { change, marker } from "./support";

const BY_CHANGE: Sort = { by: "changed", descending: true };

function listing(...keys: string[]) {
  const table = new Table({ keysMax: 100, valueCharactersMax: 10_000 });
  keys.forEach((key, i) => table.apply(change("SNAPSHOT", key, "1", i), 0));
  table.apply(marker("LIVE", "c9"), 0);
  const list = new Listing();
  const shown = (nowMs: number, sort = BY_CHANGE) => {
    list.refresh(table, "", sort, nowMs);
    return list.rows.map(({ key }) => key).join(" ");
  };
  return { table, list, shown };
}

test("rows are reordered, but not too often", () => {
  const { table, shown } = listing("a", "b");
  expect(shown(0)).toBe("b a");
  table.apply(change("SET", "a", "2", 10), 10);
  expect(shown(10)).toBe("b a");
  expect(shown(60_000)).toBe("a b");
});

test("held rows do not move, and new ones are appended", () => {
  const { table, list, shown } = listing("a", "b");
  shown(0);
  list.held = true;
  table.apply(change("SET", "a", "2", 10), 10);
  table.apply(change("SET", "c", "1", 11), 11);
  expect(shown(60_000)).toBe("b a c");
});

test("a new request is not delayed", () => {
  const { list, shown } = listing("a", "b");
  expect(shown(0)).toBe("b a");
  list.request();
  expect(shown(1, { by: "key", descending: false })).toBe("a b");
});

test("pending rows are bounded while nothing refreshes", () => {
  const { table, list } = listing();
  const many = new Table({ keysMax: 100_000, valueCharactersMax: 1_000_000 });
  for (let i = 0; i < 20_000; i++) many.apply(change("SET", `k${String(i)}`, "1", i), 0);
  list.keepUp(many);
  expect(many.added).toEqual([]);
  table.apply(change("SET", "a", "1"), 0);
  list.keepUp(table);
  expect(table.added).toHaveLength(1);
});
