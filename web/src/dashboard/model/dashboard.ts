import type { Access } from "../../access/access";
import type { Endpoint } from "../../graphiql/endpoint";
import { base64OfId, base64OfText, keyOf, nodeIdOf } from "./bytes";
import { Follower } from "./follower";
import { type Failure, type Health, healthOf, type Known, knownOf, type Symptoms } from "./health";
import { KeyHistory, pastVersionOf, versionOf } from "./history";
import * as limits from "./limits";
import { linkAmong, type LinkState, parseLink } from "./link";
import { LinkKeys } from "./linkKeys";
import { Listing } from "./listing";
import { HISTORY, type Status, type TableStatus, type Update } from "./operations";
import { PinnedRows } from "./pinnedRows";
import { SecondCounter } from "./rates";
import { Recorder } from "./recorder";
import { Scheduler } from "./scheduler";
import { nextScope, suggestPrefixes, type Suggestion } from "./scope";
import { Service } from "./service";
import { Session, type SessionEvents } from "./session";
import { type Row, Table } from "./table";
import { type WatchEvents, Watches } from "./watches";

const COUNTED_SECONDS = 60;
const SUGGESTIONS_MAX = 12;

/** The key in the detail panel. */
export interface Selected {
  id: string;
  history: KeyHistory;
  changes: SecondCounter;
}

/** The fixed time range of the plots; null while they follow the present. */
export type TimeRange = { fromMs: number; toMs: number } | null;

/** The state of the page, independent of its views. */
export class Dashboard {
  readonly scheduler = new Scheduler();
  readonly recorder = new Recorder({
    pointsMax: limits.POINTS_MAX,
    spacingMs: limits.POINT_SPACING_MS,
  });
  readonly received = new SecondCounter(COUNTED_SECONDS);
  readonly session: Session;
  main = newTable();
  readonly listing = new Listing();
  suggestions: Suggestion[] = [];
  selected: Selected | null = null;
  range: TimeRange = null;
  readonly service: Service;
  /** The keys of the link, by their ids. */
  readonly keys: LinkKeys;
  failure: Failure | null = null;
  /** Whether the tables of the service are known, and one of them is followed. */
  private begun = false;
  private learning = false;
  private learnedMs = 0;
  private scope: string;
  private mainFollower: Follower | null = null;
  private readonly pinned: PinnedRows;
  private readonly watches: Watches;
  /** Followed keys that no watch can be asked for, so that their changes come with those of all keys. */
  private unwatched = new Set<string>();

  constructor(
    endpoint: Endpoint,
    readonly access: Access,
    public link: LinkState,
    private readonly writeLink: (link: LinkState, push: boolean) => void,
  ) {
    this.scope = link.prefix;
    const sessionEvents: SessionEvents = {
      changed: () => {
        this.scheduler.hurry();
      },
      reconnected: () => {
        this.service.statusMs = Date.now();
        this.main.resume();
        this.pinned.table.resume();
        this.watches.resume();
      },
      restarted: () => {
        this.service.follow();
        if (this.begun) void this.learn();
      },
    };
    this.session = new Session(endpoint, sessionEvents, access);
    this.service = new Service(this.session, COUNTED_SECONDS, () => {
      if (!this.begun) this.begin();
      this.scheduler.invalidate();
    });
    this.keys = new LinkKeys(
      this.session,
      (id) => this.row(id),
      () => {
        this.apply();
      },
    );
    const watchEvents: WatchEvents = {
      changed: (id, update, live) => {
        this.record(id, update, live);
      },
      missed: (id) => {
        this.recorder.gap(id, Date.now());
      },
      complete: (id) => {
        if (this.selected?.id === id) void this.loadHistory(this.selected);
        this.scheduler.invalidate();
      },
      failed: (id) => {
        if (this.selected?.id === id) this.selected.history.state = "failed";
        this.scheduler.invalidate();
      },
    };
    this.watches = new Watches(this.session, watchEvents, (id) => this.keys.argumentOf(id));
    this.pinned = new PinnedRows(this.session, newTable, (table, update) => {
      this.take(table, update);
    });
    this.service.follow();
    this.apply();
    setInterval(() => {
      this.tick();
    }, 500);
  }

  health(nowMs: number): Health {
    return healthOf(this.symptoms, nowMs);
  }

  /** Returns what is known of a table, by its status; by default of the one that is shown. */
  known(nowMs: number, status: TableStatus | null = this.status): Known {
    return knownOf({ ...this.symptoms, status }, nowMs);
  }

  get status(): Status | null {
    return this.service.statusOf(this.session.table);
  }

  /** Whether the service was started again without the table that is shown. */
  get removed(): boolean {
    return this.begun && !this.service.tables.has(this.session.table);
  }

