import { expect, test } from "vitest";
import { StreamClock } from "../../src/dashboard/model/clock";

test("without records the time is the browser's", () => {
  expect(new StreamClock().now(1000)).toBe(1000);
});

test("a producer whose clock is behind sets the present of the plots", () => {
  const clock = new StreamClock();
  expect(clock.place(40_000, 100_000)).toBe(40_000);
  expect(clock.now(101_000)).toBe(41_000);
});

test("of several producers the freshest counts", () => {
  const clock = new StreamClock();
  clock.place(99_900, 100_000);
  clock.place(10_000, 100_100);
  expect(clock.now(100_200)).toBe(100_100);
});

test("the present follows when the freshest producer falls silent", () => {
  const clock = new StreamClock();
  clock.place(100_000, 100_000);
  for (let time = 100_000; time <= 130_000; time += 1000) clock.place(time - 5_000, time);
  expect(clock.now(130_000)).toBe(125_000);
});

test("times far ahead, and none at all, are those of the arrival", () => {
  const clock = new StreamClock();
  expect(clock.place(9e15, 1000)).toBe(1000);
  expect(clock.place(null, 2000)).toBe(2000);
  expect(clock.now(3000)).toBe(3000);
});
