import { formatCount, formatTime } from "./format";
import { BEHIND_MS_MAX } from "./limits";
import type { Status } from "./operations";
import type { Phase } from "./table";

/** The WebSocket. `lostMs` is when it was last open, null before the first time. */
export type Connection =
  | { kind: "connecting"; lostMs: number | null }
  | { kind: "open" }
  | { kind: "waiting"; lostMs: number | null; retryMs: number }
  | { kind: "refused"; reason: string };

export interface Failure {
  code: string;
  message: string;
  /** The least or the most that is allowed, where the failure is about that. */
  limit?: number | undefined;
}

export interface Symptoms {
  connection: Connection;
  phase: Phase;
  /** Since when the latest of many changes are being told; null while each is. */
  behindMs: number | null;
  failure: Failure | null;
  status: Status | null;
  statusMs: number;
  /** How long the service may say nothing. */
  silenceMs: number;
}

export interface Health {
  level: "good" | "busy" | "bad";
  /** One or two words for the strip. */
  word: string;
  /** Null where nothing needs to be said. */
  banner: { title: string; text: string } | null;
  /** Whether what is shown may be older than what Kafka holds. */
  stale: boolean;
}

/** What to tell the reader: the nearest trouble first, for it hides those behind it. */
export function healthOf(symptoms: Symptoms, nowMs: number): Health {
  return (
    ofConnection(symptoms.connection, nowMs) ??
    ofFailure(symptoms.failure) ??
    ofService(symptoms, nowMs) ??
    ofFeed(symptoms, nowMs)
  );
}

function ofConnection(connection: Connection, nowMs: number): Health | null {
  if (connection.kind === "open") return null;
  if (connection.kind === "refused") {
    return trouble("bad", "Refused", "The service refused this page", connection.reason);
  }
  if (connection.kind === "connecting" && connection.lostMs === null) {
    return { level: "busy", word: "Connecting", banner: null, stale: true };
  }
  const title = connection.lostMs === null ? "The service cannot be reached" : "Connection lost";
  const since =
    connection.lostMs === null
      ? "Nothing is shown yet."
      : `What you see is as of ${formatTime(connection.lostMs, nowMs)}.`;
  return trouble("bad", "Offline", title, `${since} ${nextAttempt(connection, nowMs)}`);
}

function nextAttempt(connection: Connection, nowMs: number): string {
  if (connection.kind !== "waiting") return "Connecting…";
  const seconds = Math.max(1, Math.ceil((connection.retryMs - nowMs) / 1000));
  return `Next attempt in ${String(seconds)} s.`;
}

function ofFailure(failure: Failure | null): Health | null {
  if (!failure) return null;
  return trouble("bad", "No updates", "Updates stopped", `${failure.message} (${failure.code})`);
}

function ofService({ status, statusMs, silenceMs }: Symptoms, nowMs: number): Health | null {
  if (!status) return null;
  if (nowMs - statusMs > silenceMs) {
    const seconds = Math.round((nowMs - statusMs) / 1000);
    const text = `What you see is as of ${formatTime(statusMs, nowMs)}.`;
    return trouble("bad", "Silent", `No word from the service for ${String(seconds)} s`, text);
  }
  const since = formatTime(Date.parse(status.since), nowMs);
  const reason = sentence(status.reason);
  switch (status.state) {
    case "LIVE":
      return null;
    case "STARTING":
      return trouble("busy", "Starting", "The service is starting", reason);
    case "WAITING_FOR_BROKER":
      return trouble("bad", "Kafka away", "Kafka is away", `Values are as of ${since}. ${reason}`);
    case "WAITING_FOR_TOPIC":
      return trouble("bad", "No topic", "The topic is not there", `Since ${since}. ${reason}`);
    case "CATCHING_UP": {
      const text = `${formatCount(status.lag)} records to go. Values may be old until then.`;
      return trouble("busy", "Catching up", "The service is catching up with Kafka", text);
    }
    case "REBUILDING":
      return trouble("busy", "Rebuilding", "The service is rebuilding its table", reason);
    case "STOPPED":
      return trouble("bad", "Stopped", "The service has stopped reading Kafka", reason);
  }
}

function ofFeed({ phase, behindMs }: Symptoms, nowMs: number): Health {
  if (phase === "resuming" || (behindMs !== null && nowMs - behindMs > BEHIND_MS_MAX)) {
    return trouble("busy", "Catching up", "Catching up", "Fetching what changed meanwhile.");
  }
  if (phase === "loading") return { level: "busy", word: "Loading", banner: null, stale: false };
  return { level: "good", word: "Live", banner: null, stale: false };
}

function trouble(level: Health["level"], word: string, title: string, text: string): Health {
  return { level, word, banner: { title, text: text.trim() }, stale: true };
}

function sentence(text: string): string {
  if (text === "") return "";
  const start = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(start) ? start : `${start}.`;
}
