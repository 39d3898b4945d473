import { longerInterval, type Subscriber } from "./follower";
import type { Failure } from "./health";
import { STATUS_INTERVAL_SECONDS, STATUS_SILENCE_MS } from "./limits";
import { type Status, STATUS } from "./operations";

/** What the service says of itself, about once a second. */
export class Service {
  status: Status | null = null;
  /** When it last said something, or was asked to. */
  heardMs = 0;
  /** Records a second that it read from Kafka, a number for each status. */
  consumed: number[] = [];
  private interval = STATUS_INTERVAL_SECONDS;
  private end: () => void = () => undefined;

  constructor(
    private readonly subscriber: Subscriber,
    private readonly historyMax: number,
    private readonly changed: () => void,
  ) {}

  /** How long it may say nothing. */
  get silenceMs(): number {
    return Math.max(STATUS_SILENCE_MS, this.interval * 3_000);
  }

  follow(): void {
    this.end();
    this.heardMs = Date.now();
    let running = true;
    const again = (delayMs: number) => {
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
          again(this.delayAfter(failure));
        },
        ended: () => {
          again(STATUS_SILENCE_MS);
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
      const seconds = Math.max(0.2, (nowMs - this.heardMs) / 1000);
      const read = positionOf(status) - positionOf(this.status);
      this.consumed.push(Math.max(0, read / seconds));
      if (this.consumed.length > this.historyMax) this.consumed.shift();
    }
    this.status = status;
    this.heardMs = nowMs;
    this.changed();
  }
}

function positionOf({ partitions }: Status): number {
  return partitions.reduce((sum, { position }) => sum + position, 0);
}
