import { longerInterval, type Subscriber } from "./follower";
import type { Failure } from "./health";
import { STATUS_INTERVAL_SECONDS, STATUS_SILENCE_MS } from "./limits";
import { type Status, STATUS } from "./operations";

/** The status of the service, received about once a second. */
export class Service {
  status: Status | null = null;
  /** When a status last arrived or was requested. */
  statusMs = 0;
  /** Records per second that the service read from Kafka, one number per status. */
  consumed: number[] = [];
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
          const [table] = status.tables;
          if (running && table) this.take({ ...status, ...table });
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

  private take(status: Status): void {
    const nowMs = Date.now();
    if (this.status) {
      const seconds = Math.max(0.2, (nowMs - this.statusMs) / 1000);
      const read = positionOf(status) - positionOf(this.status);
      this.consumed.push(Math.max(0, read / seconds));
      if (this.consumed.length > this.historyMax) this.consumed.shift();
    }
    this.status = status;
    this.statusMs = nowMs;
    this.changed();
  }
}

function positionOf({ partitions }: Status): number {
  return partitions.reduce((sum, { position }) => sum + position, 0);
}
