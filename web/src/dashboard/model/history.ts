import type { Revision, Update } from "./operations";

export interface Version {
  partition: number;
  offset: number;
  timestampMs: number | null;
  /** Base64; null if the key was deleted. */
  raw: string | null;
}

export function versionOf(update: Update): Version {
  const { partition, offset, timestamp, entry } = update;
  return version(partition ?? 0, offset ?? 0, timestamp, entry ? (entry.value ?? "") : null);
}

export function pastVersionOf({ kind, partition, offset, timestamp, value }: Revision): Version {
  return version(partition, offset, timestamp, kind === "DELETE" ? null : (value ?? ""));
}

function version(
  partition: number,
  offset: number,
  timestamp: string | null,
  raw: string | null,
): Version {
  return {
    partition,
    offset,
    timestampMs: timestamp === null ? null : Date.parse(timestamp),
    raw,
  };
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

  private has({ partition, offset }: Version): boolean {
    return this.versions.some((known) => known.partition === partition && known.offset === offset);
  }
}
