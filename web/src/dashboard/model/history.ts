import type { Header, Revision, Update } from "./operations";
import type { Recorded } from "./value";

export interface Version extends Recorded {
  partition: number;
  offset: number;
  timestampMs: number | null;
  /** Null if they are not known, as those of a delete that just arrived. */
  headers: readonly Header[] | null;
}

export function versionOf(update: Update): Version {
  const { partition, offset, timestamp, entry } = update;
  return {
    partition: partition ?? 0,
    offset: offset ?? 0,
    timestampMs: timeOf(timestamp),
    raw: entry ? (entry.value ?? "") : null,
    json: entry?.data,
    problem: entry?.problem,
    headers: entry?.headers ?? null,
  };
}

export function pastVersionOf(revision: Revision): Version {
  const { kind, partition, offset, timestamp, value, data, problem, headers } = revision;
  return {
    partition,
    offset,
    timestampMs: timeOf(timestamp),
    raw: kind === "DELETE" ? null : (value ?? ""),
    json: data,
    problem,
    headers,
  };
}

function timeOf(timestamp: string | null): number | null {
  return timestamp === null ? null : Date.parse(timestamp);
}

/** The recent versions of one key, oldest first, without duplicates. */
export class KeyHistory {
  versions: Version[] = [];
  state: "loading" | "loaded" | "failed" = "loading";

  constructor(private readonly versionsMax: number) {}

  push(version: Version): void {
    if (this.has(version)) return;
    this.versions.push(version);
    if (this.versions.length > this.versionsMax) this.versions.shift();
  }

  /** Inserts earlier versions from the service before those that arrived since; returns the new ones. */
  seed(past: Version[]): Version[] {
    const arrived = this.versions;
    const added = past.filter((version) => !this.has(version));
    this.versions = [];
    for (const version of [...past, ...arrived]) this.push(version);
    this.state = "loaded";
    return added;
  }

  /** Returns the version that a record has become. */
  find(partition: number, offset: number): Version | undefined {
    return this.versions.findLast(
      (known) => known.partition === partition && known.offset === offset,
    );
  }

  private has({ partition, offset }: Version): boolean {
    return this.find(partition, offset) !== undefined;
  }
}
