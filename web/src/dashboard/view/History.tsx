/** @jsxImportSource preact */
import { Component } from "preact";
import { hexOf, textOf } from "../model/bytes";
import { changesOf } from "../model/changes";
import type { Selected } from "../model/dashboard";
import { formatCount, formatTime, formatWritten } from "../model/format";
import type { Version } from "../model/history";
import { isBranch, type Piece, preview, previewOfJson } from "../model/json";
import { jsonOf } from "../model/value";
import { visible } from "../model/visible";

const HEX_BYTES_MAX = 12;
const PIECES_MAX = 12;

interface HistoryProps {
  selected: Selected;
  past: Version | null;
  choose: (version: Version | null) => void;
}

/** The recent versions of the selected key, each with what it changed. */
export function History({ selected, past, choose }: HistoryProps) {
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
        {versions
          .map((version, i) => (
            <HistoryItem
              key={`${String(version.partition)}-${String(version.offset)}`}
              version={version}
              before={versions[i - 1]}
              chosen={version === past}
              choose={choose}
            />
          ))
          .reverse()}
      </ol>
    </section>
  );
}

interface HistoryItemProps {
  version: Version;
  /** The version before this one, if it is known. */
  before: Version | undefined;
  chosen: boolean;
  choose: (version: Version | null) => void;
}

/**
 * Versions never change, so an item renders only when its own props change. This is a class because elements kept by `useMemo`
 * would hold the list of their first rendering and, through its items, all previous lists in memory.
 */
class HistoryItem extends Component<HistoryItemProps> {
  override shouldComponentUpdate(next: HistoryItemProps): boolean {
    const { version, before, chosen, choose } = this.props;
    return (
      next.version !== version ||
      // A version that was evicted was compared before.
      (next.before !== before && next.before !== undefined) ||
      next.chosen !== chosen ||
      next.choose !== choose
    );
  }

  override render({ version, before, chosen, choose }: HistoryItemProps) {
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
          <time>{momentOf(version)}</time>
          <span class="preview">{summarise(version, before)}</span>
        </button>
      </li>
    );
  }
}

/** Returns the time of a version, or its offset if it has none. */
export function momentOf({ timestampMs, offset }: Version): string {
  return timestampMs === null
    ? `offset ${formatCount(offset)}`
    : formatTime(timestampMs, Date.now(), true);
}

/** Returns what changed since the version before; the value, where that cannot be told. */
function summarise(version: Version, before: Version | undefined): string {
  if (version.raw === null) return "deleted";
  const [now, old] = [jsonOf(version), before && jsonOf(before)];
  if (isBranch(now) && isBranch(old)) {
    return lineOf(changesOf(old, now, PIECES_MAX)) || "unchanged";
  }
  if (now !== undefined) return lineOf(previewOfJson(now, PIECES_MAX));
  const text = textOf(version.raw);
  return text === null ? hexOf(version.raw, HEX_BYTES_MAX) : lineOf(preview(text, PIECES_MAX));
}

function lineOf(pieces: readonly Piece[]): string {
  return pieces
    .map((piece) => shownPiece(piece) + (piece.role === "name" ? ": " : ", "))
    .join("")
    .slice(0, -2);
}

function shownPiece({ text, role, pointer }: Piece): string {
  return role === "number" ? formatWritten(text, pointer ?? "") : visible(text);
}
