import { hexOf, labelOf, textOf } from "../model/bytes";
import { formatAge, formatRate, formatWritten } from "../model/format";
import { type Piece, preview, previewOfJson } from "../model/json";
import { TABLE_RATE_MAX } from "../model/limits";
import { NEVER, rateOf } from "../model/rates";
import { plotName } from "../model/plots";
import type { Row } from "../model/table";
import { visible } from "../model/visible";

const OVERSCAN_ROWS = 4;
const PIECES_MAX = 24;
const HEX_BYTES_MAX = 24;
/** How long a changed value glows; it is weaker in the second half. */
const GLOW_MS = 900;
const GLOW_CHECK_MS = 150;
const SLOW_MS = 500;

export interface Scene {
  rows: readonly Row[];
  activeId: string | null;
  selectedId: string | null;
  pinned: ReadonlySet<string>;
  plotted: ReadonlySet<string>;
  sinceMs: number;
  /** Whether the page knows how often rows change. */
  ratesKnown: boolean;
}

/** Draws the visible rows with a pool of elements, without a framework, since thousands may change per second. */
export class Rows {
  private pool: RowElement[] = [];
  private paintedMs = 0;
  private slowMs = 0;

  constructor(
    private readonly scroller: HTMLElement,
    private readonly sizer: HTMLElement,
  ) {}

  /** Paints the visible rows; returns the milliseconds after which it must paint again without a change. */
  paint(scene: Scene, rowPx: number, headPx: number): number | null {
    const now = Date.now();
    const slow = now - this.slowMs >= SLOW_MS;
    if (slow) this.slowMs = now;
    this.sizer.style.height = `${String(scene.rows.length * rowPx)}px`;
    const visiblePx = this.scroller.clientHeight - headPx;
    const first = Math.max(0, Math.floor(this.scroller.scrollTop / rowPx) - OVERSCAN_ROWS);
    this.provide(Math.ceil(visiblePx / rowPx) + 2 * OVERSCAN_ROWS + 1);
    let glows = false;
    for (let i = first; i < first + this.pool.length; i++) {
      // A row keeps its element while scrolling.
      const element = this.pool[i % this.pool.length];
      const row = scene.rows[i];
      if (row && element) {
        element.show(row, i, rowPx, scene, now, this.paintedMs, slow);
        glows = element.glow(now) || glows;
      } else element?.hide();
    }
    this.paintedMs = now;
    return glows ? GLOW_CHECK_MS : null;
  }

  /** Forces every element to render again. */
  forget(): void {
    for (const element of this.pool) element.forget();
  }

  private provide(count: number): void {
    while (this.pool.length < count) {
      const element = new RowElement();
      this.sizer.append(element.root);
      this.pool.push(element);
    }
    for (const element of this.pool.splice(count)) element.root.remove();
  }
}

class RowElement {
  readonly root = element("div", "row", "row");
  private readonly pin = document.createElement("button");
  private readonly head = element("span", "head");
  private readonly tail = element("span", "tail");
  private readonly value = element("span", "value", "gridcell");
  private readonly pieces: HTMLElement[] = [];
  private readonly rate = element("span", "rate", "gridcell");
  private readonly age = element("span", "age", "gridcell");
  /** Null while the element shows no row; the empty key has an empty id. */
  private id: string | null = null;
  private raw: string | null = null;
  private index = -1;
  private plotted: ReadonlySet<string> | null = null;
  private litMs = 0;

  constructor() {
    this.root.hidden = true;
    const pinCell = element("span", "pin-cell", "gridcell");
    const key = element("span", "key", "gridcell");
    this.pin.type = "button";
    this.pin.tabIndex = -1;
    this.pin.className = "pin";
    this.pin.innerHTML =
      '<svg class="icon icon-pin" viewBox="0 0 24 24" aria-hidden="true"><path d="M10 2h4l-.6 6.2L17 12v2h-4v6l-1 2-1-2v-6H7v-2l3.600-3.800z"/></svg>';
    pinCell.append(this.pin);
    key.append(this.head, this.tail);
    this.root.append(pinCell, key, this.value, this.rate, this.age);
  }

