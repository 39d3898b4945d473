import { expect, test } from "vitest";
import { type Clock, Scheduler } from "../../src/dashboard/model/scheduler";

/** A clock that the test moves, with a frame every 16 ms. */
class FakeClock implements Clock {
  nowMs = 0;
  private waiting: { atMs: number; callback: () => void }[] = [];

  now = () => this.nowMs;
  frame = (callback: () => void) => {
    this.later(callback, 16 - (this.nowMs % 16));
  };
  later = (callback: () => void, delayMs: number) => {
    this.waiting.push({ atMs: this.nowMs + delayMs, callback });
  };

  pass(untilMs: number, each?: () => void): void {
    while (this.nowMs < untilMs) {
      this.nowMs += 1;
      each?.();
      const due = this.waiting.filter(({ atMs }) => atMs <= this.nowMs);
      this.waiting = this.waiting.filter(({ atMs }) => atMs > this.nowMs);
      for (const { callback } of due) callback();
    }
  }
}

test("a painter runs once per frame and once per interval, however many changes there are", () => {
  const clock = new FakeClock();
  const scheduler = new Scheduler(clock);
  let every = 0;
  let rare = 0;
  scheduler.add(() => (every += 1), 0);
  scheduler.add(() => (rare += 1), 100);
  clock.pass(1600, () => {
    scheduler.invalidate();
  });
  expect(every).toBe(100);
  expect(rare).toBeGreaterThanOrEqual(14);
  expect(rare).toBeLessThanOrEqual(16);
});

test("the last change is painted after the interval", () => {
  const clock = new FakeClock();
  const scheduler = new Scheduler(clock);
  let painted = 0;
  scheduler.add(() => (painted += 1), 100);
  scheduler.invalidate();
  clock.pass(20);
  scheduler.invalidate();
  clock.pass(50);
  expect(painted).toBe(1);
  clock.pass(200);
  expect(painted).toBe(2);
  clock.pass(1000);
  expect(painted).toBe(2);
});

test("an urgent paint does not wait for the interval", () => {
  const clock = new FakeClock();
  const scheduler = new Scheduler(clock);
  let painted = 0;
  scheduler.add(() => (painted += 1), 500);
  scheduler.invalidate();
  clock.pass(40);
  scheduler.invalidate();
  clock.pass(60);
  scheduler.hurry();
  clock.pass(90);
  expect(painted).toBe(2);
});

test("a slow painter pauses", () => {
  const clock = new FakeClock();
  const scheduler = new Scheduler(clock);
  let painted = 0;
  scheduler.add(() => {
    painted += 1;
    clock.nowMs += 40;
  }, 0);
  clock.pass(1600, () => {
    scheduler.invalidate();
  });
  expect(painted).toBeLessThanOrEqual(11);
});

test("a removed painter does not run", () => {
  const clock = new FakeClock();
  const scheduler = new Scheduler(clock);
  let painted = 0;
  const remove = scheduler.add(() => (painted += 1), 0);
  scheduler.invalidate();
  remove();
  clock.pass(100);
  expect(painted).toBe(0);
});
