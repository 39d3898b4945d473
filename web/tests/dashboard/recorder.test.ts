import { expect, test } from "vitest";
import { base64OfText } from "../../src/dashboard/model/bytes";
import type { Version } from "../../src/dashboard/model/history";
import { Recorder } from "../../src/dashboard/model/recorder";

const plot = { id: "a", pointer: "/n" };

function version(text: string | null, timestampMs: number): Version {
  const raw = text === null ? null : base64OfText(text);
  return { partition: 0, offset: 0, timestampMs, raw, headers: null };
}

function recorder(): Recorder {
  const made = new Recorder({ pointsMax: 100, spacingMs: 1 });
  made.keep([[plot]]);
  return made;
}

function points(of: Recorder): [number, number][] {
  const series = of.get(plot)?.series;
  if (!series) return [];
  return Array.from({ length: series.length }, (_, i) => [series.timeAt(i), series.valueAt(i)]);
}

test("only numbers of plotted keys are recorded", () => {
  const made = recorder();
  made.record("a", version('{"n":1}', 1000), 1000, true);
  made.record("b", version('{"n":2}', 1000), 1000, true);
  expect(points(made)).toEqual([[1000, 1]]);
  expect(made.get(plot)?.latest).toBe(1);
});

test("a value without the number and a delete leave a gap", () => {
  const made = recorder();
  made.record("a", version('{"n":1}', 1000), 1000, true);
  made.record("a", version(null, 2000), 2000, true);
  expect(points(made)).toEqual([
    [1000, 1],
    [2001, Number.NaN],
  ]);
  expect(made.get(plot)?.latest).toBeNull();
});

test("earlier versions are inserted before the recorded ones", () => {
  const made = recorder();
  made.record("a", version('{"n":5}', 5000), 5000, true);
  made.seed("a", [version('{"n":1}', 1000), version("x", 2000), version('{"n":9}', 9000)]);
  expect(points(made)).toEqual([
    [1000, 1],
    [2001, Number.NaN],
    [5000, 5],
  ]);
});

test("removed plots are forgotten, and new ones are returned", () => {
  const made = recorder();
  expect(made.keep([[plot, { id: "b", pointer: "" }]])).toEqual(new Set(["b"]));
  expect(made.keep([[{ id: "b", pointer: "" }]])).toEqual(new Set());
  expect(made.get(plot)).toBeUndefined();
});
