import { Follower, type Subscriber } from "./follower";
import { TABLE_INTERVAL_SECONDS } from "./limits";
import type { Update } from "./operations";
import { type Row, Table } from "./table";

/** The rows of pinned keys that the main table does not cover, in a subscription of their own. */
export class PinnedRows {
  table: Table;
  /** The previous table, shown until the new one is complete. */
  private fading: Table | null = null;
  private name = "";
  private follower: Follower | null = null;

  constructor(
    private readonly subscriber: Subscriber,
    private readonly newTable: () => Table,
    private readonly take: (table: Table, update: Update) => void,
  ) {
    this.table = newTable();
  }

  row(id: string): Row | undefined {
    return this.table.rows.get(id) ?? this.fading?.rows.get(id);
  }

  /** Subscribes to exactly these keys, by the arguments that mean them; again only if they changed or `force`. */
  follow(keys: unknown[], force: boolean): void {
    const name = JSON.stringify(keys);
    if (name === this.name && !force) return;
    this.name = name;
    this.follower?.stop();
    this.follower = null;
    this.fading = this.table;
    const table = (this.table = this.newTable());
    if (keys.length === 0) return;
    const update = (update: Update) => {
      this.take(table, update);
      if (table.phase === "live") this.fading = null;
    };
    const selection = { keys, prefix: null, interval: TABLE_INTERVAL_SECONDS };
    this.follower = new Follower(this.subscriber, table, selection, {
      update,
      failed: () => undefined,
    });
    this.follower.start();
  }
}
