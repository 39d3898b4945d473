export interface Clock {
  now: () => number;
  /** Calls back before the next paint. */
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

/** A painter rests this many times as long as it took, so that slow painting never fills the main thread. */
const REST_FACTOR = 3;

/** Lets each painter run at most once a frame and once in its interval, however many changes there are. */
export class Scheduler {
  private readonly painters = new Set<Painter>();
  /** When the next run is asked for. */
  private runMs = Number.POSITIVE_INFINITY;

  constructor(private readonly clock: Clock = BROWSER) {}

  /** Returns what removes the painter. */
  add(paint: () => void, intervalMs: number): () => void {
    const painter = { paint, intervalMs, dueMs: 0, dirty: false };
    this.painters.add(painter);
    return () => {
      this.painters.delete(painter);
    };
  }

  /** Something changed; everybody paints when it is their time. */
  invalidate(): void {
    for (const painter of this.painters) painter.dirty = true;
    this.ask(0);
  }

  /** The reader did something and waits for it: everybody paints at the next frame. */
  hurry(): void {
    for (const painter of this.painters) painter.dueMs = 0;
    this.invalidate();
  }

  private ask(delayMs: number): void {
    const atMs = this.clock.now() + delayMs;
    if (atMs >= this.runMs) return;
    this.runMs = atMs;
    const run = () => {
      // An earlier run has taken the place of this one.
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
    if (Number.isFinite(next)) this.ask(next);
  };
}
