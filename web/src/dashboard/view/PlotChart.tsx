/** @jsxImportSource preact */
import { useContext, useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { Dashboard } from "../model/dashboard";
import { formatMoment, formatTick, formatValue, type Unit, unitOf } from "../model/format";
import { type Chart, joined, type Plot, plotName, split, without } from "../model/plots";
import { gridOf, isolated, resample, type Sample, timesOf } from "../model/series";
import { visible } from "../model/visible";
import { DashboardContext, useDashboard, useMedia } from "./hooks";
import { Icon } from "./icons";

const SLOTS_MAX = 600;
const COLOURS = 8;
const PAINT_MS = 66;
const ZOOM_PX_MIN = 6;

/** One chart: a legend with the latest number of each series, and the lines. */
export function PlotChart({ chart, index }: { chart: Chart; index: number }) {
  const dashboard = useDashboard(200);
  const names = chart.map((plot) => nameOf(dashboard, plot));
  return (
    <figure class="plot" aria-label={`Plot of ${names.join(", ")}`}>
      <figcaption>
        <ul>
          {chart.map((plot, i) => (
            <Series key={plotName(plot)} plot={plot} colour={i % COLOURS} name={names[i] ?? ""} />
          ))}
        </ul>
        <span class="plot-actions">
          {index > 0 && (
            <ChartButton
              icon="join"
              label="Merge with the previous plot"
              act={() => {
                dashboard.change({ charts: joined(dashboard.link.charts, index) });
              }}
            />
          )}
          {chart.length > 1 && (
            <ChartButton
              icon="split"
              label="Split into one plot per series"
              act={() => {
                dashboard.change({ charts: split(dashboard.link.charts, index) });
              }}
            />
          )}
        </span>
      </figcaption>
      <Canvas chart={chart} label={describe(dashboard, chart)} />
    </figure>
  );
}

function ChartButton(props: { icon: "join" | "split"; label: string; act: () => void }) {
  return (
    <button
      type="button"
      class="icon-button"
      aria-label={props.label}
      title={props.label}
      onClick={props.act}
    >
      <Icon name={props.icon} />
    </button>
  );
}

function Series({ plot, colour, name }: { plot: Plot; colour: number; name: string }) {
  const dashboard = useDashboard(200);
  const latest = dashboard.recorder.get(plot)?.latest ?? null;
  return (
    <li class={`series series-${String(colour)}`}>
      <span class="swatch" aria-hidden="true" />
      <button
        type="button"
        class="text-button clamped"
        title={`Open ${name}`}
        onClick={() => {
          dashboard.change({ key: plot.id }, true);
        }}
      >
        {name}
      </button>
      <span class="latest">
        {latest === null ? "–" : formatValue(latest, unitOf(plot.pointer))}
      </span>
      <button
        type="button"
        class="icon-button"
        aria-label={`Stop plotting ${name}`}
        title="Remove"
        onClick={() => {
          dashboard.change({ charts: without(dashboard.link.charts, plot) });
        }}
      >
        <Icon name="close" />
      </button>
    </li>
  );
}

function Canvas({ chart, label }: { chart: Chart; label: string }) {
  const dashboard = useContext(DashboardContext);
  const holder = useRef<HTMLDivElement>(null);
  const dark = useMedia("(prefers-color-scheme: dark)");
  useEffect(() => {
    if (!holder.current || !dashboard) return;
    return draw(holder.current, dashboard, chart);
    // `chart` is not a dependency: the component has a key made of its series.
  }, [dashboard, dark]);
  return <div ref={holder} class="canvas" role="img" aria-label={label} />;
}

/** Draws the chart until the returned function is called. */
function draw(holder: HTMLElement, dashboard: Dashboard, chart: Chart): () => void {
  const plot = new uPlot(optionsOf(holder, dashboard, chart), [[]], holder);
  let visible = true;
  const paint = () => {
    if (visible) fill(plot, dashboard, chart);
  };
  const remove = dashboard.scheduler.add(paint, PAINT_MS);
  const size = new ResizeObserver(() => {
    plot.setSize({ width: holder.clientWidth, height: holder.clientHeight });
  });
  const visibility = new IntersectionObserver(([entry]) => {
    visible = entry?.isIntersecting ?? true;
    paint();
  });
  size.observe(holder);
  visibility.observe(holder);
  paint();
  return () => {
    remove();
    size.disconnect();
    visibility.disconnect();
    plot.destroy();
  };
}

function fill(plot: uPlot, dashboard: Dashboard, chart: Chart): void {
  const now = Date.now();
  const present = dashboard.recorder.clock.now(now);
  const { fromMs, toMs } = dashboard.range ?? {
    fromMs: present - dashboard.link.spanSeconds * 1000,
    toMs: present,
  };
  const grid = gridOf(fromMs, toMs, SLOTS_MAX);
  // Stale data must not look as if the last value were the present one.
  const holdMs = dashboard.health(now).stale ? 0 : Math.min(present, toMs + grid.slotMs);
  const lines = chart.map((one) => {
    const recording = dashboard.recorder.get(one);
    return recording ? resample(recording.series, grid, holdMs) : [];
  });
  plot.setData([timesOf(grid), ...lines], false);
  plot.setScale("x", { min: fromMs, max: toMs });
}

function optionsOf(holder: HTMLElement, dashboard: Dashboard, chart: Chart): uPlot.Options {
  const unit = sharedUnit(chart);
  const muted = colourOf(holder, "var(--muted)");
  const line = colourOf(holder, "var(--line)");
  const axis = {
    stroke: muted,
    grid: { stroke: line, width: 1 },
    ticks: { stroke: line, width: 1, size: 4 },
    font: `11px ${getComputedStyle(holder).fontFamily}`,
  };
  return {
    width: holder.clientWidth,
    height: holder.clientHeight,
    ms: 1,
    padding: [10, 26, 0, 0],
    legend: { show: false },
    cursor: { sync: { key: "plots" }, drag: { x: true, y: false, setScale: false } },
    scales: { x: { time: true }, y: { range: (_plot, min, max) => rangeOf(min, max, unit) } },
    axes: [
      {
        ...axis,
        size: 30,
        space: 76,
        values: (_plot, ticks, _axis, _space, step) =>
          ticks.map((tick) => formatMoment(tick, step)),
      },
      {
        ...axis,
        size: unit === "bytes per second" ? 84 : 64,
        space: 34,
        values: (_plot, ticks) => ticks.map((tick) => formatTick(tick, unit)),
      },
    ],
    series: [
      {},
      ...chart.map((_one, i) => ({
        stroke: colourOf(holder, `var(--series-${String(i % COLOURS)})`),
        // Only a single line is filled, since several would cover each other.
        ...(chart.length === 1 && { fill: colourOf(holder, "var(--plot-ground)") }),
        width: 1.5,
        points: {
          show: true,
          size: 5,
          filter: (plot: uPlot, seriesIndex: number) =>
            isolated((plot.data[seriesIndex] ?? []) as readonly Sample[]),
        },
      })),
    ],
    hooks: { setSelect: [zoomInto(dashboard)], ready: [followAgainOnDoubleClick(dashboard)] },
  };
}

function zoomInto(dashboard: Dashboard) {
  return (plot: uPlot) => {
    const { left, width } = plot.select;
    if (width < ZOOM_PX_MIN) return;
    dashboard.setRange({
      fromMs: plot.posToVal(left, "x"),
      toMs: plot.posToVal(left + width, "x"),
    });
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  };
}

function followAgainOnDoubleClick(dashboard: Dashboard) {
  return (plot: uPlot) => {
    plot.over.addEventListener("dblclick", () => {
      dashboard.setRange(null);
    });
  };
}

function rangeOf(min: number | null, max: number | null, unit: Unit): [number, number] {
  // uPlot passes null if there is no point in the range.
  if (min === null || max === null) return [0, 1];
  if (unit === "percent" && min >= 0 && max <= 100) return [0, 100];
  if (min === max)
    return min === 0 ? [-1, 1] : [min - Math.abs(min) / 10, max + Math.abs(max) / 10];
  const margin = (max - min) / 10;
  const low = min >= 0 && min < (max - min) / 2 ? 0 : min - margin;
  return [low, max + margin];
}

function sharedUnit(chart: Chart): Unit {
  const [first, ...others] = chart.map(({ pointer }) => unitOf(pointer));
  return others.every((unit) => unit === first) ? (first ?? "none") : "none";
}

function nameOf(dashboard: Dashboard, { id, pointer }: Plot): string {
  return `${dashboard.keys.label(id)} ${visible(pointer.slice(1))}`.trim();
}

function describe(dashboard: Dashboard, chart: Chart): string {
  const latest = chart.map((plot) => {
    const value = dashboard.recorder.get(plot)?.latest ?? null;
    return `${nameOf(dashboard, plot)} ${value === null ? "without a number" : formatValue(value, unitOf(plot.pointer))}`;
  });
  return `Latest: ${latest.join("; ")}`;
}

/** Resolves a CSS colour, since a canvas does not support custom properties. */
function colourOf(holder: HTMLElement, colour: string): string {
  const probe = document.createElement("span");
  probe.style.color = colour;
  holder.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
