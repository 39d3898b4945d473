import { isBranch, type Json, TypedText, WrittenNumber } from "./json";

interface TypeRef {
  kind: string;
  name: string | null;
  ofType?: TypeRef | null;
}

export interface FullType {
  kind: string;
  name: string;
  fields: { name: string; type: TypeRef }[] | null;
  possibleTypes: { name: string }[] | null;
}

/** Asks for the types of a service; lists may be nested. */
export const TYPES = `
query Types {
  __schema { types { kind name fields(includeDeprecated: true) { name type { ...Ref } } possibleTypes { name } } }
}
fragment Ref on __Type {
  kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name
    ofType { kind name ofType { kind name ofType { kind name } } } } } } } }
}
`;

/** Asks for the fields of a type. */
export const FIELDS = `query Fields($name: String!) { __type(name: $name) { fields { name } } }`;

// A document may have 10 levels, 2,000 tokens and 100 aliases by default, of which the fields around take a few.
const LEVELS_MAX = 6;
const TOKENS_MAX = 1_500;
const ALIASES_MAX = 90;

/** What is shown as it is, without its type. */
const PLAIN = new Set(["Int", "Float", "String", "Boolean", "ID", "JSON"]);
const NUMBERS = new Set(["Int64", "Decimal"]);

/** What to select of a type, and how to show what was selected. */
interface Selection {
  text: string;
  show: (value: unknown) => Json;
}

/** A selection became larger than documents may be. */
class TooLarge extends Error {}

/** The typed data of a table. */
export class TypedData {
  private constructor(private readonly selection: Selection) {}

  /** Returns the typed data of the entries of that type; null if they have none. */
  static of(types: readonly FullType[], entry: string): TypedData | null {
    const byName = new Map(types.map((type) => [type.name, type]));
    const data = byName.get(entry)?.fields?.find(({ name }) => name === "data");
    return data ? new TypedData(selectionOf(byName, data.type)) : null;
  }

  /** The selection of `data`. */
  get text(): string {
    return `data ${this.selection.text}`;
  }

  /** Returns selected data as a tree; undefined if the value cannot be decoded. */
  show(data: unknown): Json | undefined {
    return data === null || data === undefined ? undefined : this.selection.show(data);
  }
}

function selectionOf(types: ReadonlyMap<string, FullType>, type: TypeRef): Selection {
  for (let levels = LEVELS_MAX; levels > 0; levels--) {
    try {
      return new Selecting(types).of(type, levels);
    } catch (error) {
      if (!(error instanceof TooLarge)) throw error;
    }
  }
  return CUT;
}

/** One attempt to select everything down to some level, since types may contain themselves. */
class Selecting {
  private tokens = 0;
  private aliases = 0;

  constructor(private readonly types: ReadonlyMap<string, FullType>) {}

  of(ref: TypeRef, levels: number): Selection {
    if (ref.kind === "NON_NULL" && ref.ofType) return this.of(ref.ofType, levels);
    if (ref.kind === "LIST" && ref.ofType) return listOf(this.of(ref.ofType, levels));
    const type = this.types.get(ref.name ?? "");
    if (type?.kind === "OBJECT") return levels > 0 ? this.object(type, levels, "") : CUT;
    if (type?.kind === "UNION") return levels > 0 ? this.union(type, levels) : CUT;
    return { text: "", show: leafOf(type?.kind ?? "", ref.name ?? "") };
  }

  /** Fields of members of a union have aliases that end in `suffix`, since those of another member may have other types. */
  private object(type: FullType, levels: number, suffix: string): Selection {
    const parts = (type.fields ?? []).map(({ name, type: ref }) => {
      this.spend(suffix === "" ? 0 : 1);
      return { name, alias: name + suffix, one: this.of(ref, levels - 1) };
    });
    const texts = parts.map(({ name, alias, one }) =>
      `${suffix === "" ? "" : `${alias}: `}${name} ${one.text}`.trimEnd(),
    );
    return {
      text: `{ ${texts.join(" ")} }`,
      show: (value) => {
        const found = value as Record<string, unknown>;
        return Object.fromEntries(
          parts.map(({ name, alias, one }) => [name, orNull(one.show, found[alias])]),
        );
      },
    };
  }

  private union(type: FullType, levels: number): Selection {
    const members = new Map<string, Selection>();
    (type.possibleTypes ?? []).forEach(({ name }, i) => {
      const member = this.types.get(name);
      if (member) members.set(name, this.object(member, levels, `_${String(i)}`));
    });
    const texts = Array.from(members, ([name, { text }]) => `... on ${name} ${text}`);
    return {
      text: `{ __typename ${texts.join(" ")} }`,
      show: (value) => {
        const name = typenameOf(value);
        return { [name]: members.get(name)?.show(value) ?? null };
      },
    };
  }

  private spend(aliases: number): void {
    this.tokens += 3 + 2 * aliases;
    this.aliases += aliases;
    if (this.tokens > TOKENS_MAX || this.aliases > ALIASES_MAX) throw new TooLarge();
  }
}

/** Of an object that is nested too deep, only its type. */
const CUT: Selection = {
  text: "{ __typename }",
  show: (value) => new TypedText("…", typenameOf(value)),
};

function typenameOf(value: unknown): string {
  return (value as { __typename: string }).__typename;
}

function orNull(show: (value: unknown) => Json, value: unknown): Json {
  return value === null || value === undefined ? null : show(value);
}

function listOf({ text, show }: Selection): Selection {
  return {
    text,
    show: (value) => {
      const items = (value as unknown[]).map((item) => orNull(show, item));
      return mapOf(items) ?? items;
    },
  };
}

/** Returns a map, which is a list of keys and values, by its keys; undefined if the list is none. */
function mapOf(items: Json[]): Json | undefined {
  const pairs: [string, Json][] = [];
  for (const item of items) {
    if (typeof item !== "object" || item === null || !("key" in item) || !("value" in item)) return;
    const { key, value, ...rest } = item as Record<string, Json>;
    if (Object.keys(rest).length > 0 || value === undefined || isBranch(key)) return;
    pairs.push([String(key), value]);
  }
  const map = Object.fromEntries(pairs);
  return pairs.length > 0 && Object.keys(map).length === pairs.length ? map : undefined;
}

function leafOf(kind: string, name: string): (value: unknown) => Json {
  if (kind !== "ENUM" && PLAIN.has(name)) return (value) => value as Json;
  if (NUMBERS.has(name)) return (value) => new WrittenNumber(String(value), name);
  return (value) => new TypedText(String(value), name);
}
