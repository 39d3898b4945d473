import { expect, test } from "vitest";
import { SERIES_MAX } from "../../src/dashboard/model/limits";
import { type Chart, joined, split, toggled } from "../../src/dashboard/model/plots";

const cpu0 = { id: "cpu0", pointer: "/percent" };
const cpu1 = { id: "cpu1", pointer: "/percent" };
const used = { id: "memory", pointer: "/used" };
const plain = { id: "plain", pointer: "" };
const other = { id: "other", pointer: "" };

function all(...plots: Chart): Chart[] {
  return plots.reduce<Chart[]>((charts, plot) => toggled(charts, plot), []);
}

test("the same field of several keys shares a chart, other fields have their own", () => {
  expect(all(cpu0, used, cpu1)).toEqual([[cpu0, cpu1], [used]]);
});

test("values that are plain numbers do not share a chart", () => {
  expect(all(plain, other)).toEqual([[plain], [other]]);
});

test("a second click removes the number, and its chart if empty", () => {
  expect(all(cpu0, used, cpu0)).toEqual([[used]]);
});

test("charts are joined and split", () => {
  const charts = all(cpu0, used, plain);
  expect(joined(charts, 1)).toEqual([[cpu0, used], [plain]]);
  expect(joined(charts, 0)).toEqual(charts);
  expect(split(joined(charts, 1), 0)).toEqual(charts);
});

test("the number of series is limited", () => {
  const plots = Array.from({ length: SERIES_MAX + 5 }, (_, i) => ({
    id: String(i),
    pointer: "/a",
  }));
  expect(all(...plots).flat()).toHaveLength(SERIES_MAX);
});
