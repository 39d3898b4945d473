/** @jsxImportSource preact */
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import type { Dashboard } from "../model/dashboard";
import { formatCount, formatCounted } from "../model/format";
import { PINS_MAX } from "../model/limits";
import type { SortBy } from "../model/order";
import { plotName, toggled } from "../model/plots";
import { useDashboard, useMedia } from "./hooks";
import { Icon } from "./icons";
import { Rows } from "./rows";
import { KeySearch } from "./KeySearch";
import { EmptyState } from "./states";

const ROW_PX = 34;
const NARROW_ROW_PX = 56;
/** Faster updates would not be readable. Scrolling paints immediately. */
const PAINT_MS = 40;
const COLUMNS: { by: SortBy | null; name: string; className: string }[] = [
  { by: null, name: "Pin", className: "pin-cell" },
  { by: "key", name: "Key", className: "key" },
  { by: null, name: "Value", className: "value" },
  { by: "rate", name: "Rate", className: "rate" },
  { by: "changed", name: "Changed", className: "age" },
];

export function Keys() {
  return (
    <section class="keys" aria-label="Keys">
      <Toolbar />
      <Grid />
    </section>
  );
}

function Toolbar() {
  const dashboard = useDashboard(250);
  const { link, main } = dashboard;
  const { rows: view, held } = dashboard.listing;
  const count =
    view.length === main.rows.size
      ? formatCounted(view.length, "key")
      : `${formatCount(view.length)} of ${formatCounted(main.rows.size, "key")}`;
  return (
    <div class="toolbar">
      <KeySearch />
      <span class="count">{main.phase === "live" || main.rows.size > 0 ? count : ""}</span>
      {main.phase === "loading" && <LoadProgress dashboard={dashboard} />}
      {held && link.sort.by !== "key" && (
        <span class="note">Order is frozen while you use the table</span>
      )}
      <SortSelect dashboard={dashboard} />
    </div>
  );
}

function LoadProgress({ dashboard }: { dashboard: Dashboard }) {
  const { main, status, link } = dashboard;
  if (main.rows.size === 0) return null;
  if (!status || link.prefix !== "") return <progress aria-label="Loading keys" />;
  return (
    <progress aria-label="Loading keys" value={main.rows.size} max={Math.max(1, status.entries)} />
  );
}

/** Sort order for small screens, which have no column headers. */
function SortSelect({ dashboard }: { dashboard: Dashboard }) {
  const { by, descending } = dashboard.link.sort;
  return (
    <label class="sort-select">
      <span class="unseen">Order</span>
      <select
        value={`${descending ? "-" : ""}${by}`}
        onChange={(event) => {
          const chosen = event.currentTarget.value;
          const name = chosen.replace("-", "") as SortBy;
          dashboard.change({ sort: { by: name, descending: chosen.startsWith("-") } });
        }}
      >
        <option value="key">Key A–Z</option>
        <option value="-key">Key Z–A</option>
        <option value="-changed">Last changed</option>
        <option value="changed">Longest unchanged</option>
        <option value="-rate">Most changes</option>
        <option value="rate">Fewest changes</option>
      </select>
    </label>
  );
}

function Grid() {
  const dashboard = useDashboard(500);
  const scroller = useRef<HTMLDivElement>(null);
  const sizer = useRef<HTMLDivElement>(null);
  const active = useRef<string | null>(null);
  const paint = useRef<() => void>(() => undefined);
  const rowPx = useMedia("(max-width: 719px)") ? NARROW_ROW_PX : ROW_PX;

  useLayoutEffect(() => {
    if (!scroller.current || !sizer.current) return;
    const grid = scroller.current;
    const rows = new Rows(grid, sizer.current);
    const scene = sceneOf(dashboard);
    let timer: ReturnType<typeof setTimeout> | undefined;
    paint.current = () => {
      dashboard.refresh(Date.now());
      clearTimeout(timer);
      const againMs = rows.paint(scene(active.current), rowPx, sizer.current?.offsetTop ?? 0);
      if (againMs !== null) timer = setTimeout(paint.current, againMs);
      const id = active.current;
      if (id !== null && document.getElementById(`row-${id}`)) {
        grid.setAttribute("aria-activedescendant", `row-${id}`);
      } else grid.removeAttribute("aria-activedescendant");
    };
    const remove = dashboard.scheduler.add(() => {
      paint.current();
    }, PAINT_MS);
    const observer = new ResizeObserver(() => {
      paint.current();
    });
    observer.observe(grid);
    return () => {
      remove();
      observer.disconnect();
      clearTimeout(timer);
      sizer.current?.replaceChildren();
    };
  }, [dashboard, rowPx]);

  const { sort } = dashboard.link;
  return (
    <div class="grid-frame">
      <div
        ref={scroller}
        id="grid"
        class="grid"
        role="grid"
        tabIndex={0}
        aria-label="Keys and their values"
        aria-describedby="grid-help"
        aria-rowcount={dashboard.listing.rows.length + 1}
        aria-colcount={COLUMNS.length}
        onScroll={() => {
          paint.current();
        }}
        onClick={(event) => {
          active.current = clicked(dashboard, event.target) ?? active.current;
        }}
        onKeyDown={(event) => {
          const moved = pressed(dashboard, event, active.current, rowPx);
          if (moved === undefined) return;
          event.preventDefault();
          active.current = moved;
          dashboard.listing.held = true;
          paint.current();
        }}
        onBlur={() => {
          dashboard.listing.held = false;
        }}
        onPointerEnter={() => {
          dashboard.listing.held = true;
        }}
        onPointerLeave={() => {
          dashboard.listing.held = false;
        }}
      >
        <div class="grid-head" role="row" aria-rowindex={1}>
          {COLUMNS.map(({ by, name, className }) => (
            <span
              key={name}
              class={className}
              role="columnheader"
              {...(by === sort.by && { "aria-sort": sort.descending ? "descending" : "ascending" })}
            >
              {by === null ? (
                <span class={name === "Pin" ? "unseen" : ""}>{name}</span>
              ) : (
                <SortButton by={by} name={name} dashboard={dashboard} />
              )}
            </span>
          ))}
        </div>
        <div ref={sizer} class="sizer" role="rowgroup" />
      </div>
      <p id="grid-help" class="unseen">
        Arrow keys move, Enter opens a key, P pins it, slash focuses the search.
      </p>
      <EmptyState />
    </div>
  );
}

