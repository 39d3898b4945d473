const WINDOW_MS = 10_000;
/** Timestamps that are further ahead than this are ignored. */
const AHEAD_MS_MAX = 5 * 60_000;

/**
 * The time of the stream. Records have the time of their producer, which may differ from the browser's. The most recent record
 * of the last seconds determines the difference, which the right edge of every plot follows.
 */
export class StreamClock {
  private skew: number | null = null;
  private next = Number.NEGATIVE_INFINITY;
  private windowEnd = 0;

  /** Returns the position of a live record on the time axis. */
  timeOf(timestampMs: number | null, arrivalMs: number): number {
    if (
      timestampMs === null ||
      Number.isNaN(timestampMs) ||
      timestampMs > arrivalMs + AHEAD_MS_MAX
    ) {
      return this.now(arrivalMs);
    }
    this.observe(timestampMs - arrivalMs, arrivalMs);
    return timestampMs;
  }

  now(arrivalMs: number): number {
    return arrivalMs + (this.skew ?? 0);
  }

  private observe(skew: number, arrivalMs: number): void {
    if (arrivalMs >= this.windowEnd) {
      if (Number.isFinite(this.next)) this.skew = this.next;
      this.next = Number.NEGATIVE_INFINITY;
      this.windowEnd = arrivalMs + WINDOW_MS;
    }
    this.next = Math.max(this.next, skew);
    this.skew = this.skew === null ? skew : Math.max(this.skew, skew);
  }
}
