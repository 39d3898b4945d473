import { expect, test } from "vitest";
import { latestOfEachFrame } from "../../src/graphiql/latest";

function watch() {
  const seen: unknown[] = [];
  const frames: (() => void)[] = [];
  const observer = latestOfEachFrame<number>(
    {
      next: (value) => seen.push(value),
      error: (error) => seen.push(error),
      complete: () => seen.push("complete"),
    },
    (frame) => frames.push(frame),
  );
  const paint = () => {
    for (const frame of frames.splice(0)) frame();
  };
  return { seen, observer, paint };
}

test("only the latest value of each frame is passed on", () => {
  const { seen, observer, paint } = watch();
  for (const value of [1, 2, 3]) observer.next(value);
  expect(seen).toEqual([]);
  paint();
  observer.next(4);
  paint();
  expect(seen).toEqual([3, 4]);
});

test("the last value is passed on once before completion", () => {
  const { seen, observer, paint } = watch();
  observer.next(1);
  observer.complete();
  paint();
  expect(seen).toEqual([1, "complete"]);
});

test("the last value is passed on before an error", () => {
  const { seen, observer } = watch();
  observer.next(1);
  observer.error("broken");
  expect(seen).toEqual([1, "broken"]);
});
