import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Follower } from "../../src/dashboard/model/follower";
import type { Failure } from "../../src/dashboard/model/health";
import { Table } from "../../src/dashboard/model/table";
import { change, FakeService, marker } from "./support";

function follow(keysMax = 10) {
  const service = new FakeService();
  const table = new Table({ keysMax, valueCharactersMax: 1000 });
  const failures: (Failure | null)[] = [];
  const selection = { keys: null, prefix: "YQ==", interval: 0.25 };
  const follower = new Follower(service, table, selection, {
    update: (update) => table.apply(update, 0),
    failed: (failure) => failures.push(failure),
  });
  follower.start();
  return { service, table, failures, follower };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test("it starts with a snapshot of its selection", () => {
  const { service } = follow();
  expect(service.variables).toEqual({
    keys: null,
    prefix: "YQ==",
    interval: 0.25,
    after: null,
    snapshot: true,
  });
});

test("what a reconnection will send stands behind the last update", () => {
  const { service } = follow();
  service.send(change("SNAPSHOT", "a", "1", 6));
  expect(service.variables).toMatchObject({ after: "c7", snapshot: false });
});

test("a subscription that ended goes on by itself where it was", () => {
  const { service, table } = follow();
  service.send(marker("LIVE", "c3"));
  service.end();
  vi.advanceTimersByTime(2000);
  expect(service.asked).toHaveLength(2);
  expect(service.variables).toMatchObject({ after: "c3", snapshot: false });
  expect(table.phase).toBe("resuming");
});

test("a cursor that is not accepted is given up for a snapshot", () => {
  const { service, table } = follow();
  service.send(change("SNAPSHOT", "a", "1", 6));
  service.fail("BAD_CURSOR");
  vi.advanceTimersByTime(2000);
  expect(table.rows.size).toBe(0);
  expect(service.variables).toMatchObject({ after: null, snapshot: true });
});

test("any other error is told, and tried again later", () => {
  const { service, failures } = follow();
  service.fail("UNAVAILABLE");
  expect(failures).toEqual([{ code: "UNAVAILABLE", message: "no" }]);
  vi.advanceTimersByTime(10_000);
  expect(failures.at(-1)).toBeNull();
  expect(service.asked).toHaveLength(2);
});

test("an interval that is refused for being too short becomes the shortest allowed", () => {
  const { service, failures } = follow();
  service.fail("BAD_INPUT", 2);
  expect(service.variables).toMatchObject({ interval: 2 });
  expect(failures).toEqual([]);
  service.fail("BAD_INPUT", 2);
  expect(failures).toMatchObject([{ code: "BAD_INPUT" }]);
});

test("a full table needs no more updates", () => {
  const { service } = follow(1);
  service.send(change("SNAPSHOT", "a", "1"));
  expect(service.running).toBe(1);
  service.send(change("SNAPSHOT", "b", "1"));
  expect(service.running).toBe(0);
});

test("nothing is heard after it was stopped", () => {
  const { service, table, follower } = follow();
  follower.stop();
  service.send(change("SNAPSHOT", "a", "1"));
  service.end();
  vi.advanceTimersByTime(10_000);
  expect(table.rows.size).toBe(0);
  expect(service.asked).toHaveLength(1);
});
