/** @jsxImportSource preact */
import { useRef } from "preact/hooks";
import { BOARD_PERCENT_MAX, BOARD_PERCENT_MIN } from "../model/link";
import { useDashboard } from "./hooks";

const STEP_PERCENT = 5;
/** Reported to assistive technology, which needs a number, while the height is automatic. */
const AUTOMATIC_PERCENT = 50;

/** The border between plots and table. It is moved by dragging or arrow keys, and kept in the link. */
export function Splitter() {
  const dashboard = useDashboard(1000);
  const dragged = useRef<number | null>(null);
  const { boardPercent } = dashboard.link;
  const keep = (percent: number | null) => {
    dashboard.change({ boardPercent: percent });
  };
  return (
    <div
      class="splitter"
      role="separator"
      tabIndex={0}
      aria-orientation="horizontal"
      aria-label="Height of pins and plots"
      aria-valuemin={BOARD_PERCENT_MIN}
      aria-valuemax={BOARD_PERCENT_MAX}
      aria-valuenow={boardPercent ?? AUTOMATIC_PERCENT}
      aria-valuetext={boardPercent === null ? "automatic" : `${String(boardPercent)} %`}
      title="Drag to resize, double-click to reset"
      onDblClick={() => {
        keep(null);
      }}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
      }}
      onPointerMove={(event) => {
        if (!event.currentTarget.hasPointerCapture(event.pointerId)) return;
        dragged.current = percentAt(event.currentTarget, event.clientY);
        // The link is written once at the end, since browsers limit changes of the address.
        show(event.currentTarget, dragged.current);
      }}
      onLostPointerCapture={() => {
        if (dragged.current !== null) keep(dragged.current);
        dragged.current = null;
      }}
      onKeyDown={(event) => {
        const { currentTarget, key } = event;
        const now =
          boardPercent ?? percentAt(currentTarget, currentTarget.getBoundingClientRect().top);
        const moved: Record<string, number | null> = {
          ArrowUp: bounded(now - STEP_PERCENT),
          ArrowDown: bounded(now + STEP_PERCENT),
          Home: BOARD_PERCENT_MIN,
          End: BOARD_PERCENT_MAX,
          Enter: null,
        };
        if (!(key in moved)) return;
        event.preventDefault();
        keep(moved[key] ?? null);
      }}
    />
  );
}

/** Returns the share of the workspace above a point of the screen. */
function percentAt(splitter: HTMLElement, clientY: number): number {
  const { top, height } = workOf(splitter).getBoundingClientRect();
  return bounded(((clientY - top) / height) * 100);
}

function bounded(percent: number): number {
  return Math.round(Math.min(BOARD_PERCENT_MAX, Math.max(BOARD_PERCENT_MIN, percent)));
}

function show(splitter: HTMLElement, percent: number): void {
  const work = workOf(splitter);
  work.dataset.split = "true";
  work.style.setProperty("--board-percent", String(percent));
}

function workOf(splitter: HTMLElement): HTMLElement {
  return splitter.parentElement ?? splitter;
}
