import { formatCount, formatTime } from "./format";
import { BEHIND_MS_MAX } from "./limits";
import type { ServiceState, Status, TableStatus } from "./operations";
import type { Phase } from "./table";

/** State of the WebSocket. `lostMs` is when it was last open, or null if it never was. */
export type Connection =
  | { kind: "connecting"; lostMs: number | null }
  | { kind: "open" }
  | { kind: "waiting"; lostMs: number | null; retryMs: number }
  | { kind: "refused"; reason: string };

export interface Failure {
  code: string;
  message: string;
  /** The minimum or maximum that is allowed, if the failure is about a limit. */
  limit?: number | undefined;
}

export interface Symptoms {
  connection: Connection;
  /** Why event streams replace the WebSocket; null while they do not. */
  fallback: string | null;
  phase: Phase;
  /** Whether the service no longer has the table of the page. */
  removed: boolean;
  /** Since when the service sends only the latest of many changes; null while it sends each change. */
  behindMs: number | null;
  failure: Failure | null;
  status: Status | null;
  statusMs: number;
  /** Maximum time without a status from the service. */
  silenceMs: number;
}

export interface Health {
  level: "good" | "busy" | "bad";
  /** One or two words for the strip. */
  word: string;
  /** Null if everything is fine. */
  banner: { title: string; text: string } | null;
  /** Whether the data on the page may be older than in Kafka. */
  stale: boolean;
}

/** How the states look at a glance: a level, and one or two words. */
export const MARKS = {
  STARTING: ["busy", "Starting"],
  WAITING_FOR_BROKER: ["bad", "No Kafka"],
  WAITING_FOR_TOPIC: ["bad", "No topic"],
  CATCHING_UP: ["busy", "Catching up"],
  LIVE: ["good", "Live"],
  REBUILDING: ["busy", "Rebuilding"],
  STOPPED: ["bad", "Stopped"],
} as const satisfies Record<ServiceState, [Health["level"], string]>;

/** States in which the service does not know the end of the topic, nor reads it. */
const WITHOUT_KAFKA: readonly ServiceState[] = [
  "STARTING",
  "WAITING_FOR_BROKER",
  "WAITING_FOR_TOPIC",
  "STOPPED",
];

/**
 * What the page can know now; figures about the rest are unknown. `nothing`: the service does not talk to the page. `service`:
 * Kafka does not talk to the service.
 */
export type Known = "nothing" | "service" | "all";

export function knownOf(
  {
    connection,
    status,
    statusMs,
    silenceMs,
  }: Omit<Symptoms, "status"> & { status: TableStatus | null },
  nowMs: number,
): Known {
  if (connection.kind !== "open" || !status || nowMs - statusMs > silenceMs) return "nothing";
  return WITHOUT_KAFKA.includes(status.state) ? "service" : "all";
}

/** Returns the problem nearest to the page, since it hides those behind it. */
export function healthOf(symptoms: Symptoms, nowMs: number): Health {
  return (
    ofConnection(symptoms.connection, nowMs) ??
    ofRemoval(symptoms.removed) ??
    ofFailure(symptoms.failure) ??
    ofService(symptoms, nowMs) ??
    ofFeed(symptoms, nowMs)
  );
}

function ofConnection(connection: Connection, nowMs: number): Health | null {
  if (connection.kind === "open") return null;
  if (connection.kind === "refused") {
    return problem("bad", "Refused", "The service refused this page", connection.reason);
  }
  if (connection.kind === "connecting" && connection.lostMs === null) {
    return { level: "busy", word: "Connecting", banner: null, stale: true };
  }
  const title = connection.lostMs === null ? "The service cannot be reached" : "Connection lost";
  const since =
    connection.lostMs === null
      ? "There is no data yet."
      : `The page shows data as of ${formatTime(connection.lostMs, nowMs)}.`;
  return problem("bad", "Offline", title, `${since} ${nextAttempt(connection, nowMs)}`);
}

function nextAttempt(connection: Connection, nowMs: number): string {
  if (connection.kind !== "waiting") return "Connecting…";
  const seconds = Math.max(1, Math.ceil((connection.retryMs - nowMs) / 1000));
  return `Next attempt in ${String(seconds)} s.`;
}

function ofRemoval(removed: boolean): Health | null {
  if (!removed) return null;
  const text = "The page shows its last values. Choose another table above.";
  return problem("bad", "Removed", "The service no longer has this table", text);
}

function ofFailure(failure: Failure | null): Health | null {
  if (!failure) return null;
  return problem("bad", "No updates", "Updates stopped", `${failure.message} (${failure.code})`);
}

function ofService({ status, statusMs, silenceMs }: Symptoms, nowMs: number): Health | null {
  if (!status) return null;
  if (nowMs - statusMs > silenceMs) {
    const seconds = Math.round((nowMs - statusMs) / 1000);
    const text = `The page shows data as of ${formatTime(statusMs, nowMs)}.`;
    return problem("bad", "Silent", `No data from the service for ${String(seconds)} s`, text);
  }
  const since = formatTime(Date.parse(status.since), nowMs);
  const reason = sentence(status.reason);
  switch (status.state) {
    case "LIVE":
      return null;
    case "STARTING":
      return problem(...MARKS.STARTING, "The service is starting", reason);
    case "WAITING_FOR_BROKER":
      return problem(
        ...MARKS.WAITING_FOR_BROKER,
        "Kafka is unreachable",
        `Values are as of ${since}. ${reason}`,
      );
    case "WAITING_FOR_TOPIC":
      return problem(
        ...MARKS.WAITING_FOR_TOPIC,
        "The topic is missing",
        `Since ${since}. ${reason}`,
      );
    case "CATCHING_UP": {
      const text = `${formatCount(status.lag)} records remaining. Until then, values may be stale.`;
      return problem(...MARKS.CATCHING_UP, "The service is catching up with Kafka", text);
    }
    case "REBUILDING":
      return problem(...MARKS.REBUILDING, "The service is rebuilding its table", reason);
    case "STOPPED":
      return problem(...MARKS.STOPPED, "The service has stopped reading Kafka", reason);
  }
}

function ofFeed({ phase, behindMs, fallback }: Symptoms, nowMs: number): Health {
  if (phase === "resuming" || (behindMs !== null && nowMs - behindMs > BEHIND_MS_MAX)) {
    return problem("busy", "Catching up", "Catching up", "Loading missed changes.");
  }
  if (phase === "loading") return { level: "busy", word: "Loading", banner: null, stale: false };
  const banner =
    fallback === null ? null : { title: "Updates come as event streams", text: fallback };
  return { level: "good", word: "Live", banner, stale: false };
}

function problem(level: Health["level"], word: string, title: string, text: string): Health {
  return { level, word, banner: { title, text: text.trim() }, stale: true };
}

function sentence(text: string): string {
  if (text === "") return "";
  const start = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(start) ? start : `${start}.`;
}
