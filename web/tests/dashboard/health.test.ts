import { expect, test } from "vitest";
import { healthOf, type Symptoms } from "../../src/dashboard/model/health";
import type { ServiceState, Status } from "../../src/dashboard/model/operations";

const NOW = Date.UTC(2026, 0, 1, 12);

function statusOf(state: ServiceState): Status {
  return {
    topic: "t",
    ready: true,
    state,
    reason: "a reason",
    since: new Date(NOW - 60_000).toISOString(),
    entries: 1,
    lag: 12_345,
    partitions: [],
    sizes: { databaseBytes: 0, windowChanges: 0 },
    subscribers: 1,
    version: "1",
  };
}

const WELL: Symptoms = {
  connection: { kind: "open" },
  phase: "live",
  behindMs: null,
  failure: null,
  status: statusOf("LIVE"),
  statusMs: NOW,
  silenceMs: 5_000,
};

test("all is well", () => {
  expect(healthOf(WELL, NOW)).toEqual({ level: "good", word: "Live", banner: null, stale: false });
});

test("the first connection is no trouble yet", () => {
  const health = healthOf({ ...WELL, connection: { kind: "connecting", lostMs: null } }, NOW);
  expect(health).toMatchObject({ level: "busy", banner: null });
});

test("a lost connection says as of when, and when it tries again", () => {
  const connection = { kind: "waiting", lostMs: NOW - 5000, retryMs: NOW + 2500 } as const;
  const { banner, stale } = healthOf({ ...WELL, connection }, NOW);
  expect(banner?.title).toBe("Connection lost");
  expect(banner?.text).toMatch(/as of .*:55\. Next attempt in 3 s\./);
  expect(stale).toBe(true);
});

test("a service that was never there cannot be reached", () => {
  const connection = { kind: "waiting", lostMs: null, retryMs: NOW } as const;
  expect(healthOf({ ...WELL, connection }, NOW).banner?.title).toMatch(/cannot be reached/);
});

test("a refusal stands", () => {
  const connection = { kind: "refused", reason: "Because." } as const;
  expect(healthOf({ ...WELL, connection }, NOW)).toMatchObject({ level: "bad", word: "Refused" });
});

test.each([
  ["STARTING", "busy"],
  ["WAITING_FOR_BROKER", "bad"],
  ["WAITING_FOR_TOPIC", "bad"],
  ["CATCHING_UP", "busy"],
  ["REBUILDING", "busy"],
  ["STOPPED", "bad"],
] as const)("%s is announced, and makes what is shown old", (state, level) => {
  const health = healthOf({ ...WELL, status: statusOf(state) }, NOW);
  expect(health).toMatchObject({ level, stale: true });
  expect(health.banner).not.toBeNull();
});

test("a service that catches up says how much is to come", () => {
  const { banner } = healthOf({ ...WELL, status: statusOf("CATCHING_UP") }, NOW);
  expect(banner?.text).toContain("12,345 records");
});

test("silence is noticed", () => {
  const { banner } = healthOf({ ...WELL, statusMs: NOW - 7000 }, NOW);
  expect(banner?.title).toBe("No word from the service for 7 s");
});

test("updates that stopped are noticed, with the code", () => {
  const failure = { code: "LIMIT_EXCEEDED", message: "Too many." };
  expect(healthOf({ ...WELL, failure }, NOW).banner?.text).toBe("Too many. (LIMIT_EXCEEDED)");
});

test("telling only the latest changes is no trouble, unless it takes long", () => {
  expect(healthOf({ ...WELL, behindMs: NOW - 500 }, NOW).banner).toBeNull();
  expect(healthOf({ ...WELL, behindMs: NOW - 5_000 }, NOW)).toMatchObject({
    stale: true,
    banner: { title: "Catching up" },
  });
});

test("resuming is catching up, and a first load is not stale", () => {
  expect(healthOf({ ...WELL, phase: "resuming" }, NOW)).toMatchObject({ stale: true });
  expect(healthOf({ ...WELL, phase: "loading" }, NOW)).toMatchObject({
    banner: null,
    stale: false,
  });
});
