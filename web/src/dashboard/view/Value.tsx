/** @jsxImportSource preact */
import { useState } from "preact/hooks";
import { byteLength, hexOf, textOf } from "../model/bytes";
import { formatBytes } from "../model/format";
import { isBranch, isObject, type Json, parseJson } from "../model/json";
import type { Header } from "../model/operations";
import { textOfJson } from "../model/value";
import { visible, visibleLines } from "../model/visible";
import { CopyButton } from "./CopyButton";
import { JsonTree } from "./JsonTree";

const HEX_BYTES_SHOWN = 512;
const HEADER_CHARACTERS_MAX = 1000;
const NAMES = { tree: "Tree", raw: "Raw", hex: "Hex" } as const;

type Form = keyof typeof NAMES;

/** A value as a tree, as text and as bytes, which can be copied. */
export function Value(props: { id: string; raw: string; typed: Json | undefined }) {
  const { id, raw, typed } = props;
  const [chosen, choose] = useState<Form | null>(null);
  if (raw === "" && typed === undefined) return <p class="note">The value is empty.</p>;
  const own = textOf(raw);
  const ownJson = own === null ? undefined : parseJson(own);
  const json = typed ?? ownJson;
  // Bytes of other formats may look like a number or a word.
  const rawText = typed === undefined || isObject(ownJson) ? own : textOfJson(typed);
  const forms = formsOf(rawText, json);
  const form = forms.find((one) => one === chosen) ?? forms[0] ?? "hex";
  const text = form === "tree" && typed !== undefined ? textOfJson(typed) : rawText;
  return (
    <>
      <div class="forms">
        <div class="spans" role="group" aria-label="Form of the value">
          {forms.map((one) => (
            <button
              key={one}
              type="button"
              aria-pressed={one === form}
              onClick={() => {
                choose(one);
              }}
            >
              {NAMES[one]}
            </button>
          ))}
        </div>
        <CopyButton
          icon="copy"
          label="Copy value"
          title={form === "hex" ? "Copy the bytes as hex" : "Copy the value"}
          text={() => (form === "hex" || text === null ? wholeHexOf(raw) : text)}
          refused="Copying needs HTTPS"
        />
      </div>
      {text === null && <p class="note">Not UTF-8 text. Bytes:</p>}
      {form === "tree" && json !== undefined && (
        <JsonTree key={isBranch(json) ? "tree" : "leaf"} id={id} json={json} />
      )}
      {form === "raw" && <pre class="raw">{visibleLines(rawText ?? "")}</pre>}
      {form === "hex" && <Hex raw={raw} />}
    </>
  );
}

function formsOf(text: string | null, json: Json | undefined): Form[] {
  if (text === null) return ["hex"];
  return json === undefined ? ["raw", "hex"] : ["tree", "raw", "hex"];
}

function wholeHexOf(raw: string): string {
  return hexOf(raw, byteLength(raw));
}

function Hex({ raw }: { raw: string }) {
  const [whole, setWhole] = useState(false);
  const bytes = byteLength(raw);
  const cut = !whole && bytes > HEX_BYTES_SHOWN;
  return (
    <>
      <pre class="raw">{cut ? hexOf(raw, HEX_BYTES_SHOWN) : wholeHexOf(raw)}</pre>
      {cut && (
        <button
          type="button"
          class="text-button"
          onClick={() => {
            setWhole(true);
          }}
        >
          Show all {formatBytes(bytes)}
        </button>
      )}
    </>
  );
}

/** The headers of a record. */
export function Headers({ headers }: { headers: readonly Header[] }) {
  if (headers.length === 0) return null;
  return (
    <section aria-label="Headers">
      <h3>Headers</h3>
      <dl class="headers">
        {headers.map(({ key, value }, i) => (
          // Names may repeat.
          <div key={i}>
            <dt>{key === "" ? "(empty name)" : visible(key)}</dt>
            <dd>
              {headerText(value) ?? <span class="rest">{value === null ? "null" : "empty"}</span>}
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function headerText(value: string | null): string | null {
  if (value === null || value === "") return null;
  const text = textOf(value) ?? hexOf(value, HEADER_CHARACTERS_MAX / 3);
  const shown = visible(text.slice(0, HEADER_CHARACTERS_MAX));
  return text.length > HEADER_CHARACTERS_MAX ? `${shown}…` : shown;
}
