import { expect, test } from "vitest";
import { gridOf, isolated, resample, Series, timesOf } from "../../src/dashboard/model/series";
import { randomOf } from "./support";

const LIMITS = { pointsMax: 1000, spacingMs: 1 };

function seriesOf(points: [number, number][], limits = LIMITS): Series {
  const series = new Series(limits);
  for (const [time, value] of points) series.push(time, value);
  return series;
}

function pointsOf(series: Series): [number, number][] {
  return Array.from({ length: series.length }, (_, i) => [series.timeAt(i), series.valueAt(i)]);
}

test("the oldest points are dropped at the limit", () => {
  const series = new Series({ pointsMax: 300, spacingMs: 1 });
  for (let i = 0; i < 1000; i++) series.push(i * 10, i);
  expect(series.length).toBe(300);
  expect(series.timeAt(0)).toBe(7000);
  expect(series.valueAt(299)).toBe(999);
});

test("a point too close to the last one, or before it, replaces its value", () => {
  const series = seriesOf(
    [
      [0, 1],
      [30, 2],
      [20, 3],
      [60, 4],
    ],
    { pointsMax: 10, spacingMs: 50 },
  );
  expect(pointsOf(series)).toEqual([
    [0, 3],
    [60, 4],
  ]);
});

test("the first point at or after a time is found", () => {
  const series = seriesOf([
    [10, 1],
    [20, 2],
    [30, 3],
  ]);
  expect([0, 10, 11, 30, 31].map((time) => series.indexFrom(time))).toEqual([0, 0, 1, 2, 3]);
});

test("a gap is marked once", () => {
  const series = seriesOf([[0, 1]]);
  series.gap(10);
  series.gap(20);
  expect(pointsOf(series)).toEqual([
    [0, 1],
    [11, Number.NaN],
  ]);
});

test("an empty series has no gap to mark", () => {
  const series = new Series(LIMITS);
  series.gap(10);
  expect(series.length).toBe(0);
});

test("slots do not move with the window", () => {
  const one = timesOf(gridOf(1003, 2003, 10));
  const other = timesOf(gridOf(1057, 2057, 10));
  expect(one[0]).toBe(900);
  expect(one).toContain(1100);
  expect(other).toContain(1100);
  expect(one.at(-1)).toBeGreaterThanOrEqual(2003);
});

test("the minimum and maximum of a slot are drawn in their order", () => {
  const grid = gridOf(0, 100, 1);
  const at = -grid.firstSlot * 2;
  const samples = resample(
    seriesOf([
      [1, 5],
      [2, 9],
      [3, -4],
      [4, 6],
    ]),
    grid,
    0,
  );
  expect(samples.slice(at, at + 2)).toEqual([9, -4]);
  expect(samples.filter((sample) => sample !== undefined)).toEqual([9, -4]);
});

test("the line starts at the last value before the window", () => {
  const grid = gridOf(1000, 2000, 10);
  expect(
    resample(
      seriesOf([
        [10, 7],
        [1500, 8],
      ]),
      grid,
      0,
    )[0],
  ).toBe(7);
});

test("gaps are null, and empty slots are undefined", () => {
  const series = seriesOf([
    [0, 1],
    [10, 2],
    [20, Number.NaN],
    [30, 3],
  ]);
  const grid = gridOf(0, 40, 4);
  const samples = resample(series, grid, 0).slice(-grid.firstSlot * 2);
  expect(samples).toEqual([
    1,
    undefined,
    2,
    undefined,
    null,
    null,
    3,
    undefined,
    undefined,
    undefined,
  ]);
});

test("the last value is extended to the present, but a gap is not", () => {
  const grid = gridOf(0, 100, 10);
  const last = (series: Series) => resample(series, grid, 95).at(-4);
  expect(resample(seriesOf([[10, 4]]), grid, 95).filter((sample) => sample === 4)).toHaveLength(2);
  expect(last(seriesOf([[10, Number.NaN]]))).toBeUndefined();
});

test("resampling keeps the minimum and maximum of any values", () => {
  for (let seed = 0; seed < 50; seed++) {
    const random = randomOf(seed);
    const series = new Series(LIMITS);
    let time = 0;
    while (time < 10_000) {
      series.push(time, random() * 100);
      time += 1 + random() * (random() < 0.1 ? 2000 : 40);
    }
    const values = pointsOf(series).map(([, value]) => value);
    const samples = resample(series, gridOf(0, 10_000, 30), 0).filter((s) => typeof s === "number");
    expect(Math.min(...samples)).toBe(Math.min(...values));
    expect(Math.max(...samples)).toBe(Math.max(...values));
  }
});

test("a sample without a neighbour on either side is isolated", () => {
  expect(isolated([undefined, 1, undefined])).toEqual([1]);
  expect(isolated([1, undefined, 2, null, undefined, 3, null, 4])).toEqual([5, 7]);
  expect(isolated([null, undefined])).toEqual([]);
});
