const WINDOW_MS = 10_000;
/** A producer's clock may be ahead by this much before its times are not believed. */
const AHEAD_MS_MAX = 5 * 60_000;

/**
 * The time of the stream: records carry their producer's time, which need not be the browser's. The freshest record of
 * the last seconds tells how far the two are apart, and the right edge of every plot follows that.
 */
export class StreamClock {
  private skew: number | null = null;
  private next = Number.NEGATIVE_INFINITY;
  private windowEnd = 0;

  /** Where on the time axis a live record belongs. */
  place(timestampMs: number | null, arrivalMs: number): number {
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
