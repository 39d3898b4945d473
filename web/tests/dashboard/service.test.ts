import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { TableStatus } from "../../src/dashboard/model/operations";
import { Service } from "../../src/dashboard/model/service";
import { FakeService } from "./support";

const table = (name: string | null, position: number): TableStatus => ({
  name,
  topic: `topic of ${String(name)}`,
  ready: true,
  state: "LIVE",
  reason: "",
  since: "2026-01-01T00:00:00Z",
  entries: 1,
  lag: 0,
  partitions: [{ partition: 0, position, endOffset: position, lag: 0 }],
  sizes: { databaseBytes: 0, windowChanges: 0 },
});

const whole = (...tables: TableStatus[]) => ({ subscribers: 3, version: "1", tables });

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

test("each table has its own status and rate, in the order of the service", () => {
  const fake = new FakeService();
  const service = new Service(fake, 2, () => undefined);
  service.follow();
  for (const position of [0, 10, 30, 60]) {
    fake.sendStatus(whole(table("orders", position), table("items", 5)));
    vi.advanceTimersByTime(1000);
  }
  expect([...service.tables.keys()]).toEqual(["orders", "items"]);
  expect(service.tables.get("orders")?.consumed).toEqual([20, 30]);
  expect(service.tables.get("items")?.consumed).toEqual([0, 0]);
  expect(service.statusOf("items")).toMatchObject({ topic: "topic of items", subscribers: 3 });
});

test("nothing is known of a table that the service does not serve any more", () => {
  const fake = new FakeService();
  const service = new Service(fake, 2, () => undefined);
  service.follow();
  expect(service.statusOf(null)).toBeNull();
  fake.sendStatus(whole(table("orders", 0), table("items", 0)));
  fake.sendStatus(whole(table("items", 0)));
  expect(service.statusOf("orders")).toBeNull();
  expect([...service.tables.keys()]).toEqual(["items"]);
});