function SortButton(props: { by: SortBy; name: string; dashboard: Dashboard }) {
  const { by, name, dashboard } = props;
  const { sort } = dashboard.link;
  const chosen = sort.by === by;
  return (
    <button
      type="button"
      class="sort"
      onClick={() => {
        // Start with the most recent or most frequent keys.
        const descending = chosen ? !sort.descending : by !== "key";
        dashboard.change({ sort: { by, descending } });
      }}
    >
      {name}
      {chosen && <Icon name={sort.descending ? "down" : "up"} />}
    </button>
  );
}

/** Creates new sets only when the link changes, since a new set makes every row render again. */
function sceneOf(dashboard: Dashboard) {
  let { link } = dashboard;
  let pinned = new Set(link.pins);
  let plotted = new Set(link.charts.flat().map(plotName));
  return (activeId: string | null) => {
    if (dashboard.link !== link) {
      if (dashboard.link.charts !== link.charts) {
        plotted = new Set(dashboard.link.charts.flat().map(plotName));
      }
      link = dashboard.link;
      pinned = new Set(link.pins);
    }
    const sinceMs = dashboard.main.liveMs;
    return {
      rows: dashboard.listing.rows,
      activeId,
      selectedId: link.key,
      pinned,
      plotted,
      sinceMs,
      ratesKnown: dashboard.known(Date.now()) === "all",
    };
  };
}

export function togglePin(dashboard: Dashboard, id: string): void {
  const { pins } = dashboard.link;
  const others = pins.filter((pin) => pin !== id);
  if (others.length < pins.length) dashboard.change({ pins: others });
  else if (pins.length < PINS_MAX) dashboard.change({ pins: [...pins, id] });
}

function clicked(dashboard: Dashboard, target: EventTarget | null): string | null {
  const at = target instanceof Element ? target : null;
  const id = at?.closest<HTMLElement>(".row")?.dataset.id;
  if (id === undefined) return null;
  const pointer = at?.closest<HTMLElement>("[data-pointer]")?.dataset.pointer;
  if (at?.closest(".pin")) togglePin(dashboard, id);
  else if (pointer !== undefined) {
    dashboard.change({ charts: toggled(dashboard.link.charts, { id, pointer }) });
  } else if (id !== dashboard.link.key) dashboard.change({ key: id }, true);
  return id;
}

/** Handles a key; returns the id of the active row, or undefined if the key has no meaning here. */
function pressed(
  dashboard: Dashboard,
  event: KeyboardEvent & { currentTarget: HTMLElement },
  activeId: string | null,
  rowPx: number,
): string | null | undefined {
  if (event.ctrlKey || event.altKey || event.metaKey || event.target !== event.currentTarget) {
    return undefined;
  }
  const view = dashboard.listing.rows;
  const at = activeId === null ? -1 : view.findIndex(({ id }) => id === activeId);
  if (event.key === "Enter" && activeId !== null) {
    dashboard.change({ key: activeId }, true);
    return activeId;
  }
  if (event.key === "p" && activeId !== null) {
    togglePin(dashboard, activeId);
    return activeId;
  }
  const grid = event.currentTarget;
  const page = Math.max(1, Math.floor(grid.clientHeight / rowPx) - 2);
  const steps: Record<string, number> = {
    ArrowDown: at + 1,
    ArrowUp: at - 1,
    PageDown: at + page,
    PageUp: at - page,
    Home: 0,
    End: view.length - 1,
  };
  const step = steps[event.key];
  if (step === undefined || view.length === 0) return undefined;
  const index = Math.min(view.length - 1, Math.max(0, step));
  reveal(grid, index, rowPx);
  return view[index]?.id;
}

function reveal(grid: HTMLElement, index: number, rowPx: number): void {
  const headPx = grid.querySelector<HTMLElement>(".grid-head")?.offsetHeight ?? 0;
  const top = index * rowPx;
  const visiblePx = grid.clientHeight - headPx;
  if (top < grid.scrollTop) grid.scrollTop = top;
  else if (top + rowPx > grid.scrollTop + visiblePx) grid.scrollTop = top + rowPx - visiblePx;
}

/** Focuses the search when the user presses slash. */
export function useSearchKey(): void {
  useEffect(() => {
    const focus = (event: KeyboardEvent) => {
      const busy =
        event.target instanceof Element && event.target.closest("input, select, textarea");
      if (event.key !== "/" || busy || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      document.getElementById("search")?.focus();
    };
    document.addEventListener("keydown", focus);
    return () => {
      document.removeEventListener("keydown", focus);
    };
  }, []);
}
