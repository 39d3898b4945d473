import type { Endpoint } from "../../graphiql/endpoint";
import { base64OfId, base64OfText, keyOf } from "./bytes";
import { Follower } from "./follower";
import { type Failure, type Health, healthOf } from "./health";
import { KeyHistory, versionOf } from "./history";
import * as limits from "./limits";
import { type LinkState, parseLink } from "./link";
import { HISTORY, type Status, STATUS, type Update } from "./operations";
import { KeyOrder } from "./order";
import { SecondCounter } from "./rates";
import { Recorder } from "./recorder";
import { Scheduler } from "./scheduler";
import { nextScope, suggestPrefixes, type Suggestion } from "./scope";
import { Session } from "./session";
import { type Row, Table } from "./table";

const COUNTED_SECONDS = 60;
const REORDER_MS = 1_000;
const MERGE_MS = 100;
/** Reordering rests this many times as long as it took. */
const REORDER_REST = 15;
const BACKGROUND_ROWS_MAX = 10_000;
const SUGGESTIONS_MAX = 12;

/** The key in the detail panel. */
export interface Selected {
  id: string;
  history: KeyHistory;
  changes: SecondCounter;
}

/** Plots either follow the present or stand still at a range. */
export type TimeRange = { fromMs: number; toMs: number } | null;

/** Everything the page knows, kept apart from how it is drawn. */
export class Dashboard {
  readonly scheduler = new Scheduler();
  readonly recorder = new Recorder({
    pointsMax: limits.POINTS_MAX,
    spacingMs: limits.POINT_SPACING_MS,
  });
  readonly received = new SecondCounter(COUNTED_SECONDS);
  readonly session: Session;
  main = newTable();
  /** The rows to show, in their order. */
  view: Row[] = [];
  /** Counts the times `view` changed. */
  viewVersion = 0;
  /** While it is set, rows keep their places. */
  held = false;
  suggestions: Suggestion[] = [];
  selected: Selected | null = null;
  range: TimeRange = null;
  status: Status | null = null;
  /** Records a second that the service read from Kafka, a number for each status. */
  consumed: number[] = [];
  private statusMs = 0;
  private failure: Failure | null = null;
  private extras = newTable();
  /** Shown until the new `extras` is complete. */
  private fading: Table | null = null;
  private order = new KeyOrder();
  private scope: string;
  private extraKeys = "";
  private mainFollower: Follower | null = null;
  private extraFollower: Follower | null = null;
  private endStatus: () => void = () => undefined;
  private reorderDueMs = 0;
  private reorderAsked = true;

  constructor(
    endpoint: Endpoint,
    public link: LinkState,
    private readonly writeLink: (link: LinkState, push: boolean) => void,
  ) {
    this.scope = link.prefix;
    this.session = new Session(endpoint, {
      changed: () => {
        this.scheduler.hurry();
      },
      reconnected: () => {
        this.statusMs = Date.now();
        this.main.resume();
        this.extras.resume();
      },
      restarted: () => {
        this.start();
        if (this.selected) void this.loadHistory(this.selected);
      },
    });
    this.start();
    this.apply();
    setInterval(() => {
      this.tick();
    }, 500);
  }

  health(nowMs: number): Health {
    const { connection } = this.session;
    const { phase } = this.main;
    const { failure, status, statusMs } = this;
    return healthOf({ connection, phase, failure, status, statusMs }, nowMs);
  }

  row(id: string): Row | undefined {
    return this.main.rows.get(id) ?? this.extras.rows.get(id) ?? this.fading?.rows.get(id);
  }

  /** Whether the value of a key is known, so that a missing row means that there is none. */
  knows(id: string): boolean {
    const table = this.covers(keyOf(base64OfId(id))) ? this.main : this.extras;
    return table.phase === "live" || table.phase === "resuming";
  }

  /** Take over a changed part of the link; `push` makes it a step of the browser's history. */
  change(part: Partial<LinkState>, push = false): void {
    this.link = { ...this.link, ...part };
    this.writeLink(this.link, push);
    this.apply();
  }

