/** @jsxImportSource preact */
import { useState } from "preact/hooks";
import { formatCounted, formatWritten } from "../model/format";
import { isBranch, type Json, numberIn, pointerOf, typeOf } from "../model/json";
import { plotName } from "../model/plots";
import { visible } from "../model/visible";
import { useFlash } from "./hooks";
import { PlotButton } from "./PlotButton";

const SHOWN_MAX = 100;
const OPEN_DEPTH = 2;
const OPEN_CHILDREN_MAX = 30;

/**
 * A JSON value as a tree, whose numbers can be plotted if it is the value of the key with this id. Typed leaves have their types
 * beside them.
 */
export function JsonTree({ id, json }: { id: string | null; json: Json }) {
  return (
    <div class="tree">
      {isBranch(json) ? (
        <Children id={id} json={json} path={[]} />
      ) : (
        <Leaf id={id} json={json} path={[]} />
      )}
    </div>
  );
}

interface NodeProps {
  id: string | null;
  json: Json;
  path: string[];
}

function Children({ id, json, path }: NodeProps) {
  const [shown, setShown] = useState(SHOWN_MAX);
  const entries = Object.entries(json as Record<string, Json>);
  if (entries.length === 0) return <span class="rest">{Array.isArray(json) ? "[]" : "{}"}</span>;
  return (
    <ul>
      {entries.slice(0, shown).map(([name, child]) => (
        <Item key={name} id={id} json={child} path={[...path, name]} name={name} />
      ))}
      {entries.length > shown && (
        <li>
          <button
            type="button"
            class="text-button"
            onClick={() => {
              setShown(shown + SHOWN_MAX);
            }}
          >
            {entries.length - shown} more
          </button>
        </li>
      )}
    </ul>
  );
}

function Item({ id, json, path, name }: NodeProps & { name: string }) {
  const count = isBranch(json) ? Object.keys(json).length : 0;
  const [open, setOpen] = useState(path.length < OPEN_DEPTH && count <= OPEN_CHILDREN_MAX);
  if (!isBranch(json) || count === 0) {
    return (
      <li>
        <span class="name">{visible(name)}</span>
        {isBranch(json) ? (
          <Children id={id} json={json} path={path} />
        ) : (
          <Leaf id={id} json={json} path={path} />
        )}
      </li>
    );
  }
  return (
    <li>
      <button
        type="button"
        class="branch"
        aria-expanded={open}
        onClick={() => {
          setOpen(!open);
        }}
      >
        <span class="name">{visible(name)}</span>{" "}
        <span class="rest">{formatCounted(count, Array.isArray(json) ? "item" : "field")}</span>
      </button>
      {open && <Children id={id} json={json} path={path} />}
    </li>
  );
}

function Leaf(props: NodeProps) {
  const type = typeOf(props.json) ?? "";
  return (
    <>
      <PlainLeaf {...props} />
      {type !== "" && <span class="rest"> {type}</span>}
    </>
  );
}

function PlainLeaf({ id, json, path }: NodeProps) {
  const text = isBranch(json) ? "" : String(json);
  const flash = useFlash(text);
  if (numberIn(json) !== null && id !== null) {
    const plot = { id, pointer: pointerOf(path) };
    return (
      <PlotButton
        key={plotName(plot)}
        plot={plot}
        text={formatWritten(text, plot.pointer)}
        exact={text}
      />
    );
  }
  const kind = typeof json === "string" ? "string" : "word";
  return <span class={`leaf ${kind} ${flash}`}>{text === "" ? "empty" : visible(text)}</span>;
}
