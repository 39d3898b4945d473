import { expect, test } from "vitest";
import { idOf, base64OfText } from "../../src/dashboard/model/bytes";
import { Watches } from "../../src/dashboard/model/watches";
import { change, FakeService, marker } from "./support";

const A = idOf(base64OfText("a"));
const B = idOf(base64OfText("b"));

function watch(...ids: string[]) {
  const service = new FakeService();
  const told: unknown[] = [];
  const watches = new Watches(service, {
    changed: (id, { entry }, live) => told.push([id, entry?.value ?? null, live]),
    missed: (id) => told.push(["missed", id]),
    complete: (id) => told.push(["complete", id]),
    failed: (id, { code }) => told.push([code, id]),
  });
  watches.keep(new Set(ids));
  return { service, told, watches };
}

test("every change of a key is asked for, and told", () => {
  const { service, told } = watch(A);
  expect(service.variables).toMatchObject({ keys: ["YQ=="], interval: null, snapshot: true });
  service.send(change("SNAPSHOT", "a", "1", 0));
  service.send(marker("LIVE", "c1"));
  service.send(change("SET", "a", "2", 1));
  service.send(change("DELETE", "a", null, 2));
  expect(told).toEqual([
    [A, "MQ==", false],
    ["complete", A],
    [A, "Mg==", true],
    [A, null, true],
  ]);
});

test("a key is watched once, however often it is asked for, until it is not any more", () => {
  const { service, watches } = watch(A);
  watches.keep(new Set([A, B]));
  expect(service.asked).toHaveLength(2);
  watches.keep(new Set([B]));
  expect(service.running).toBe(1);
  expect(watches.has(A)).toBe(false);
  expect(watches.has(B)).toBe(true);
});

test("what was missed is told, and when nothing is missed from then on", () => {
  const { service, told, watches } = watch(A);
  service.send(marker("LIVE", "c1"));
  service.send(marker("CONFLATED", "c1"));
  expect(watches.isComplete(A)).toBe(false);
  service.send(change("SET", "a", "9", 8));
  service.send(marker("LIVE", "c9"));
  expect(watches.isComplete(A)).toBe(true);
  expect(told).toEqual([
    ["complete", A],
    ["missed", A],
    [A, "OQ==", true],
    ["complete", A],
  ]);
});

test("a key is known once its snapshot is complete, also where it has no value", () => {
  const { service, watches } = watch(A);
  expect(watches.knows(A)).toBe(false);
  service.send(marker("LIVE", "c1"));
  expect(watches.knows(A)).toBe(true);
  expect(watches.row(A)).toBeUndefined();
});