  /** The reader went back or forth. */
  open(search: string): void {
    this.link = parseLink(search);
    this.apply();
  }

  setRange(range: TimeRange): void {
    this.range = range;
    this.scheduler.hurry();
  }

  /** Brings `view` up to date, no more often than it can afford. */
  refresh(nowMs: number): void {
    const holding = this.held && this.link.sort.by !== "key";
    const moving = this.link.sort.by !== "key" && !holding;
    const waiting = this.main.added.length > 0 || this.main.removed.size > 0;
    if (!this.reorderAsked && ((!moving && !waiting) || nowMs < this.reorderDueMs)) return;
    const start = performance.now();
    this.order.merge(this.main.added, this.main.removed);
    const selected = this.order.select(this.link.prefix, this.link.sort);
    this.view = holding && !this.reorderAsked ? inPlace(this.view, selected) : selected;
    this.viewVersion += 1;
    this.reorderAsked = false;
    const rest = (performance.now() - start) * REORDER_REST;
    this.reorderDueMs = nowMs + Math.max(moving ? REORDER_MS : MERGE_MS, rest);
  }

  private start(): void {
    this.follow();
    this.followExtras(true);
    this.followStatus();
  }

  /** Makes everything fit the link. */
  private apply(): void {
    const scope = nextScope(this.scope, this.link.prefix, this.main.phase === "full");
    if (scope !== this.scope) {
      this.scope = scope;
      this.main = newTable();
      this.order = new KeyOrder();
      this.failure = null;
      this.follow();
    }
    this.followExtras(false);
    for (const id of this.recorder.keep(this.link.charts)) void this.seedPlots(id);
    if (this.selected?.id !== (this.link.key ?? undefined)) this.select(this.link.key);
    this.reorderAsked = true;
    this.scheduler.hurry();
  }

  private follow(): void {
    this.mainFollower?.stop();
    const table = this.main;
    const prefix = this.scope === "" ? null : base64OfText(this.scope);
    this.mainFollower = new Follower(
      this.session,
      table,
      { keys: null, prefix },
      {
        update: (update) => {
          this.take(table, update);
        },
        failed: (failure) => {
          this.failure = failure;
          this.scheduler.invalidate();
        },
      },
    );
    this.mainFollower.start();
  }

  /** Pinned, plotted and selected keys outside of the scope have a subscription of their own. */
  private followExtras(force: boolean): void {
    const { pins, charts, key } = this.link;
    const ids = new Set([
      ...pins,
      ...charts.flat().map(({ id }) => id),
      ...(key === null ? [] : [key]),
    ]);
    const keys = [...ids].map(base64OfId).filter((base64) => !this.covers(keyOf(base64)));
    const name = keys.join();
    if (name === this.extraKeys && !force) return;
    this.extraKeys = name;
    this.extraFollower?.stop();
    this.extraFollower = null;
    this.fading = this.extras;
    const table = (this.extras = newTable());
    if (keys.length === 0) return;
    this.extraFollower = new Follower(
      this.session,
      table,
      { keys, prefix: null },
      {
        update: (update) => {
          this.take(table, update);
          if (table.phase === "live") this.fading = null;
        },
        failed: () => undefined,
      },
    );
    this.extraFollower.start();
  }

  private followStatus(): void {
    this.endStatus();
    this.statusMs = Date.now();
    const variables = { interval: limits.STATUS_INTERVAL_SECONDS };
    let running = true;
    const again = () => {
      if (!running) return;
      running = false;
      setTimeout(() => {
        this.followStatus();
      }, limits.STATUS_SILENCE_MS);
    };
    const end = this.session.subscribe(
      { document: STATUS, variables },
      {
        data: ({ status }) => {
          if (running) this.takeStatus(status);
        },
        failed: again,
        ended: again,
      },
    );
    this.endStatus = () => {
      running = false;
      end();
    };
  }

