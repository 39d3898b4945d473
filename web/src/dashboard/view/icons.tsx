/** @jsxImportSource preact */

const PATHS = {
  pin: "M10 2h4l-.6 6.2L17 12v2h-4v6l-1 2-1-2v-6H7v-2l3.600-3.800z",
  close: "M6 6l12 12M18 6L6 18",
  link: "M10 14a4 4 0 0 0 6 .4l3-3a4 4 0 0 0-5.700-5.700l-1.300 1.300M14 10a4 4 0 0 0-6-.4l-3 3a4 4 0 0 0 5.700 5.700l1.300-1.300",
  pause: "M8 5v14M16 5v14",
  play: "M8 5l11 7-11 7z",
  zoomIn: "M5 12h14M12 5v14",
  zoomOut: "M5 12h14",
  back: "M15 5l-7 7 7 7",
  forth: "M9 5l7 7-7 7",
  up: "M12 19V5M6 11l6-6 6 6",
  down: "M12 5v14M6 13l6 6 6-6",
  search: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14M16 16l5 5",
  join: "M4 6h16M4 18h16M12 9v6",
  split: "M4 12h16M8 6l4-3 4 3M8 18l4 3 4-3",
  inbox: "M3 13l3-8h12l3 8v6H3zM3 13h5l1.500 3h5l1.500-3h5",
  plug: "M9 3v5M15 3v5M6 8h12v3a6 6 0 0 1-12 0zM12 17v4",
  alert: "M12 4l9 16H3zM12 10v4M12 17v.1",
  lock: "M5 11h14v9H5zM8 11V8a4 4 0 0 1 8 0v3M12 15v2",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  layers: "M12 4l9 5-9 5-9-5zM3 14l9 5 9-5",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class={`icon icon-${name}`} viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}

/** A line of the last values, on a scale that starts at zero. */
export function Sparkline({ values, slots }: { values: readonly number[]; slots: number }) {
  const maximum = Math.max(1, ...values);
  const first = slots - values.length;
  const points = values.map((value, i) => {
    const x = ((first + i) / (slots - 1)) * 100;
    return `${x.toFixed(1)},${(27 - (value / maximum) * 25).toFixed(1)}`;
  });
  return (
    <svg class="sparkline" viewBox="0 0 100 28" preserveAspectRatio="none" aria-hidden="true">
      <polyline points={points.join(" ")} />
    </svg>
  );
}

export function Bars({ values }: { values: readonly number[] }) {
  const maximum = Math.max(1, ...values);
  const path = values.map((value, i) => {
    const height = (value / maximum) * 38;
    return value === 0
      ? ""
      : `M${String(i * 5)} 40v${(-Math.max(height, 1)).toFixed(1)}h4v${Math.max(height, 1).toFixed(1)}z`;
  });
  const width = values.length * 5;
  return (
    <svg
      class="bars"
      viewBox={`0 0 ${String(width)} 40`}
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      <path class="bars-base" d={`M0 39.5h${String(width)}`} />
      <path d={path.join("")} />
    </svg>
  );
}
