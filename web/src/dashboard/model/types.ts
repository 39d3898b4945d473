import { isBranch, type Json, TypedText, WrittenNumber } from "./json";

export interface TypeRef {
  kind: string;
  name: string | null;
  ofType?: TypeRef | null;
}

export interface FullType {
  kind: string;
  name: string;
  fields: { name: string; type: TypeRef }[] | null;
  inputFields: { name: string; type: TypeRef }[] | null;
  possibleTypes: { name: string }[] | null;
}

/** A reference to a type; lists may be nested. */
export const REF = `
fragment Ref on __Type {
  kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name
    ofType { kind name ofType { kind name ofType { kind name } } } } } } } }
}
`;

/** Asks for the types of a service. */
export const TYPES = `
query Types {
  __schema {
    types {
      kind name fields(includeDeprecated: true) { name type { ...Ref } } inputFields { name type { ...Ref } }
      possibleTypes { name }
    }
  }
}
${REF}`;

/** How much a selection may contain. */
interface Limits {
  tokensMax: number;
  aliasesMax: number;
}

// A document may have 10 levels, 2,000 tokens and 100 aliases by default, of which the fields around take a few.
const LEVELS_MAX = 6;
export const VALUE_LIMITS: Limits = { tokensMax: 1_500, aliasesMax: 90 };
export const KEY_LIMITS: Limits = { tokensMax: 300, aliasesMax: 8 };

/** What is shown as it is, without its type. */
const PLAIN = new Set(["Int", "Float", "String", "Boolean", "ID", "JSON"]);
const NUMBERS = new Set(["Int64", "Decimal"]);

/** What to select of a type, and what to make of what was selected. */
interface Selection {
  text: string;
  show: (value: unknown) => Json;
  /** Returns the argument that means a value. Throws Incomplete if not all of it was selected. */
  give: (value: unknown) => unknown;
}

/** A selection became larger than documents may be. */
class TooLarge extends Error {}

/** A value is nested deeper than it was selected. */
class Incomplete extends Error {}

/** A field with typed data. */
export class TypedData {
  private constructor(
    private readonly field: string,
    private readonly selection: Selection,
    /** Whether all of it is JSON without a type. */
    readonly isJson: boolean,
  ) {}

  /**
   * Returns a field of a type with typed data; null if there is no such field. `given` is the type of arguments that mean such
   * data.
   */
  static of(
    types: readonly FullType[],
    type: string,
    field: string,
    limits: Limits,
    given?: TypeRef,
  ): TypedData | null {
    const byName = new Map(types.map((type) => [type.name, type]));
    const data = byName.get(type)?.fields?.find(({ name }) => name === field);
    if (!data) return null;
    const selection = selectionOf(byName, limits, data.type, given);
    return new TypedData(field, selection, nullable(data.type).name === "JSON");
  }

  /** The selection of the field. */
  get text(): string {
    return `${this.field} ${this.selection.text}`.trimEnd();
  }

  /** Returns selected data as a tree; undefined if the value cannot be decoded. */
  show(data: unknown): Json | undefined {
    return data === null || data === undefined ? undefined : this.selection.show(data);
  }

  /** Returns selected data as an argument; undefined if the data is not complete. */
  give(data: unknown): unknown {
    try {
      return data === null || data === undefined ? undefined : this.selection.give(data);
    } catch (error) {
      if (error instanceof Incomplete) return undefined;
      throw error;
    }
  }
}

