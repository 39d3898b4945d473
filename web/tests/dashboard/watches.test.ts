import { expect, test } from "vitest";
import { idOf, base64OfText } from "../../src/dashboard/model/bytes";
import { Watches } from "../../src/dashboard/model/watches";
import { change, FakeService, marker } from "./support";

const A = idOf(base64OfText("a"));
const B = idOf(base64OfText("b"));

function watch(...ids: string[]) {
  const service = new FakeService();
  const events: unknown[] = [];
  const watches = new Watches(service, {
    changed: (id, { entry }, live) => events.push([id, entry?.value ?? null, live]),
    missed: (id) => events.push(["missed", id]),
    complete: (id) => events.push(["complete", id]),
    failed: (id, { code }) => events.push([code, id]),
  });
  watches.keep(new Set(ids));
  return { service, events, watches };
}

test("every change of a key is requested and reported", () => {
  const { service, events } = watch(A);
  expect(service.variables).toMatchObject({ keys: ["YQ=="], interval: null, snapshot: true });
  service.send(change("SNAPSHOT", "a", "1", 0));
  service.send(marker("LIVE", "c1"));
  service.send(change("SET", "a", "2", 1));
  service.send(change("DELETE", "a", null, 2));
  expect(events).toEqual([
    [A, "MQ==", false],
    ["complete", A],
    [A, "Mg==", true],
    [A, null, true],
  ]);
});

test("a key without an argument is not watched, and changes of another encoding of one are ignored", () => {
  const service = new FakeService();
  const events: unknown[] = [];
  const ignore = () => undefined;
  const watches = new Watches(
    service,
    { changed: (id) => events.push(id), missed: ignore, complete: ignore, failed: ignore },
    (id) => (id === A ? { number: 1 } : undefined),
  );
  watches.keep(new Set([A, B]));
  expect([watches.has(A), watches.has(B)]).toEqual([true, false]);
  expect(service.variables).toMatchObject({ keys: [{ number: 1 }] });
  service.send(change("SNAPSHOT", "another", "1", 0));
  service.send(change("SNAPSHOT", "a", "1", 1));
  service.send(change("SET", "another", "1", 2));
  expect(events).toEqual([A]);
  expect(service.variables).toMatchObject({ after: "c3" });
});

test("a key is watched once, however often it is requested, until it is no longer kept", () => {
  const { service, watches } = watch(A);
  watches.keep(new Set([A, B]));
  expect(service.requested).toHaveLength(2);
  watches.keep(new Set([B]));
  expect(service.running).toBe(1);
  expect(watches.has(A)).toBe(false);
  expect(watches.has(B)).toBe(true);
});

test("missed changes are reported, and that the watch is complete again", () => {
  const { service, events, watches } = watch(A);
  service.send(marker("LIVE", "c1"));
  service.send(marker("CONFLATED", "c1"));
  expect(watches.isComplete(A)).toBe(false);
  service.send(change("SET", "a", "9", 8));
  service.send(marker("LIVE", "c9"));
  expect(watches.isComplete(A)).toBe(true);
  expect(events).toEqual([
    ["complete", A],
    ["missed", A],
    [A, "OQ==", true],
    ["complete", A],
  ]);
});

test("a key is known once its snapshot is complete, even without a value", () => {
  const { service, watches } = watch(A);
  expect(watches.knows(A)).toBe(false);
  service.send(marker("LIVE", "c1"));
  expect(watches.knows(A)).toBe(true);
  expect(watches.row(A)).toBeUndefined();
});
