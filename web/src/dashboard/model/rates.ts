const TIME_CONSTANT_MS = 10_000;

/**
 * How often something happens, as one number: an exponentially decaying count on a logarithmic scale. Scores
 * taken at different times compare as the rates would at any one time, so that rows sort without a look at the clock.
 */
export const NEVER = Number.NEGATIVE_INFINITY;

export function scoreAfter(score: number, nowMs: number): number {
  const elapsed = nowMs / TIME_CONSTANT_MS;
  return Math.log(Math.exp(score - elapsed) + 1000 / TIME_CONSTANT_MS) + elapsed;
}

/** The score of what happens that often, forever. */
export function scoreOf(perSecond: number, nowMs: number): number {
  return Math.log(perSecond) + nowMs / TIME_CONSTANT_MS;
}

/** Events a second; `sinceMs` is when counting began, so that a young meter does not read too low. */
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

  /** A time in the past counts as long as its second is kept. */
  add(timeMs: number): void {
    this.advance(timeMs);
    const second = Math.floor(timeMs / 1000);
    if (second <= this.second - this.counts.length) return;
    const slot = second % this.counts.length;
    this.counts[slot] = (this.counts[slot] ?? 0) + 1;
  }

  /** The complete seconds, oldest first. */
  read(nowMs: number): number[] {
    this.advance(nowMs);
    return Array.from({ length: this.seconds }, (_, i) => this.at(this.second - this.seconds + i));
  }

  /** The mean of the last complete seconds. */
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
