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

test("a follower starts with a snapshot of its selection", () => {
  const { service } = follow();
  expect(service.variables).toEqual({
    keys: null,
    prefix: "YQ==",
    interval: 0.25,
    after: null,
    snapshot: true,
  });
});

test("a reconnection resumes after the last update", () => {
  const { service } = follow();
  service.send(change("SNAPSHOT", "a", "1", 6));
  expect(service.variables).toMatchObject({ after: "c7", snapshot: false });
});

test("a subscription that ended resumes where it stopped", () => {
  const { service, table } = follow();
  service.send(marker("LIVE", "c3"));
  service.end();
  vi.advanceTimersByTime(2000);
  expect(service.requested).toHaveLength(2);
  expect(service.variables).toMatchObject({ after: "c3", snapshot: false });
  expect(table.phase).toBe("resuming");
});

test("a refused cursor is replaced by a snapshot", () => {
  const { service, table } = follow();
  service.send(change("SNAPSHOT", "a", "1", 6));
  service.fail("BAD_CURSOR");
  vi.advanceTimersByTime(2000);
  expect(table.rows.size).toBe(0);
  expect(service.variables).toMatchObject({ after: null, snapshot: true });
});

test("any other error is reported and retried later", () => {
  const { service, failures } = follow();
  service.fail("UNAVAILABLE");
  expect(failures).toEqual([{ code: "UNAVAILABLE", message: "no" }]);
  vi.advanceTimersByTime(10_000);
  expect(failures.at(-1)).toBeNull();
  expect(service.requested).toHaveLength(2);
});

test("an interval that is too short is replaced by the minimum", () => {
  const { service, failures } = follow();
  service.fail("BAD_INPUT", 2);
  expect(service.variables).toMatchObject({ interval: 2 });
  expect(failures).toEqual([]);
  service.fail("BAD_INPUT", 2);
  expect(failures).toMatchObject([{ code: "BAD_INPUT" }]);
});

test("a full table ends its subscription", () => {
  const { service } = follow(1);
  service.send(change("SNAPSHOT", "a", "1"));
  expect(service.running).toBe(1);
  service.send(change("SNAPSHOT", "b", "1"));
  expect(service.running).toBe(0);
});

test("a stopped follower ignores events", () => {
  const { service, table, follower } = follow();
  follower.stop();
  service.send(change("SNAPSHOT", "a", "1"));
  service.end();
  vi.advanceTimersByTime(10_000);
  expect(table.rows.size).toBe(0);
  expect(service.requested).toHaveLength(1);
});