  show(
    row: Row,
    index: number,
    rowPx: number,
    scene: Scene,
    now: number,
    paintedMs: number,
    slow: boolean,
  ): void {
    const other = row.id !== this.id;
    if (other) this.become(row);
    if (index !== this.index) {
      this.index = index;
      this.root.style.transform = `translateY(${String(index * rowPx)}px)`;
      // The header is the first row.
      this.root.setAttribute("aria-rowindex", String(index + 2));
    }
    if (other || row.raw !== this.raw || scene.plotted !== this.plotted) {
      this.raw = row.raw;
      this.plotted = scene.plotted;
      const fresh = row.flashMs > paintedMs;
      if (fresh) this.litMs = now;
      this.write(previewOf(row), row.id, scene.plotted, fresh, other);
    }
    if (other || slow) {
      const rate = row.score === NEVER ? 0 : rateOf(row.score, now, scene.sinceMs);
      setText(this.rate, scene.ratesKnown ? formatSeenRate(rate) : "–");
      setText(this.age, formatAge(now - row.timestampMs));
    }
    this.mark(row.id, scene);
  }

  /** Dims the highlight; returns whether the row still glows. */
  glow(now: number): boolean {
    const age = now - this.litMs;
    const level = age < GLOW_MS / 2 ? 2 : age < GLOW_MS ? 1 : 0;
    if (this.value.dataset.glow !== String(level)) this.value.dataset.glow = String(level);
    return level > 0;
  }

  hide(): void {
    if (this.index === -1) return;
    this.index = -1;
    this.forget();
    this.root.hidden = true;
  }

  forget(): void {
    this.id = null;
    this.index = -1;
  }

  private become(row: Row): void {
    this.id = row.id;
    this.root.hidden = false;
    this.root.dataset.id = row.id;
    this.root.id = `row-${row.id}`;
    const key = labelOf(row.key);
    const cut = key.lastIndexOf("/", key.length - 2) + 1;
    setText(this.head, key.slice(0, cut));
    setText(this.tail, key.slice(cut));
    this.root.title = key;
    this.pin.setAttribute("aria-label", `Pin ${key}`);
    this.litMs = 0;
  }

  /** Writes the value. `fresh` highlights the changed pieces, or all of them if the row is new (`other`). */
  private write(
    pieces: Piece[],
    id: string,
    plotted: ReadonlySet<string>,
    fresh: boolean,
    other: boolean,
  ): void {
    while (this.pieces.length < pieces.length) {
      const span = document.createElement("span");
      this.pieces.push(span);
      this.value.append(span);
    }
    this.pieces.forEach((span, i) => {
      const piece = pieces[i];
      span.hidden = !piece;
      if (!piece) return;
      const text = textOfPiece(piece);
      const differs = span.textContent !== text;
      if (differs) span.textContent = text;
      const lit = fresh && (differs || other) && piece.role !== "name";
      const name = `piece-${piece.role}${isPlotted(piece, id, plotted) ? " plotted" : ""}${lit ? " lit" : ""}`;
      if (span.className !== name) span.className = name;
      if (piece.pointer === undefined) delete span.dataset.pointer;
      else span.dataset.pointer = piece.pointer;
    });
  }

  private mark(id: string, scene: Scene): void {
    setFlag(this.root, "aria-selected", String(id === scene.selectedId));
    setFlag(this.root, "data-active", String(id === scene.activeId));
    setFlag(this.pin, "aria-pressed", String(scene.pinned.has(id)));
  }
}

/** Changes are counted a few times per second at most, so higher rates are indistinguishable. */
function formatSeenRate(perSecond: number): string {
  if (perSecond < 0.05) return "";
  return perSecond > TABLE_RATE_MAX ? `> ${String(TABLE_RATE_MAX)}/s` : formatRate(perSecond);
}

function isPlotted({ pointer }: Piece, id: string, plotted: ReadonlySet<string>): boolean {
  return pointer !== undefined && plotted.has(plotName({ id, pointer }));
}

function textOfPiece({ text, role, pointer }: Piece): string {
  return role === "number" ? formatWritten(text, pointer ?? "") : visible(text);
}

function previewOf({ raw, json }: Row): Piece[] {
  if (json !== undefined) return previewOfJson(json, PIECES_MAX);
  const text = textOf(raw);
  if (text === null) return [{ text: hexOf(raw, HEX_BYTES_MAX), role: "rest" }];
  return preview(text, PIECES_MAX);
}

function element(tag: "div" | "span", className: string, role?: string): HTMLElement {
  const made = document.createElement(tag);
  made.className = className;
  if (role) made.setAttribute("role", role);
  return made;
}

function setText(target: HTMLElement, text: string): void {
  if (target.textContent !== text) target.textContent = text;
}

function setFlag(target: HTMLElement, name: string, value: string): void {
  if (target.getAttribute(name) !== value) target.setAttribute(name, value);
}
