import { expect, test } from "vitest";
import { healthOf, knownOf, type Symptoms } from "../../src/dashboard/model/health";
import type { ServiceState, Status } from "../../src/dashboard/model/operations";

const NOW = Date.UTC(2026, 0, 1, 12);

function statusOf(state: ServiceState): Status {
  return {
    name: null,
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

const HEALTHY: Symptoms = {
  connection: { kind: "open" },
  fallback: null,
  phase: "live",
  removed: false,
  behindMs: null,
  failure: null,
  status: statusOf("LIVE"),
  statusMs: NOW,
  silenceMs: 5_000,
};

test("without problems the page is live", () => {
  expect(healthOf(HEALTHY, NOW)).toEqual({
    level: "good",
    word: "Live",
    banner: null,
    stale: false,
  });
});

test("the first connection attempt is not a problem", () => {
  const health = healthOf({ ...HEALTHY, connection: { kind: "connecting", lostMs: null } }, NOW);
  expect(health).toMatchObject({ level: "busy", banner: null });
});

test("a lost connection shows the time of the data and of the next attempt", () => {
  const connection = { kind: "waiting", lostMs: NOW - 5000, retryMs: NOW + 2500 } as const;
  const { banner, stale } = healthOf({ ...HEALTHY, connection }, NOW);
  expect(banner?.title).toBe("Connection lost");
  expect(banner?.text).toMatch(/as of .*:55\. Next attempt in 3 s\./);
  expect(stale).toBe(true);
});

test("a table that the service no longer has is reported as such, and not as a failure", () => {
  const failure = { code: "GRAPHQL_VALIDATION_FAILED", message: "Cannot query field." };
  const { banner, stale } = healthOf({ ...HEALTHY, removed: true, failure, status: null }, NOW);
  expect(banner?.title).toBe("The service no longer has this table");
  expect(stale).toBe(true);
});

test("a service that was never reached is reported as unreachable", () => {
  const connection = { kind: "waiting", lostMs: null, retryMs: NOW } as const;
  expect(healthOf({ ...HEALTHY, connection }, NOW).banner?.title).toMatch(/cannot be reached/);
});

test("a refusal is shown", () => {
  const connection = { kind: "refused", reason: "Because." } as const;
  expect(healthOf({ ...HEALTHY, connection }, NOW)).toMatchObject({
    level: "bad",
    word: "Refused",
  });
});

test.each([
  ["STARTING", "busy"],
  ["WAITING_FOR_BROKER", "bad"],
  ["WAITING_FOR_TOPIC", "bad"],
  ["CATCHING_UP", "busy"],
  ["REBUILDING", "busy"],
  ["STOPPED", "bad"],
] as const)("%s is announced and makes the data stale", (state, level) => {
  const health = healthOf({ ...HEALTHY, status: statusOf(state) }, NOW);
  expect(health).toMatchObject({ level, stale: true });
  expect(health.banner).not.toBeNull();
});

test("a service that catches up shows how many records remain", () => {
  const { banner } = healthOf({ ...HEALTHY, status: statusOf("CATCHING_UP") }, NOW);
  expect(banner?.text).toContain("12,345 records");
});

test("a silent service is reported", () => {
  const { banner } = healthOf({ ...HEALTHY, statusMs: NOW - 7000 }, NOW);
  expect(banner?.title).toBe("No data from the service for 7 s");
});

test("failed updates are reported with their code", () => {
  const failure = { code: "LIMIT_EXCEEDED", message: "Too many." };
  expect(healthOf({ ...HEALTHY, failure }, NOW).banner?.text).toBe("Too many. (LIMIT_EXCEEDED)");
});

test("conflation is not a problem unless it takes long", () => {
  expect(healthOf({ ...HEALTHY, behindMs: NOW - 500 }, NOW).banner).toBeNull();
  expect(healthOf({ ...HEALTHY, behindMs: NOW - 5_000 }, NOW)).toMatchObject({
    stale: true,
    banner: { title: "Catching up" },
  });
});

test("resuming is catching up, and the first load is not stale", () => {
  expect(healthOf({ ...HEALTHY, phase: "resuming" }, NOW)).toMatchObject({ stale: true });
  expect(healthOf({ ...HEALTHY, phase: "loading" }, NOW)).toMatchObject({
    banner: null,
    stale: false,
  });
});

test("without the service nothing is known, without Kafka only what the service knows", () => {
  expect(knownOf(HEALTHY, NOW)).toBe("all");
  expect(knownOf({ ...HEALTHY, status: statusOf("CATCHING_UP") }, NOW)).toBe("all");
  expect(knownOf({ ...HEALTHY, status: statusOf("WAITING_FOR_BROKER") }, NOW)).toBe("service");
  for (const symptoms of [
    { connection: { kind: "connecting", lostMs: NOW } },
    { statusMs: NOW - 7000 },
    { status: null },
  ] as const) {
    expect(knownOf({ ...HEALTHY, ...symptoms }, NOW)).toBe("nothing");
  }
});
