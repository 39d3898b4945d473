/** Formats numbers, sizes and times. Always in English, so that a shared link shows the same. */

const GROUPED = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const PRECISE = new Intl.NumberFormat("en", { maximumSignificantDigits: 6 });
const SUFFIXES = ["", "k", "M", "G", "T", "P", "E"];

export type Unit = "none" | "bytes" | "bytes per second" | "percent" | "seconds";

/** Derives the unit of a number from the last part of its pointer. */
export function unitOf(pointer: string): Unit {
  const name = (pointer.split("/").at(-1) ?? "").toLowerCase();
  if (/bytes_(per_second|s)$/.test(name)) return "bytes per second";
  if (/(^|_)bytes$/.test(name)) return "bytes";
  if (/(^|_)(percent|pct)$/.test(name)) return "percent";
  return /(^|_)seconds$/.test(name) && !name.endsWith("per_second") ? "seconds" : "none";
}

export function formatCount(count: number): string {
  return GROUPED.format(count);
}

/** Returns a count with its noun, such as "1 field". */
export function formatCounted(count: number, noun: string, plural = `${noun}s`): string {
  return `${formatCount(count)} ${count === 1 ? noun : plural}`;
}

/** Returns a short form such as 1.2k or 34M. */
export function formatShort(value: number): string {
  if (!Number.isFinite(value)) return "–";
  let scaled = value;
  let step = 0;
  while (Math.abs(scaled) >= (step === 0 ? 10_000 : 1000) && step < SUFFIXES.length - 1) {
    scaled /= 1000;
    step += 1;
  }
  const shown = Math.abs(scaled) < 1 ? Number(scaled.toPrecision(2)) : roundTo(scaled, 3);
  return `${PRECISE.format(shown === 0 ? 0 : shown)}${SUFFIXES[step] ?? ""}`;
}

export function formatBytes(bytes: number): string {
  let scaled = bytes;
  let step = 0;
  while (Math.abs(scaled) >= 1000 && step < SUFFIXES.length - 1) {
    scaled /= 1000;
    step += 1;
  }
  return `${PRECISE.format(roundTo(scaled, 3))} ${SUFFIXES[step] ?? ""}B`;
}

/** Names of numbers whose digits mean something by themselves. */
const NOT_COUNTED = /(id|code|port|number|version|year|date|time|timestamp|_at)$/i;

/** Returns a number of a value as it is written, but sizes with their unit and long whole parts in groups. */
export function formatWritten(written: string, pointer: string): string {
  const unit = unitOf(pointer);
  if (unit.startsWith("bytes")) return formatValue(Number(written), unit);
  const [, whole = "", rest = ""] = /^(-?\d{5,})(\.\d+)?$/.exec(written) ?? [];
  if (whole === "" || NOT_COUNTED.test(pointer)) return written;
  return whole.replace(/\B(?=(\d{3})+$)/g, ",") + rest;
}

/** Returns a plotted number with its unit. */
export function formatValue(value: number, unit: Unit): string {
  switch (unit) {
    case "bytes":
      return formatBytes(value);
    case "bytes per second":
      return `${formatBytes(value)}/s`;
    case "percent":
      return `${PRECISE.format(roundTo(value, 4))} %`;
    case "seconds":
      return `${PRECISE.format(value)} s`;
    case "none":
      return PRECISE.format(value);
  }
}

/** Returns a short form for the ticks of an axis. */
export function formatTick(value: number, unit: Unit): string {
  if (unit === "bytes") return formatBytes(value);
  if (unit === "bytes per second") return `${formatBytes(value)}/s`;
  return `${formatShort(value)}${unit === "percent" ? " %" : ""}`;
}

export function formatRate(perSecond: number): string {
  if (perSecond < 0.05) return "0/s";
  return `${perSecond < 10 ? perSecond.toFixed(1) : formatShort(Math.round(perSecond))}/s`;
}

/** Returns an age in one unit. */
export function formatAge(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 2) return "now";
  if (seconds < 60) return `${String(seconds)} s`;
  if (seconds < 3600) return `${String(Math.floor(seconds / 60))} min`;
  if (seconds < 86_400) return `${String(Math.floor(seconds / 3600))} h`;
  return `${formatCount(Math.floor(seconds / 86_400))} d`;
}

/** Returns the time of day, with the date unless it is today. */
export function formatTime(ms: number, nowMs: number, fraction = false): string {
  const time = new Date(ms);
  if (Number.isNaN(time.getTime())) return "–";
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(":");
  const shown = fraction ? `${clock}.${String(time.getMilliseconds()).padStart(3, "0")}` : clock;
  if (time.toDateString() === new Date(nowMs).toDateString()) return shown;
  return `${String(time.getFullYear())}-${two(time.getMonth() + 1)}-${two(time.getDate())} ${shown}`;
}

/** Returns a time for an axis whose ticks are `stepMs` apart. */
export function formatMoment(ms: number, stepMs: number): string {
  const time = new Date(ms);
  const minutes = `${two(time.getHours())}:${two(time.getMinutes())}`;
  if (stepMs >= 60_000) return minutes;
  const seconds = `${minutes}:${two(time.getSeconds())}`;
  return stepMs >= 1000 ? seconds : `${seconds}.${String(time.getMilliseconds()).padStart(3, "0")}`;
}

export function formatSpan(seconds: number): string {
  return seconds < 60 ? `${String(seconds)} s` : `${String(seconds / 60)} min`;
}

function two(number: number): string {
  return String(number).padStart(2, "0");
}

function roundTo(value: number, digits: number): number {
  if (value === 0) return 0;
  const whole = Math.floor(Math.log10(Math.abs(value))) + 1;
  const factor = 10 ** Math.max(0, digits - whole);
  return Math.round(value * factor) / factor;
}
