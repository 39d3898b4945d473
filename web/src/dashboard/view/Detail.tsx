/** @jsxImportSource preact */
import { Component } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { base64OfId, byteLength, hexOf, keyOf, textOf } from "../model/bytes";
import type { Dashboard, Selected } from "../model/dashboard";
import { formatBytes, formatCount, formatRate, formatTime } from "../model/format";
import type { Version } from "../model/history";
import { isBranch, parseJson, preview } from "../model/json";
import type { Row } from "../model/table";
import { useDashboard } from "./hooks";
import { Bars, Icon } from "./icons";
import { JsonTree } from "./JsonTree";
import { togglePin } from "./Keys";

const HEX_BYTES_MAX = 512;
const PIECES_MAX = 12;
const RATE_SECONDS = 10;
/** Faster updates would not be readable. */
const PAINT_MS = 200;

/** Everything about the selected key. */
export function Detail({ id }: { id: string }) {
  const dashboard = useDashboard(PAINT_MS);
  const panel = useRef<HTMLElement>(null);
  const [past, setPast] = useState<Version | null>(null);
  // Not `useEffect`: by the next frame the user may have moved the focus elsewhere.
  useLayoutEffect(() => {
    const before = document.activeElement;
    panel.current?.focus({ preventScroll: true });
    return () => {
      if (before instanceof HTMLElement && before.isConnected)
        before.focus({ preventScroll: true });
    };
  }, []);
  const { selected } = dashboard;
  if (selected?.id !== id) return null;
  const row = dashboard.row(id);
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
      <Facts dashboard={dashboard} selected={selected} row={row} />
      <h3>{past ? `Value at ${timeOf(past)}` : "Value"}</h3>
      {past && (
        <button
          type="button"
          class="button"
          onClick={() => {
            setPast(null);
          }}
        >
          Back to the latest value
        </button>
      )}
      <Value id={id} raw={past ? past.raw : row?.raw} known={dashboard.knows(id)} />
      <History selected={selected} past={past} choose={setPast} />
    </aside>
  );
}

function Head(props: { dashboard: Dashboard; id: string; close: () => void }) {
  const { dashboard, id, close } = props;
  const pinned = dashboard.link.pins.includes(id);
  return (
    <div class="detail-head">
      <h2>{keyOf(base64OfId(id)) || "(empty key)"}</h2>
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

function Facts(props: { dashboard: Dashboard; selected: Selected; row: Row | undefined }) {
  const { selected, row } = props;
  const now = Date.now();
  const rate = selected.changes.rate(now, RATE_SECONDS);
  return (
    <>
      <div class="activity">
        <Bars values={selected.changes.read(now)} />
        <p>
          <span>
            <strong>{formatRate(rate)}</strong> changes, averaged over {RATE_SECONDS} s
          </span>
          <span>last minute</span>
        </p>
      </div>
      <dl class="facts">
        <Fact name="Changed" value={row ? formatTime(row.timestampMs, now) : "–"} />
        <Fact name="Size" value={row ? formatBytes(byteLength(row.raw)) : "–"} />
        <Fact name="Partition" value={row ? String(row.partition) : "–"} />
        <Fact name="Offset" value={row ? formatCount(row.offset) : "–"} />
      </dl>
    </>
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

function Value(props: { id: string; raw: string | null | undefined; known: boolean }) {
  const { id, raw, known } = props;
  if (raw === null) return <p class="note">The key was deleted by this change.</p>;
  if (raw === undefined) {
    return (
      <p class="note">
        {known ? "This key has no value now. A new value will appear here." : "Loading…"}
      </p>
    );
  }
  const text = textOf(raw);
  if (text === null) {
    return (
      <>
        <p class="note">Not UTF-8 text. Bytes:</p>
        <pre class="raw">{hexOf(raw, HEX_BYTES_MAX)}</pre>
      </>
    );
  }
  const json = parseJson(text);
  if (json !== undefined)
    return <JsonTree key={isBranch(json) ? "tree" : "leaf"} id={id} json={json} />;
  return text === "" ? <p class="note">The value is empty.</p> : <pre class="raw">{text}</pre>;
}

function History(props: {
  selected: Selected;
  past: Version | null;
  choose: (version: Version | null) => void;
}) {
  const { selected, past, choose } = props;
  const { versions, state } = selected.history;
  return (
    <section class="history" aria-label="History">
      <h3>History</h3>
      {state === "failed" && (
        <p class="note">Earlier changes could not be loaded. New changes appear here.</p>
      )}
      {state === "loading" && <p class="note">Loading…</p>}
      {state === "loaded" && versions.length === 0 && (
        <p class="note">No recent change of this key is available. New changes appear here.</p>
      )}
      <ol>
        {versions.toReversed().map((version) => (
          <HistoryItem
            key={`${String(version.partition)}-${String(version.offset)}`}
            version={version}
            chosen={version === past}
            choose={choose}
          />
        ))}
      </ol>
    </section>
  );
}

interface HistoryItemProps {
  version: Version;
  chosen: boolean;
  choose: (version: Version | null) => void;
}

/**
 * Versions never change, so an item renders only when its own props change. This is a class because elements kept by `useMemo`
 * would hold the list of their first rendering and, through its items, all previous lists in memory.
 */
class HistoryItem extends Component<HistoryItemProps> {
  override shouldComponentUpdate(next: HistoryItemProps): boolean {
    const { version, chosen, choose } = this.props;
    return next.version !== version || next.chosen !== chosen || next.choose !== choose;
  }

  override render({ version, chosen, choose }: HistoryItemProps) {
    return (
      <li>
        <button
          type="button"
          class="version"
          aria-pressed={chosen}
          onClick={() => {
            choose(chosen ? null : version);
          }}
        >
          <time>{timeOf(version)}</time>
          <span class="preview">{summarise(version)}</span>
        </button>
      </li>
    );
  }
}

function timeOf({ timestampMs, offset }: Version): string {
  return timestampMs === null
    ? `offset ${formatCount(offset)}`
    : formatTime(timestampMs, Date.now(), true);
}

function summarise({ raw }: Version): string {
  if (raw === null) return "deleted";
  const text = textOf(raw);
  if (text === null) return hexOf(raw, PIECES_MAX);
  return preview(text, PIECES_MAX)
    .map(({ text: piece, role }) => (role === "name" ? `${piece}:` : piece))
    .join(" ");
}
