import { expect, test } from "vitest";
import * as format from "../../src/dashboard/model/format";

test.each([
  [0, "0"],
  [999, "999"],
  [9999, "9,999"],
  [12_345, "12.3k"],
  [-1_234_567, "-1.23M"],
  [0.012345, "0.012"],
  [Number.NaN, "–"],
])("the short form of %d is %s", (value, text) => {
  expect(format.formatShort(value)).toBe(text);
});

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [1000, "1 kB"],
  [22_112_345_678, "22.1 GB"],
  [-2048, "-2.05 kB"],
])("%d bytes are %s", (bytes, text) => {
  expect(format.formatBytes(bytes)).toBe(text);
});

test.each([
  ["/rss_bytes", "bytes"],
  ["/read_bytes_per_second", "bytes per second"],
  ["/a/percent", "percent"],
  ["/cpu_percent", "percent"],
  ["/seconds", "seconds"],
  ["/reads_per_second", "none"],
  ["", "none"],
] as const)("the unit of %s is %s", (pointer, unit) => {
  expect(format.unitOf(pointer)).toBe(unit);
});

test.each([
  [0.01, "0/s"],
  [1.25, "1.3/s"],
  [4321.4, "4,321/s"],
  [43_210, "43.2k/s"],
])("a rate of %d is %s", (rate, text) => {
  expect(format.formatRate(rate)).toBe(text);
});

test.each([
  [0, "now"],
  [-5000, "now"],
  [59_000, "59 s"],
  [61_000, "1 min"],
  [7_300_000, "2 h"],
  [200_000_000, "2 d"],
])("%d ms ago is %s", (ms, text) => {
  expect(format.formatAge(ms)).toBe(text);
});

test("a time on another day includes its date", () => {
  const now = new Date(2026, 4, 5, 13, 4, 9, 7).getTime();
  expect(format.formatTime(now, now)).toBe("13:04:09");
  expect(format.formatTime(now, now, true)).toBe("13:04:09.007");
  expect(format.formatTime(now, now + 86_400_000)).toBe("2026-05-05 13:04:09");
  expect(format.formatTime(Number.NaN, now)).toBe("–");
});

test("an axis shows only as much of the time as its steps need", () => {
  const moment = new Date(2026, 4, 5, 13, 4, 9, 7).getTime();
  expect(format.formatMoment(moment, 60_000)).toBe("13:04");
  expect(format.formatMoment(moment, 1_000)).toBe("13:04:09");
  expect(format.formatMoment(moment, 100)).toBe("13:04:09.007");
});

test("values carry their unit", () => {
  expect(format.formatValue(12.345, "percent")).toBe("12.35 %");
  expect(format.formatValue(2000, "bytes per second")).toBe("2 kB/s");
  expect(format.formatValue(1234.5, "none")).toBe("1,234.5");
  expect(format.formatTick(2_000_000, "none")).toBe("2M");
});

test.each([
  ["22112345678", "/total_bytes", "22.1 GB"],
  ["1234567", "/entries", "1,234,567"],
  ["-1234567.50", "", "-1,234,567.50"],
  ["963019363229999955968", "", "963,019,363,229,999,955,968"],
  ["1234", "/entries", "1234"],
  ["1e400", "/entries", "1e400"],
  ["48213", "/pid", "48213"],
  ["1764224400000", "/created_at", "1764224400000"],
])("%s at %s is shown as %s", (written, pointer, text) => {
  expect(format.formatWritten(written, pointer)).toBe(text);
});

test("a count has its noun in the right number", () => {
  expect(format.formatCounted(1, "field")).toBe("1 field");
  expect(format.formatCounted(1200, "field")).toBe("1,200 fields");
});
