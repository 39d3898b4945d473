/** @jsxImportSource preact */
import { hexOf, textOf } from "../model/bytes";
import type { Dashboard, TimeRange } from "../model/dashboard";
import { formatSpan, formatValue, formatWritten, unitOf } from "../model/format";
import { isBranch, type Json, leafOf, numberIn, pointerOf } from "../model/json";
import { SPANS_SECONDS } from "../model/link";
import { plotName } from "../model/plots";
import type { Row } from "../model/table";
import { jsonOf } from "../model/value";
import { visible } from "../model/visible";
import { useDashboard, useFlash } from "./hooks";
import { Icon } from "./icons";
import { togglePin } from "./Keys";
import { PlotButton } from "./PlotButton";
import { PlotChart } from "./PlotChart";

const LINES_MAX = 5;
/** More plots than this need a second row on most screens, so they are lower. */
const ONE_ROW_MAX = 3;
const ZOOM = 2;
const PAN = 0.5;
const SPAN_MS_MIN = 1_000;

/** Pinned keys and plots. */
export function Board() {
  const dashboard = useDashboard(250);
  const { pins, charts } = dashboard.link;
  if (pins.length === 0 && charts.length === 0) return null;
  return (
    <section class="board" aria-label="Pinned keys and plots">
      {pins.length > 0 && (
        <ul class="pins">
          {pins.map((id) => (
            <PinCard key={id} id={id} />
          ))}
        </ul>
      )}
      {charts.length > 0 && (
        <>
          <TimeBar dashboard={dashboard} />
          <div class="plots" data-many={charts.length > ONE_ROW_MAX}>
            {charts.map((chart, i) => (
              <PlotChart key={chart.map(plotName).join()} chart={chart} index={i} />
            ))}
          </div>
        </>
      )}
    </section>
  );
}

function PinCard({ id }: { id: string }) {
  const dashboard = useDashboard(100);
  const row = dashboard.row(id);
  const key = dashboard.keys.label(id);
  return (
    <li class="pin-card">
      <div class="pin-head">
        <button
          type="button"
          class="text-button clamped"
          title={`Open ${key}`}
          onClick={() => {
            dashboard.change({ key: id }, true);
          }}
        >
          {key}
        </button>
        <button
          type="button"
          class="icon-button"
          aria-label={`Unpin ${key}`}
          onClick={() => {
            togglePin(dashboard, id);
          }}
        >
          <Icon name="close" />
        </button>
      </div>
      {row ? (
        <PinValue id={id} value={row} />
      ) : (
        <p class="note">{dashboard.knows(id) ? "No value now" : "Loading…"}</p>
      )}
    </li>
  );
}

function PinValue({ id, value }: { id: string; value: Row }) {
  const json = jsonOf(value);
  if (!isBranch(json)) {
    const shown = json ?? textOf(value.raw) ?? hexOf(value.raw, 16);
    return <PinLeaf id={id} json={shown} pointer="" />;
  }
  const fields = Object.entries(json);
  const shown = fields.length > LINES_MAX ? LINES_MAX - 1 : fields.length;
  return (
    <dl>
      {fields.slice(0, shown).map(([name, value]) => (
        <div key={name}>
          <dt>{visible(name)}</dt>
          <dd>
            <PinLeaf id={id} json={value} pointer={pointerOf([name])} />
          </dd>
        </div>
      ))}
      {fields.length > shown && <div class="rest">{fields.length - shown} more</div>}
    </dl>
  );
}

function PinLeaf({ id, json, pointer }: { id: string; json: Json; pointer: string }) {
  const text = isBranch(json) ? leafOf(json, pointer).text : String(json) || "empty";
  const flash = useFlash(text);
  const number = numberIn(json);
  if (number === null) return <span class={`leaf ${flash}`}>{visible(text)}</span>;
  const unit = unitOf(pointer);
  const shown = unit === "none" ? formatWritten(text, pointer) : formatValue(number, unit);
  return <PlotButton plot={{ id, pointer }} text={shown} exact={text} />;
}

/** The time range that all plots share. */
function TimeBar({ dashboard }: { dashboard: Dashboard }) {
  const { range, link } = dashboard;
  const spanMs = link.spanSeconds * 1000;
  const now = dashboard.recorder.clock.now(Date.now());
  const shown = range ?? { fromMs: now - spanMs, toMs: now };
  const set = (next: TimeRange) => {
    dashboard.setRange(next);
  };
  return (
    <div class="time-bar" role="group" aria-label="Time range of the plots">
      <div class="spans">
        {SPANS_SECONDS.map((seconds) => (
          <button
            key={seconds}
            type="button"
            aria-pressed={range === null && seconds === link.spanSeconds}
            onClick={() => {
              set(null);
              dashboard.change({ spanSeconds: seconds });
            }}
          >
            {formatSpan(seconds)}
          </button>
        ))}
      </div>
      <IconButton
        name="zoomIn"
        label="Zoom in"
        act={() => {
          set(zoomed(shown, 1 / ZOOM, range === null));
        }}
      />
      <IconButton
        name="zoomOut"
        label="Zoom out"
        act={() => {
          set(zoomed(shown, ZOOM, range === null));
        }}
      />
      <IconButton
        name="back"
        label="Earlier"
        act={() => {
          set(moved(shown, -PAN));
        }}
      />
      <IconButton
        name="forth"
        label="Later"
        act={() => {
          set(moved(shown, PAN));
        }}
      />
      <button
        type="button"
        class="button"
        aria-pressed={range !== null}
        onClick={() => {
          set(range ? null : shown);
        }}
      >
        <Icon name={range ? "play" : "pause"} />
        {range ? "Resume" : "Pause"}
      </button>
      {range && <span class="note">Paused; new values are still recorded</span>}
      <span class="note hint">Drag across a plot to zoom</span>
    </div>
  );
}

function IconButton(props: {
  name: "zoomIn" | "zoomOut" | "back" | "forth";
  label: string;
  act: () => void;
}) {
  return (
    <button
      type="button"
      class="icon-button"
      aria-label={props.label}
      title={props.label}
      onClick={props.act}
    >
      <Icon name={props.name} />
    </button>
  );
}

type Range = NonNullable<TimeRange>;

/** Zooms around the middle, or around the present while the plots follow it. */
function zoomed({ fromMs, toMs }: Range, factor: number, following: boolean): Range {
  const width = Math.max(SPAN_MS_MIN, (toMs - fromMs) * factor);
  const end = following ? toMs : (fromMs + toMs + width) / 2;
  return { fromMs: end - width, toMs: end };
}

function moved({ fromMs, toMs }: Range, share: number): Range {
  const step = (toMs - fromMs) * share;
  return { fromMs: fromMs + step, toMs: toMs + step };
}
