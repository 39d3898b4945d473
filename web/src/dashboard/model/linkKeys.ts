import { base64OfId, idOf, keyOf, labelOf, nodeIdOf, undecodedKeyOf } from "./bytes";
import { jsonKeyOf, type TypedKey } from "./keys";
import { type FoundKey, KEY, LOOK_UP } from "./operations";
import type { Session } from "./session";
import type { Row } from "./table";

/** What is known of the keys of the link, which may have no rows: they were deleted, or the page holds too few. */
export class LinkKeys {
  private known = new Map<string, TypedKey>();
  private asked = new Set<string>();

  constructor(
    private readonly session: Pick<Session, "query" | "shape" | "table">,
    private readonly rowOf: (id: string) => Row | undefined,
    /** A key that was kept is known now. */
    private readonly found: () => void,
  ) {}

  /** Keeps exactly these keys. */
  keep(ids: ReadonlySet<string>): void {
    const before = this.known;
    this.known = new Map();
    if (this.session.shape.keys === null) return;
    this.asked = new Set([...this.asked].filter((id) => ids.has(id)));
    for (const id of ids) {
      const key = before.get(id) ?? this.rowOf(id)?.typed;
      if (key) this.known.set(id, key);
      else if (!this.asked.has(id)) void this.ask(id);
    }
  }

  /** Returns the argument that means a key; undefined if none is known. */
  argumentOf(id: string): unknown {
    return this.session.shape.keys === null ? base64OfId(id) : this.get(id)?.argument;
  }

  /** Returns the typed key with this id, if it is known. */
  get(id: string): TypedKey | undefined {
    return this.known.get(id) ?? this.rowOf(id)?.typed;
  }

  /** Returns the name of a key on this page. */
  label(id: string): string {
    const base64 = base64OfId(id);
    const { keys, hasJsonKeys } = this.session.shape;
    const key = this.get(id) ?? (hasJsonKeys ? jsonKeyOf(base64) : undefined);
    if (key) return labelOf(key.text);
    return keys === null ? labelOf(keyOf(base64)) : undecodedKeyOf(base64);
  }

  /**
   * Returns the id of the entry whose key a user writes; null if there is none. Throws an error whose message tells the user why
   * that is no key.
   */
  async lookUp(text: string): Promise<string | null> {
    const { keys } = this.session.shape;
    const key = (keys ? keys.parse(text) : text) as string;
    const { value } = await this.session.query({ document: LOOK_UP, variables: { key } });
    return value && idOf(value.key);
  }

  private async ask(id: string): Promise<void> {
    this.asked.add(id);
    const variables = { id: nodeIdOf(id, this.session.table) };
    const answer = await this.session.query({ document: KEY, variables }).catch(() => null);
    const key = (answer?.node as FoundKey | undefined)?.keyData;
    if (!key || !this.asked.has(id)) return;
    this.known.set(id, key);
    this.found();
  }
}
