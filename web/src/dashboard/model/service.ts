import { longerInterval, type Subscriber } from "./follower";
import type { Failure } from "./health";
import { STATUS_INTERVAL_SECONDS, STATUS_SILENCE_MS } from "./limits";
import { type ServiceStatus, type Status, STATUS, type TableStatus } from "./operations";

/** One of the tables that the service serves. */
export interface ServedTable {
  status: TableStatus;
  /** Records per second that the service read from Kafka for it, one number per status. */
  consumed: number[];
}

/** The status of the service, received about once a second. */
export class Service {
  /** By name, in the order of the service; null is the name of its only table. */
  tables = new Map<string | null, ServedTable>();
  /** When a status last arrived or was requested. */
  statusMs = 0;
  private whole: ServiceStatus | null = null;
  private interval = STATUS_INTERVAL_SECONDS;
  private end: () => void = () => undefined;

  constructor(
    private readonly subscriber: Subscriber,
    private readonly historyMax: number,
    private readonly changed: () => void,
  ) {}

  /** Maximum time without a status. */
  get silenceMs(): number {
    return Math.max(STATUS_SILENCE_MS, this.interval * 3_000);
  }

  /** Returns the status of the service with that of a table, or null if it is not known. */
  statusOf(name: string | null): Status | null {
    const table = this.tables.get(name);
    return this.whole && table ? { ...this.whole, ...table.status } : null;
  }

  follow(): void {
    this.end();
    this.statusMs = Date.now();
    let running = true;
    const retry = (delayMs: number) => {
      if (!running) return;
      running = false;
      setTimeout(() => {
        this.follow();
      }, delayMs);
    };
    const end = this.subscriber.subscribe(
      { document: STATUS, variables: { interval: this.interval } },
      {
        data: ({ status }) => {
          if (running) this.take(status);
        },
        failed: (failure) => {
          retry(this.delayAfter(failure));
        },
        ended: () => {
          retry(STATUS_SILENCE_MS);
        },
      },
    );
    this.end = () => {
      running = false;
      end();
    };
  }

  private delayAfter(failure: Failure): number {
    const interval = longerInterval(this.interval, failure);
    this.interval = interval ?? this.interval;
    return interval === null ? STATUS_SILENCE_MS : 0;
  }

  private take(status: ServiceStatus): void {
    const nowMs = Date.now();
    const seconds = Math.max(0.2, (nowMs - this.statusMs) / 1000);
    const before = this.tables;
    this.tables = new Map(
      status.tables.map((table) => [
        table.name,
        this.after(before.get(table.name), table, seconds),
      ]),
    );
    this.whole = status;
    this.statusMs = nowMs;
    this.changed();
  }

  private after(
    before: ServedTable | undefined,
    status: TableStatus,
    seconds: number,
  ): ServedTable {
    if (!before) return { status, consumed: [] };
    const { consumed } = before;
    const read = positionOf(status) - positionOf(before.status);
    consumed.push(Math.max(0, read / seconds));
    if (consumed.length > this.historyMax) consumed.shift();
    return { status, consumed };
  }
}

function positionOf({ partitions }: TableStatus): number {
  return partitions.reduce((sum, { position }) => sum + position, 0);
}
