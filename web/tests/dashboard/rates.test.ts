import { expect, test } from "vitest";
import { NEVER, rateOf, scoreAfter, SecondCounter } from "../../src/dashboard/model/rates";

function scoreOf(perSecond: number, seconds: number): number {
  let score = NEVER;
  for (let i = 1; i <= perSecond * seconds; i++) score = scoreAfter(score, (i / perSecond) * 1000);
  return score;
}

test("a steady rate is measured", () => {
  expect(rateOf(scoreOf(20, 60), 60_000, 0)).toBeCloseTo(20, 0);
});

test("an early rate is not too low", () => {
  expect(rateOf(scoreOf(20, 2), 2_000, 0)).toBeCloseTo(20, -1);
});

test("the rate decays after the events stop", () => {
  expect(rateOf(scoreOf(20, 60), 160_000, 0)).toBeLessThan(0.01);
});

test("an event that never happened has no rate", () => {
  expect(rateOf(NEVER, 1000, 0)).toBe(0);
});

test("scores compare like rates, even after days", () => {
  const day = 30 * 86_400_000;
  const busy = scoreAfter(scoreAfter(NEVER, day), day + 10);
  const calm = scoreAfter(NEVER, day + 20);
  expect(busy).toBeGreaterThan(calm);
  expect(Number.isFinite(busy)).toBe(true);
});

test("an event in a past second counts while that second is kept", () => {
  const counter = new SecondCounter(3);
  counter.add(5_000);
  counter.add(3_500);
  counter.add(1_000);
  expect(counter.read(6_000)).toEqual([1, 0, 1]);
});

test("complete seconds are counted, and old ones are dropped", () => {
  const counter = new SecondCounter(3);
  counter.add(1_000);
  counter.add(1_999);
  counter.add(2_500);
  expect(counter.read(3_000)).toEqual([0, 2, 1]);
  counter.add(3_100);
  expect(counter.read(3_900)).toEqual([0, 2, 1]);
  expect(counter.read(5_000)).toEqual([1, 1, 0]);
  expect(counter.read(100_000)).toEqual([0, 0, 0]);
  expect(counter.rate(100_000, 3)).toBe(0);
});
