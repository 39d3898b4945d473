import { expect, test } from "vitest";
import { EventList } from "../../src/graphiql/events";

function watch(eventsMax = 3, charactersMax = 1000) {
  const seen: unknown[] = [];
  const waiting: (() => void)[] = [];
  const events = new EventList(
    {
      next: (value) => seen.push(value),
      error: (error) => seen.push(error),
      complete: () => seen.push("complete"),
    },
    { eventsMax, charactersMax },
    (callback) => waiting.push(callback),
  );
  const paint = () => {
    for (const callback of waiting.splice(0)) callback();
  };
  return { seen, events, paint };
}

test("the last events are passed on together, the latest first", () => {
  const { seen, events, paint } = watch();
  for (const value of [1, 2, 3, 4]) events.next(value);
  expect(seen).toEqual([]);
  paint();
  expect(seen).toEqual([{ received: 4, latestFirst: [4, 3, 2] }]);
  events.next(5);
  paint();
  expect(seen[1]).toEqual({ received: 5, latestFirst: [5, 4, 3] });
});

test("only as many long events are kept as fit, but always the latest", () => {
  const { seen, events, paint } = watch(3, 10);
  events.next("x".repeat(5));
  events.next("y".repeat(5));
  paint();
  expect(seen).toEqual([{ received: 2, latestFirst: ["yyyyy"] }]);
  events.next("z".repeat(50));
  paint();
  expect(seen[1]).toEqual({ received: 3, latestFirst: ["z".repeat(50)] });
});

test("the last events are passed on once before completion", () => {
  const { seen, events, paint } = watch();
  events.next(1);
  events.complete();
  paint();
  expect(seen).toEqual([{ received: 1, latestFirst: [1] }, "complete"]);
});

test("after an error the events stay", () => {
  const { seen, events } = watch();
  events.notice = "slow";
  events.next(1);
  events.error("broken");
  const shown = { notice: "slow", error: "broken", received: 1, latestFirst: [1] };
  expect(seen).toEqual([shown, "complete"]);
});

test("an error without events is passed on", () => {
  const { seen, events } = watch();
  events.error("broken");
  expect(seen).toEqual(["broken"]);
});