  private covers(key: string): boolean {
    return this.main.phase !== "full" && key.startsWith(this.scope);
  }

  private take(table: Table, update: Update): void {
    const nowMs = Date.now();
    const incomplete = table.phase === "loading" || update.kind === "CONFLATED";
    const row = table.apply(update, nowMs);
    if (row) this.record(table, row, update, nowMs);
    else this.takeMarker(table, update, incomplete, nowMs);
    this.scheduler.invalidate();
  }

  private record(table: Table, row: Row, update: Update, nowMs: number): void {
    if (update.kind !== "SNAPSHOT" && table === this.main) this.received.add(nowMs);
    if (table === this.extras && this.covers(row.key)) return;
    const live = update.kind !== "SNAPSHOT" && table.phase === "live";
    if (live) this.recorder.clock.place(row.timestampMs, nowMs);
    if (!this.recorder.has(row.id) && this.selected?.id !== row.id) return;
    const version = versionOf(update);
    this.recorder.record(row.id, version, nowMs, live);
    if (this.selected?.id !== row.id) return;
    this.selected.history.push(version);
    if (live) this.selected.changes.add(nowMs);
  }

  private takeMarker(table: Table, update: Update, incomplete: boolean, nowMs: number): void {
    if (table.phase === "full" && table === this.main) this.giveUp();
    if (update.kind === "RESET" || update.kind === "CONFLATED") this.recorder.gap(nowMs);
    // What was conflated is missing in the history.
    if (update.kind === "LIVE" && incomplete && this.selected) void this.loadHistory(this.selected);
  }

  /** More keys than can be held: let go of all, and offer parts of them. */
  private giveUp(): void {
    const keys = Array.from(this.main.rows.values(), ({ key }) => key);
    this.suggestions = suggestPrefixes(keys, this.scope, SUGGESTIONS_MAX);
    this.main.rows.clear();
    this.main.added.length = 0;
    this.main.removed.clear();
    this.order = new KeyOrder();
    this.followExtras(false);
    this.reorderAsked = true;
  }

  private takeStatus(status: Status): void {
    const nowMs = Date.now();
    if (this.status) {
      const seconds = Math.max(0.2, (nowMs - this.statusMs) / 1000);
      const read = positionOf(status) - positionOf(this.status);
      this.consumed.push(Math.max(0, read / seconds));
      if (this.consumed.length > COUNTED_SECONDS) this.consumed.shift();
    }
    this.status = status;
    this.statusMs = nowMs;
    this.scheduler.invalidate();
  }

  private select(id: string | null): void {
    this.selected = id === null ? null : newSelected(id);
    if (this.selected) void this.loadHistory(this.selected);
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
      const { partition, offset, timestampMs, raw } = row;
      this.recorder.record(id, { partition, offset, timestampMs, raw }, Date.now(), false);
    }
    try {
      this.recorder.seed(id, await this.past(id));
      this.scheduler.invalidate();
    } catch {
      // The plot begins with what arrives from now on.
    }
  }

  private async past(id: string) {
    const variables = { key: base64OfId(id), last: limits.HISTORY_ASKED };
    const { value } = await this.session.query({ document: HISTORY, variables });
    return (value?.history ?? []).map(versionOf);
  }

  private tick(): void {
    this.extras.added.length = 0;
    this.extras.removed.clear();
    // No frame comes while the page is hidden.
    if (this.main.added.length + this.main.removed.size > BACKGROUND_ROWS_MAX) {
      this.order.merge(this.main.added, this.main.removed);
      this.reorderAsked = true;
    }
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

/** What is still there stays where it was; what is new comes after it. */
function inPlace(view: Row[], selected: Row[]): Row[] {
  const wanted = new Set(selected);
  const kept = view.filter((row) => wanted.delete(row));
  return [...kept, ...wanted];
}

function positionOf({ partitions }: Status): number {
  return partitions.reduce((sum, { position }) => sum + position, 0);
}
