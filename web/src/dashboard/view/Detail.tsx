/** @jsxImportSource preact */
import { useCallback, useLayoutEffect, useRef, useState } from "preact/hooks";
import { byteLength } from "../model/bytes";
import type { Dashboard, Selected } from "../model/dashboard";
import { formatBytes, formatCount, formatRate, formatTime } from "../model/format";
import type { Version } from "../model/history";
import { isBranch } from "../model/json";
import type { Row } from "../model/table";
import type { Recorded } from "../model/value";
import { History, momentOf } from "./History";
import { useDashboard } from "./hooks";
import { Bars, Icon } from "./icons";
import { JsonTree } from "./JsonTree";
import { togglePin } from "./Keys";
import { Headers, Value } from "./Value";

const RATE_SECONDS = 10;
/** Faster updates would not be readable. */
const PAINT_MS = 200;
/** The heading of a longer key can be scrolled. */
const KEY_CHARACTERS_MAX = 200;

/** Everything about the selected key. */
export function Detail({ id }: { id: string }) {
  const dashboard = useDashboard(PAINT_MS);
  const panel = useRef<HTMLElement>(null);
  const [chosen, choose] = useState<Version | null>(null);
  // Not `useEffect`: by the next frame the user may have moved the focus elsewhere.
  useLayoutEffect(() => {
    const before = document.activeElement;
    panel.current?.focus({ preventScroll: true });
    return () => {
      if (before instanceof HTMLElement && before.isConnected)
        before.focus({ preventScroll: true });
    };
  }, []);
  const chooseVersion = useCallback(
    (version: Version | null) => {
      choose(version);
      if (version?.headers === null) dashboard.completeHistory();
    },
    [dashboard],
  );
  const { selected } = dashboard;
  if (selected?.id !== id) return null;
  const { history } = selected;
  const row = dashboard.row(id);
  // The history may have been loaded again.
  const past = chosen && (history.find(chosen.partition, chosen.offset) ?? chosen);
  const latest = row && history.find(row.partition, row.offset);
  const close = () => {
    dashboard.change({ key: null }, true);
  };
  return (
    <aside
      ref={panel}
      class="detail"
      aria-label="Selected key"
      tabIndex={-1}
      onKeyDown={(event) => {
        if (event.key === "Escape") close();
      }}
    >
      <Head dashboard={dashboard} id={id} close={close} />
      <Activity dashboard={dashboard} selected={selected} />
      <Key id={id} />
      <Facts record={past ?? row} />
      <h3>{past ? `Value at ${momentOf(past)}` : "Value"}</h3>
      {past && (
        <button
          type="button"
          class="button back"
          onClick={() => {
            choose(null);
          }}
        >
          Back to the latest value
        </button>
      )}
      <Shown id={id} value={past ?? row} known={dashboard.knows(id)} />
      <Headers headers={(past ?? latest)?.headers ?? []} />
      <History selected={selected} past={past} choose={chooseVersion} />
    </aside>
  );
}

function Head(props: { dashboard: Dashboard; id: string; close: () => void }) {
  const { dashboard, id, close } = props;
  const pinned = dashboard.link.pins.includes(id);
  const key = dashboard.keys.label(id);
  return (
    <div class="detail-head">
      <h2 {...(key.length > KEY_CHARACTERS_MAX && { tabIndex: 0 })}>{key}</h2>
      <button
        type="button"
        class="icon-button"
        aria-pressed={pinned}
        aria-label="Pin this key"
        title={pinned ? "Unpin" : "Pin"}
        onClick={() => {
          togglePin(dashboard, id);
        }}
      >
        <Icon name="pin" />
      </button>
      <button type="button" class="icon-button" aria-label="Close" title="Close" onClick={close}>
        <Icon name="close" />
      </button>
    </div>
  );
}

/** The parts of a key that has some. */
function Key({ id }: { id: string }) {
  const dashboard = useDashboard(PAINT_MS);
  const json = dashboard.keys.get(id)?.json;
  if (!isBranch(json)) return null;
  return (
    <section aria-label="Key">
      <h3>Key</h3>
      <JsonTree id={null} json={json} />
    </section>
  );
}

function Activity({ dashboard, selected }: { dashboard: Dashboard; selected: Selected }) {
  const now = Date.now();
  const known = dashboard.known(now) === "all";
  const rate = selected.changes.rate(now, RATE_SECONDS);
  return (
    <div class="activity">
      <Bars values={selected.changes.read(now)} />
      <p>
        <span>
          <strong>{known ? formatRate(rate) : "–"}</strong> changes, averaged over {RATE_SECONDS} s
        </span>
        <span>last minute</span>
      </p>
    </div>
  );
}

/** About the record that is shown: the latest one, or the one chosen in the history. */
function Facts({ record }: { record: Row | Version | undefined }) {
  const { timestampMs = null, raw = null } = record ?? {};
  return (
    <dl class="facts">
      <Fact
        name="Changed"
        value={timestampMs === null ? "–" : formatTime(timestampMs, Date.now())}
      />
      <Fact name="Size" value={raw === null ? "–" : formatBytes(byteLength(raw))} />
      <Fact name="Partition" value={record ? String(record.partition) : "–"} />
      <Fact name="Offset" value={record ? formatCount(record.offset) : "–"} />
    </dl>
  );
}

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function Shown(props: { id: string; value: Recorded | undefined; known: boolean }) {
  const { id, value, known } = props;
  if (value?.raw === null) return <p class="note">The key was deleted by this change.</p>;
  if (value?.raw === undefined) {
    return (
      <p class="note">
        {known ? "This key has no value now. A new value will appear here." : "Loading…"}
      </p>
    );
  }
  return (
    <>
      {value.problem !== undefined && <p class="note">{value.problem}</p>}
      <Value id={id} raw={value.raw} typed={value.json} />
    </>
  );
}
