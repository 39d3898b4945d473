/** Every document this page sends, with the types of what comes back. */

export type UpdateKind =
  "SET" | "DELETE" | "SNAPSHOT" | "CONFLATED" | "RESET" | "LIVE" | "PROGRESS";

/** `key` and `value` are Base64; all but `kind` and `cursor` are null in markers, `entry` also in a DELETE. */
export interface Update {
  kind: UpdateKind;
  cursor: string;
  key: string | null;
  partition: number | null;
  offset: number | null;
  timestamp: string | null;
  entry: { value: string | null } | null;
}

// eslint-disable-next-line @typescript-eslint/consistent-type-definitions -- graphql-ws wants an index signature
export type UpdatesVariables = {
  keys: string[] | null;
  prefix: string | null;
  after: string | null;
  snapshot: boolean;
};

export const UPDATES = `subscription Updates($keys: [String!], $prefix: String, $after: Cursor, $snapshot: Boolean!) {
  updates(
    keys: $keys
    prefix: $prefix
    keyEncoding: BASE64
    after: $after
    snapshot: $snapshot
    progress: true
  ) {
    kind
    cursor
    key(encoding: BASE64)
    partition
    offset
    timestamp
    entry {
      value(encoding: BASE64)
    }
  }
}`;

export type ServiceState =
  | "STARTING"
  | "WAITING_FOR_BROKER"
  | "WAITING_FOR_TOPIC"
  | "CATCHING_UP"
  | "LIVE"
  | "RECONCILING"
  | "STOPPED";

export interface PartitionStatus {
  partition: number;
  position: number;
  endOffset: number;
  lag: number;
}

export interface Status {
  topic: string;
  ready: boolean;
  state: ServiceState;
  reason: string;
  since: string;
  entries: number;
  lag: number;
  partitions: PartitionStatus[];
  sizes: { databaseBytes: number; windowChanges: number };
  version: string;
}

export const STATUS = `subscription Status($interval: Float!) {
  status(interval: $interval) {
    topic
    ready
    state
    reason
    since
    entries
    lag
    partitions {
      partition
      position
      endOffset
      lag
    }
    sizes {
      databaseBytes
      windowChanges
    }
    version
  }
}`;

export type PastUpdate = Omit<Update, "cursor" | "key">;

export interface Past {
  value: { history: PastUpdate[] } | null;
}

export const HISTORY = `query History($key: String!, $last: Int!) {
  value(key: $key, keyEncoding: BASE64) {
    history(last: $last) {
      kind
      partition
      offset
      timestamp
      entry {
        value(encoding: BASE64)
      }
    }
  }
}`;
