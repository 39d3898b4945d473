export interface Limits {
  pointsMax: number;
  spacingMs: number;
}

/** The recent values of one number in a ring buffer that grows up to its limit. NaN marks a gap. */
export class Series {
  length = 0;
  private times = new Float64Array(256);
  private values = new Float64Array(256);
  private start = 0;

  constructor(private readonly limits: Limits) {}

  /** Appends a point. A point that is too close to the last one, or before it, replaces its value. */
  push(timeMs: number, value: number): void {
    const last = this.length - 1;
    if (last >= 0 && timeMs - this.timeAt(last) < this.limits.spacingMs) {
      this.values[this.slot(last)] = value;
      return;
    }
    if (this.length === this.times.length) this.grow();
    const slot = this.slot(this.length);
    this.times[slot] = timeMs;
    this.values[slot] = value;
    if (this.length < this.times.length) this.length += 1;
    else this.start = (this.start + 1) % this.times.length;
  }

  /** Interrupts the line. */
  gap(timeMs: number): void {
    if (this.length > 0 && !Number.isNaN(this.valueAt(this.length - 1))) {
      this.push(timeMs + this.limits.spacingMs, Number.NaN);
    }
  }

  timeAt(index: number): number {
    return this.times[this.slot(index)] ?? Number.NaN;
  }

  valueAt(index: number): number {
    return this.values[this.slot(index)] ?? Number.NaN;
  }

  /** Returns the index of the first point at or after a time. */
  indexFrom(timeMs: number): number {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.timeAt(middle) < timeMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private slot(index: number): number {
    return (this.start + index) % this.times.length;
  }

  private grow(): void {
    const size = Math.min(this.times.length * 2, this.limits.pointsMax);
    if (size <= this.times.length) return;
    const times = new Float64Array(size);
    const values = new Float64Array(size);
    for (let i = 0; i < this.length; i++) {
      times[i] = this.timeAt(i);
      values[i] = this.valueAt(i);
    }
    [this.times, this.values, this.start] = [times, values, 0];
  }
}

/** Null is a gap; the line is drawn across undefined. */
export type Sample = number | null | undefined;

export interface Grid {
  /** Duration of each pair of samples. */
  slotMs: number;
  firstSlot: number;
  slots: number;
}

/** Aligns the slots to multiples of their width, so that points do not jitter while the window moves. */
export function gridOf(fromMs: number, toMs: number, slotsMax: number): Grid {
  const slotMs = Math.max((toMs - fromMs) / slotsMax, 1);
  // One more slot on each side, since the line must reach the edge.
  const firstSlot = Math.floor(fromMs / slotMs) - 1;
  return { slotMs, firstSlot, slots: Math.ceil(toMs / slotMs) - firstSlot + 1 };
}

export function timesOf(grid: Grid): number[] {
  return Array.from({ length: grid.slots * 2 }, (_, i) => (grid.firstSlot + i / 2) * grid.slotMs);
}

/**
 * Returns two samples per slot: the minimum and maximum of its values in their order, so that no spike is lost. The last
 * value is extended to `holdMs`.
 */
export function resample(series: Series, grid: Grid, holdMs: number): Sample[] {
  const samples = new Array<Sample>(grid.slots * 2).fill(undefined);
  const first = grid.firstSlot * grid.slotMs;
  let index = series.indexFrom(first);
  // The line enters the window from the last value before it.
  if (index > 0) samples[0] = orGap(series.valueAt(index - 1));
  for (let slot = 0; slot < grid.slots && index < series.length; slot++) {
    const end = first + (slot + 1) * grid.slotMs;
    const from = index;
    while (index < series.length && series.timeAt(index) < end) index++;
    if (index > from) writeSlot(samples, slot * 2, series, from, index);
  }
  hold(samples, series, first, grid.slotMs, holdMs);
  return samples;
}

function writeSlot(samples: Sample[], at: number, series: Series, from: number, to: number): void {
  let minimum = from;
  let maximum = from;
  for (let i = from; i < to; i++) {
    const value = series.valueAt(i);
    if (Number.isNaN(value)) {
      samples[at] = orGap(series.valueAt(from));
      samples[at + 1] = i === to - 1 ? null : orGap(series.valueAt(to - 1));
      return;
    }
    if (value < series.valueAt(minimum)) minimum = i;
    if (value > series.valueAt(maximum)) maximum = i;
  }
  samples[at] = series.valueAt(Math.min(minimum, maximum));
  if (to - from > 1) samples[at + 1] = series.valueAt(Math.max(minimum, maximum));
}

function hold(
  samples: Sample[],
  series: Series,
  first: number,
  slotMs: number,
  holdMs: number,
): void {
  const last = series.length - 1;
  if (last < 0 || Number.isNaN(series.valueAt(last)) || holdMs < series.timeAt(last)) return;
  const at = Math.min(samples.length - 1, Math.floor(((holdMs - first) / slotMs) * 2));
  if (at > 0) samples[at] ??= series.valueAt(last);
}

/** Returns the indices of samples without a line on either side. */
export function isolated(samples: readonly Sample[]): number[] {
  const defined = samples.flatMap((sample, i) => (sample === undefined ? [] : [i]));
  return defined.filter((at, i) => {
    const [before, after] = [defined[i - 1], defined[i + 1]].map(
      (other) => samples[other ?? -1] ?? null,
    );
    return samples[at] !== null && before === null && after === null;
  });
}

function orGap(value: number): number | null {
  return Number.isNaN(value) ? null : value;
}