  /** Records per second that the service read from Kafka for the table that is shown. */
  get consumed(): readonly number[] {
    return this.service.tables.get(this.session.table)?.consumed ?? [];
  }

  row(id: string): Row | undefined {
    if (this.watches.knows(id)) return this.watches.row(id);
    return this.main.rows.get(id) ?? this.pinned.row(id);
  }

  /** Tells whether the value of a key is known; then a missing row means that there is no value. */
  knows(id: string): boolean {
    if (this.watches.has(id)) return this.watches.knows(id);
    const table = this.covers(keyOf(base64OfId(id))) ? this.main : this.pinned.table;
    return table.phase === "live" || table.phase === "resuming";
  }

  /** Changes a part of the link; `push` adds an entry to the browser history. */
  change(part: Partial<LinkState>, push = false): void {
    this.link = { ...this.link, ...part };
    this.writeLink(this.link, push);
    this.apply();
  }

  /** The user navigated in the browser history. */
  open(search: string): void {
    this.link = { ...parseLink(search), table: this.link.table };
    this.apply();
  }

  /** Opens the entry whose key a user writes; returns what is wrong with it, if anything. */
  async lookUp(text: string): Promise<string> {
    try {
      const id = await this.keys.lookUp(text);
      if (id === null) return "There is no entry with this key.";
      this.change({ key: id }, true);
      return "";
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  setRange(range: TimeRange): void {
    this.range = range;
    this.scheduler.hurry();
  }

  /** Loads the headers of deletes of the selected key, which only the history has. */
  completeHistory(): void {
    if (this.selected) void this.loadHistory(this.selected);
  }

  /** Refreshes the listing at a limited rate. */
  refresh(nowMs: number): void {
    this.listing.refresh(this.main, this.link.prefix, this.link.sort, nowMs);
  }

  private get symptoms(): Symptoms {
    const { connection, fallback } = this.session;
    const { phase, behindMs } = this.main;
    const { statusMs, silenceMs } = this.service;
    const { failure, status, removed } = this;
    return { connection, fallback, phase, removed, behindMs, failure, status, statusMs, silenceMs };
  }

  /** The service named its tables: follows the one of the link. Another one is a page of its own. */
  private begin(): void {
    this.begun = true;
    const link = linkAmong(this.link, [...this.service.tables.keys()]);
    if (link !== this.link) this.writeLink(link, false);
    this.link = link;
    this.session.table = link.table;
    this.scope = this.link.prefix;
    void this.learn();
  }

  /** Learns the types of the table, and follows it; without them, if the service does not tell. */
  private async learn(): Promise<void> {
    this.learning = true;
    await this.session.learn().catch(() => undefined);
    this.learning = false;
    this.forgetPrefix();
    this.keys.keep(new Set([...this.followed, ...this.link.pins]));
    this.follow();
    this.followPins(true);
    this.watches.restart();
    this.apply();
  }

  /** Typed keys have no prefixes. */
  private forgetPrefix(): void {
    if (this.session.shape.keys === null || this.link.prefix === "") return;
    this.link = { ...this.link, prefix: "" };
    this.scope = "";
    this.writeLink(this.link, false);
  }

  private learnAgain(): void {
    const nowMs = Date.now();
    if (nowMs - this.learnedMs < limits.LEARN_AGAIN_MS) return;
    this.learnedMs = nowMs;
    void this.learn();
  }

  /** Applies the link. */
  private apply(): void {
    if (!this.begun || this.learning) {
      this.scheduler.hurry();
      return;
    }
    this.forgetPrefix();
    this.keys.keep(new Set([...this.followed, ...this.link.pins]));
    const scope = nextScope(this.scope, this.link.prefix, this.main.phase === "full");
    if (scope !== this.scope) {
      this.scope = scope;
      this.main = newTable();
      this.listing.restart();
      this.failure = null;
      this.follow();
    }
    this.followPins(false);
    this.watch();
    this.listing.request();
    this.scheduler.hurry();
  }

  private follow(): void {
    this.mainFollower?.stop();
    const table = this.main;
    const prefix = this.scope === "" ? null : base64OfText(this.scope);
    this.mainFollower = new Follower(
      this.session,
      table,
      { keys: null, prefix, interval: limits.TABLE_INTERVAL_SECONDS },
      {
        update: (update) => {
          this.take(table, update);
        },
        failed: (failure) => {
          this.failure = failure;
          // The schema of the values has changed.
          if (failure?.code === "GRAPHQL_VALIDATION_FAILED") this.learnAgain();
          this.scheduler.invalidate();
        },
      },
    );
    this.mainFollower.start();
  }

  /** Watches the plotted keys and the selected one, which need every change for plots and history. */
  private watch(): void {
    const { charts, key } = this.link;
    const added = this.recorder.keep(charts);
    const followed = this.followed;
    this.watches.keep(followed);
    this.unwatched = new Set([...followed].filter((id) => !this.watches.has(id)));
    for (const id of added) void this.seedPlots(id);
    if (this.selected?.id !== (key ?? undefined)) this.select(key);
  }

  /** The plotted keys and the selected one. */
  private get followed(): Set<string> {
    const { charts, key } = this.link;
    return new Set([...charts.flat().map(({ id }) => id), ...(key === null ? [] : [key])]);
  }

  /** Subscribes to pinned keys outside of the scope. */
  private followPins(force: boolean): void {
    const pins = this.link.pins.filter((id) => !this.covers(keyOf(base64OfId(id))));
    const keys = pins.map((id) => this.keys.argumentOf(id)).filter((key) => key !== undefined);
    this.pinned.follow(keys, force);
  }

  private covers(key: string): boolean {
    return this.main.phase !== "full" && key.startsWith(this.scope);
  }

  private take(table: Table, update: Update): void {
    const nowMs = Date.now();
    const row = table.apply(update, nowMs);
    if (table === this.main) {
      if (table.phase === "full") this.giveUp();
      else if (row && update.kind !== "SNAPSHOT") this.received.add(nowMs);
    }
    if (row && update.kind !== "SNAPSHOT" && table.phase === "live") {
      this.recorder.clock.timeOf(row.timestampMs, nowMs);
    }
    if (row && this.unwatched.has(row.id)) this.catchUp(row.id, update);
    this.scheduler.invalidate();
  }

  /** A followed key without a watch has changed: it can be watched from now on, or nothing in requests means it. */
  private catchUp(id: string, update: Update): void {
    this.watch();
    if (!this.watches.has(id)) this.record(id, update, update.kind !== "SNAPSHOT");
  }

  private record(id: string, update: Update, live: boolean): void {
    const nowMs = Date.now();
    const version = versionOf(update);
    this.recorder.record(id, version, nowMs, live);
    if (this.selected?.id === id) {
      this.selected.history.push(version);
      if (live) this.selected.changes.add(nowMs);
    }
    this.scheduler.invalidate();
  }

  /** Drops all rows if there are too many, and suggests prefixes. */
  private giveUp(): void {
    const keys = Array.from(this.main.rows.values(), ({ key }) => key);
    if (this.session.shape.keys === null)
      this.suggestions = suggestPrefixes(keys, this.scope, SUGGESTIONS_MAX);
    this.main.rows.clear();
    this.main.added.length = 0;
    this.main.removed.clear();
    this.listing.restart();
    this.followPins(false);
  }

  private select(id: string | null): void {
    this.selected = id === null ? null : newSelected(id);
    if (!this.selected) return;
    // Otherwise the history is loaded once the watch is complete.
    if (!this.watches.has(this.selected.id) || this.watches.isComplete(this.selected.id)) {
      void this.loadHistory(this.selected);
    }
  }

  private async loadHistory(selected: Selected): Promise<void> {
    const { history, id } = selected;
    try {
      const past = await this.past(id);
      const skewMs = this.recorder.clock.now(0);
      for (const { timestampMs } of history.seed(past)) {
        if (timestampMs !== null) selected.changes.add(timestampMs - skewMs);
      }
    } catch {
      history.state = "failed";
    }
    this.scheduler.invalidate();
  }

  private async seedPlots(id: string): Promise<void> {
    const row = this.row(id);
    if (row) {
      const { partition, offset, timestampMs, raw, json } = row;
      const version = { partition, offset, timestampMs, raw, json, headers: null };
      this.recorder.record(id, version, Date.now(), false);
    }
    try {
      this.recorder.seed(id, await this.past(id));
      this.scheduler.invalidate();
    } catch {
      // The plot starts with the next change.
    }
  }

  private async past(id: string) {
    const variables = { id: nodeIdOf(id, this.session.table), last: limits.HISTORY_REQUESTED };
    const { node } = await this.session.query({ document: HISTORY, variables });
    return (node?.history ?? []).map(pastVersionOf);
  }

  private tick(): void {
    this.pinned.table.added.length = 0;
    this.pinned.table.removed.clear();
    this.listing.keepUp(this.main);
    this.scheduler.invalidate();
  }
}

function newTable(): Table {
  return new Table({
    keysMax: limits.KEYS_MAX,
    valueCharactersMax: limits.VALUE_CHARACTERS_MAX,
  });
}

function newSelected(id: string): Selected {
  const history = new KeyHistory(limits.HISTORY_MAX);
  return { id, history, changes: new SecondCounter(COUNTED_SECONDS) };
}