function selectionOf(
  types: ReadonlyMap<string, FullType>,
  limits: Limits,
  type: TypeRef,
  given?: TypeRef,
): Selection {
  for (let levels = LEVELS_MAX; levels > 0; levels--) {
    try {
      return new Selecting(types, limits).of(type, given, levels);
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

  constructor(
    private readonly types: ReadonlyMap<string, FullType>,
    private readonly limits: Limits,
  ) {}

  of(output: TypeRef, input: TypeRef | undefined, levels: number): Selection {
    const [ref, given] = [nullable(output), input && nullable(input)];
    if (ref.kind === "LIST" && ref.ofType) {
      return listOf(this.of(ref.ofType, given?.ofType ?? undefined, levels));
    }
    const type = this.types.get(ref.name ?? "");
    const inputs = this.types.get(given?.name ?? "")?.inputFields ?? [];
    if (type?.kind === "OBJECT") return levels > 0 ? this.object(type, inputs, levels, "") : CUT;
    if (type?.kind === "UNION") return levels > 0 ? this.union(type, inputs, levels) : CUT;
    return { text: "", show: leafOf(type?.kind ?? "", ref.name ?? ""), give: (value) => value };
  }

  /** Fields of members of a union have aliases that end in `suffix`, since those of another member may have other types. */
  private object(type: FullType, inputs: InputFields, levels: number, suffix: string): Selection {
    const parts = (type.fields ?? []).map(({ name, type: ref }) => {
      this.spend(suffix === "" ? 0 : 1);
      const given = inputs.find((input) => input.name === name)?.type;
      return { name, alias: name + suffix, one: this.of(ref, given, levels - 1) };
    });
    const texts = parts.map(({ name, alias, one }) =>
      `${suffix === "" ? "" : `${alias}: `}${name} ${one.text}`.trimEnd(),
    );
    const made =
      <T>(make: (one: Selection, value: unknown) => T) =>
      (value: unknown) => {
        const found = value as Record<string, unknown>;
        return Object.fromEntries(
          parts.map(({ name, alias, one }) => [name, make(one, found[alias])]),
        );
      };
    return {
      text: `{ ${texts.join(" ")} }`,
      show: made(({ show }, value) => orNull(show, value)),
      give: made(({ give }, value) => orNull(give, value)),
    };
  }

  /** The members of a union and the fields of its input are in the same order. */
  private union(type: FullType, inputs: InputFields, levels: number): Selection {
    const members = new Map<string, Member>();
    (type.possibleTypes ?? []).forEach(({ name }, i) => {
      const found = this.types.get(name);
      const input = inputs[i];
      if (found) members.set(name, this.member(found, input, levels, `_${String(i)}`));
    });
    const texts = Array.from(members, ([name, { text }]) => `... on ${name} ${text}`);
    return {
      text: `{ __typename ${texts.join(" ")} }`,
      show: (value) => {
        const name = typenameOf(value);
        return { [name]: members.get(name)?.show(value) ?? null };
      },
      give: (value) => {
        const member = members.get(typenameOf(value));
        if (member?.input === undefined) throw new Incomplete();
        return { [member.input]: member.give(value) };
      },
    };
  }

  private member(
    type: FullType,
    input: InputField | undefined,
    levels: number,
    suffix: string,
  ): Member {
    const named = input && namedIn(input.type);
    // What is not a record is wrapped in a type of its own, but not as an input.
    const isWrapped = named !== `${type.name}Input`;
    const inputs = isWrapped
      ? input && [{ name: "value", type: input.type }]
      : this.types.get(named)?.inputFields;
    const whole = this.object(type, inputs ?? [], levels, suffix);
    const give = (value: unknown) => {
      const given = whole.give(value) as Record<string, unknown>;
      return isWrapped ? given.value : given;
    };
    return { text: whole.text, show: whole.show, give, input: input?.name };
  }

  private spend(aliases: number): void {
    this.tokens += 3 + 2 * aliases;
    this.aliases += aliases;
    if (this.tokens > this.limits.tokensMax || this.aliases > this.limits.aliasesMax) {
      throw new TooLarge();
    }
  }
}

type InputField = NonNullable<FullType["inputFields"]>[number];
type InputFields = readonly InputField[];

/** A member of a union, with the name of its field in the union's input. */
interface Member extends Selection {
  input: string | undefined;
}

function nullable(ref: TypeRef): TypeRef {
  return ref.kind === "NON_NULL" && ref.ofType ? ref.ofType : ref;
}

function namedIn(ref: TypeRef): string {
  return ref.ofType ? namedIn(ref.ofType) : (ref.name ?? "");
}

/** Of an object that is nested too deep, only its type. */
const CUT: Selection = {
  text: "{ __typename }",
  show: (value) => new TypedText("…", typenameOf(value)),
  give: () => {
    throw new Incomplete();
  },
};

function typenameOf(value: unknown): string {
  return (value as { __typename: string }).__typename;
}

function orNull<T>(make: (value: unknown) => T, value: unknown): T | null {
  return value === null || value === undefined ? null : make(value);
}

function listOf({ text, show, give }: Selection): Selection {
  return {
    text,
    show: (value) => {
      const items = (value as unknown[]).map((item) => orNull(show, item));
      return mapOf(items) ?? items;
    },
    give: (value) => (value as unknown[]).map((item) => orNull(give, item)),
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
