import type { Failure } from "./health";
import { CHANGES, type Update, UPDATES, type UpdatesVariables } from "./operations";
import type { Session } from "./session";
import type { Table } from "./table";

export type Subscriber = Pick<Session, "subscribe">;

export interface Selection {
  /** Arguments that mean keys, as Base64 where they are text; null for none. */
  keys: unknown[] | null;
  prefix: string | null;
  /** Seconds between deliveries of the latest change of each key; null for every change, with its headers. */
  interval: number | null;
}

export interface FollowerEvents {
  update: (update: Update) => void;
  failed: (failure: Failure | null) => void;
}

const RETRY_MS = 1_000;
const RETRY_AFTER_ERROR_MS = 5_000;

/** Keeps one table subscribed. After each interruption, it resumes from the cursor of the table. */
export class Follower {
  private variables: UpdatesVariables;
  private end: () => void = () => undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly subscriber: Subscriber,
    private readonly table: Table,
    private readonly selection: Selection,
    private readonly events: FollowerEvents,
  ) {
    this.variables = { ...this.selection, ...this.table.resumePoint };
  }

  start(): void {
    this.stop();
    let running = true;
    this.variables = { ...this.selection, ...this.table.resumePoint };
    this.table.resume();
    const end = this.subscriber.subscribe(
      {
        document: this.selection.interval === null ? CHANGES : UPDATES,
        variables: this.variables,
      },
      {
        data: ({ updates }) => {
          if (running) this.take(updates);
        },
        failed: (failure) => {
          if (running) this.recover(failure);
        },
        ended: () => {
          if (running) this.retry(RETRY_MS);
        },
      },
    );
    this.end = () => {
      running = false;
      end();
    };
  }

  stop(): void {
    clearTimeout(this.timer);
    this.end();
    this.end = () => undefined;
  }

  private take(update: Update): void {
    this.events.update(update);
    Object.assign(this.variables, this.table.resumePoint);
    if (this.table.phase === "full") this.stop();
  }

  private recover(failure: Failure): void {
    if (failure.code === "BAD_CURSOR" && this.table.cursor !== null) {
      this.table.restart();
      this.retry(RETRY_MS);
      return;
    }
    const interval = longerInterval(this.selection.interval, failure);
    if (interval !== null) {
      this.selection.interval = interval;
      this.start();
      return;
    }
    this.events.failed(failure);
    this.retry(RETRY_AFTER_ERROR_MS);
  }

  private retry(delayMs: number): void {
    this.stop();
    this.timer = setTimeout(() => {
      this.events.failed(null);
      this.start();
    }, delayMs);
  }
}

/** Returns the minimum interval of the service if a shorter one was refused, else null. */
export function longerInterval(requested: number | null, { code, limit }: Failure): number | null {
  return code === "BAD_INPUT" && requested !== null && limit !== undefined && limit > requested
    ? limit
    : null;
}
