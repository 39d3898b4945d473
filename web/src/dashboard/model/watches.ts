import { base64OfId, idOf } from "./bytes";
import { Follower, type Subscriber } from "./follower";
import type { Failure } from "./health";
import type { Update } from "./operations";
import { type Row, Table } from "./table";

export interface WatchEvents {
  /** The key was set or deleted. `live` is false for a snapshot. */
  changed: (id: string, update: Update, live: boolean) => void;
  /** Changes may have been missed. */
  missed: (id: string) => void;
  /** No change is missed from now on; earlier ones may have been. */
  complete: (id: string) => void;
  failed: (id: string, failure: Failure) => void;
}

interface Watch {
  table: Table;
  follower: Follower;
  missing: boolean;
}

const ONE_KEY = { keysMax: 1, valueCharactersMax: Number.POSITIVE_INFINITY };

/** Keys whose every change counts. Each key has its own subscription, so that none affects another. */
export class Watches {
  private readonly watches = new Map<string, Watch>();

  constructor(
    private readonly subscriber: Subscriber,
    private readonly events: WatchEvents,
    /** Returns the argument that means a key; undefined if none is known. */
    private readonly argumentOf: (id: string) => unknown = base64OfId,
  ) {}

  /** Watches exactly these keys, as far as there are arguments that mean them. */
  keep(ids: ReadonlySet<string>): void {
    for (const [id, { follower }] of this.watches) {
      if (ids.has(id)) continue;
      follower.stop();
      this.watches.delete(id);
    }
    for (const id of ids) {
      const argument = this.argumentOf(id);
      if (argument !== undefined && !this.watches.has(id)) this.add(id, argument);
    }
  }

  /** The connection was replaced: subscribe again. */
  restart(): void {
    for (const { follower } of this.watches.values()) follower.start();
  }

  /** The connection is open again, and the subscriptions resume by themselves. */
  resume(): void {
    for (const { table } of this.watches.values()) table.resume();
  }

  has(id: string): boolean {
    return this.watches.has(id);
  }

  row(id: string): Row | undefined {
    return this.watches.get(id)?.table.rows.get(id);
  }

  /** Tells whether the value of the key is known; then a missing row means that there is no value. */
  knows(id: string): boolean {
    const phase = this.watches.get(id)?.table.phase;
    return phase === "live" || phase === "resuming";
  }

  /** Tells whether no change has been missed since `complete`. */
  isComplete(id: string): boolean {
    return this.watches.get(id)?.missing === false;
  }

  private add(id: string, argument: unknown): void {
    const table = new Table(ONE_KEY);
    const selection = { keys: [argument], prefix: null, interval: null };
    const follower = new Follower(this.subscriber, table, selection, {
      update: (update) => {
        this.take(id, watch, update);
      },
      failed: (failure) => {
        if (failure) this.events.failed(id, failure);
      },
    });
    const watch: Watch = { table, follower, missing: true };
    this.watches.set(id, watch);
    follower.start();
  }

  private take(id: string, watch: Watch, update: Update): void {
    if (update.key !== null && idOf(update.key) !== id) {
      // A typed key means all of its encodings, each of which is a key of its own here.
      watch.table.cursor = update.cursor;
      return;
    }
    const live = watch.table.phase === "live" && update.kind !== "SNAPSHOT";
    watch.table.apply(update, Date.now());
    if (update.key !== null) this.events.changed(id, update, live);
    else if (update.kind === "RESET" || update.kind === "CONFLATED") {
      watch.missing = true;
      this.events.missed(id);
    } else if (update.kind === "LIVE" && watch.missing) {
      watch.missing = false;
      this.events.complete(id);
    }
  }
}
