export interface Clock {
  now: () => number;
  /** Calls back before the next paint of the browser. */
  frame: (callback: () => void) => void;
  later: (callback: () => void, delayMs: number) => void;
}

export const BROWSER: Clock = {
  now: () => performance.now(),
  frame: (callback) => {
    requestAnimationFrame(callback);
  },
  later: (callback, delayMs) => {
    setTimeout(callback, delayMs);
  },
};

interface Painter {
  paint: () => void;
  intervalMs: number;
  dueMs: number;
  dirty: boolean;
}

/** After painting, a painter pauses for this many times its duration, so that it never blocks the main thread. */
const REST_FACTOR = 3;

/** Runs each painter at most once per frame and once per interval, however many changes there are. */
export class Scheduler {
  private readonly painters = new Set<Painter>();
  /** When the next run is scheduled. */
  private runMs = Number.POSITIVE_INFINITY;

  constructor(private readonly clock: Clock = BROWSER) {}

  /** Adds a painter; returns a function that removes it. */
  add(paint: () => void, intervalMs: number): () => void {
    const painter = { paint, intervalMs, dueMs: 0, dirty: false };
    this.painters.add(painter);
    return () => {
      this.painters.delete(painter);
    };
  }

  /** Something changed: each painter runs when it is due. */
  invalidate(): void {
    for (const painter of this.painters) painter.dirty = true;
    this.schedule(0);
  }

  /** The user waits for a reaction: all painters run at the next frame. */
  hurry(): void {
    for (const painter of this.painters) painter.dueMs = 0;
    this.invalidate();
  }

  private schedule(delayMs: number): void {
    const atMs = this.clock.now() + delayMs;
    if (atMs >= this.runMs) return;
    this.runMs = atMs;
    const run = () => {
      // Otherwise an earlier run has replaced this one.
      if (this.runMs === atMs) this.clock.frame(this.run);
    };
    if (delayMs > 0) this.clock.later(run, delayMs);
    else run();
  }

  private readonly run = (): void => {
    this.runMs = Number.POSITIVE_INFINITY;
    let next = Number.POSITIVE_INFINITY;
    for (const painter of this.painters) {
      if (!painter.dirty) continue;
      const start = this.clock.now();
      if (painter.dueMs > start) {
        next = Math.min(next, painter.dueMs - start);
        continue;
      }
      painter.dirty = false;
      painter.paint();
      const end = this.clock.now();
      painter.dueMs = Math.max(start + painter.intervalMs, end + (end - start) * REST_FACTOR);
    }
    if (Number.isFinite(next)) this.schedule(next);
  };
}
