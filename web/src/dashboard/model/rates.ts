const TIME_CONSTANT_MS = 10_000;

/**
 * The score of something that never happened. A score measures how often something happens: it is an exponentially decaying
 * count on a logarithmic scale. Scores from different times compare like rates at the same time, so rows can be sorted
 * without knowing the time.
 */
export const NEVER = Number.NEGATIVE_INFINITY;

export function scoreAfter(score: number, nowMs: number): number {
  const elapsed = nowMs / TIME_CONSTANT_MS;
  return Math.log(Math.exp(score - elapsed) + 1000 / TIME_CONSTANT_MS) + elapsed;
}

/** Returns the score of a constant rate. */
export function scoreOf(perSecond: number, nowMs: number): number {
  return Math.log(perSecond) + nowMs / TIME_CONSTANT_MS;
}

/** Returns the events per second. `sinceMs` is the start of the count, so that early rates are not too low. */
export function rateOf(score: number, nowMs: number, sinceMs: number): number {
  const seen = 1 - Math.exp(-Math.max(nowMs - sinceMs, 1000) / TIME_CONSTANT_MS);
  return Math.exp(score - nowMs / TIME_CONSTANT_MS) / seen;
}

/** Counts per whole second over the last `seconds`. */
export class SecondCounter {
  private readonly counts: Float64Array;
  private second = 0;

  constructor(readonly seconds: number) {
    this.counts = new Float64Array(seconds + 1);
  }

  /** Counts an event, also one in the past if its second is still kept. */
  add(timeMs: number): void {
    this.advance(timeMs);
    const second = Math.floor(timeMs / 1000);
    if (second <= this.second - this.counts.length) return;
    const slot = second % this.counts.length;
    this.counts[slot] = (this.counts[slot] ?? 0) + 1;
  }

  /** Returns the counts of the complete seconds, oldest first. */
  read(nowMs: number): number[] {
    this.advance(nowMs);
    return Array.from({ length: this.seconds }, (_, i) => this.at(this.second - this.seconds + i));
  }

  /** Returns the mean of the last complete seconds. */
  rate(nowMs: number, seconds: number): number {
    const recent = this.read(nowMs).slice(-seconds);
    return recent.reduce((sum, count) => sum + count, 0) / seconds;
  }

  private at(second: number): number {
    return second < 0 ? 0 : (this.counts[second % this.counts.length] ?? 0);
  }

  private advance(nowMs: number): void {
    const second = Math.floor(nowMs / 1000);
    const steps = Math.min(second - this.second, this.counts.length);
    for (let i = 0; i < steps; i++) this.counts[(second - i) % this.counts.length] = 0;
    if (second > this.second) this.second = second;
  }
}
