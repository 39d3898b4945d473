import { expect, test } from "vitest";
import { StreamClock } from "../../src/dashboard/model/clock";

test("without records, the stream has the browser time", () => {
  expect(new StreamClock().now(1000)).toBe(1000);
});

test("a producer whose clock is behind determines the stream time", () => {
  const clock = new StreamClock();
  expect(clock.timeOf(40_000, 100_000)).toBe(40_000);
  expect(clock.now(101_000)).toBe(41_000);
});

test("the most recent of several producers determines the stream time", () => {
  const clock = new StreamClock();
  clock.timeOf(99_900, 100_000);
  clock.timeOf(10_000, 100_100);
  expect(clock.now(100_200)).toBe(100_100);
});

test("the stream time adapts when the most recent producer stops", () => {
  const clock = new StreamClock();
  clock.timeOf(100_000, 100_000);
  for (let time = 100_000; time <= 130_000; time += 1000) clock.timeOf(time - 5_000, time);
  expect(clock.now(130_000)).toBe(125_000);
});

test("a timestamp far ahead, or none, is replaced by the arrival time", () => {
  const clock = new StreamClock();
  expect(clock.timeOf(9e15, 1000)).toBe(1000);
  expect(clock.timeOf(null, 2000)).toBe(2000);
  expect(clock.now(3000)).toBe(3000);
});
