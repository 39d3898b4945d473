/** @jsxImportSource preact */
import { useRef, useState } from "preact/hooks";
import { useDashboard } from "./hooks";
import { Icon } from "./icons";

const PREFIX_WAIT_MS = 120;

/** Finds keys: by a prefix, or exactly where keys have types. */
export function KeySearch() {
  const dashboard = useDashboard(250);
  return dashboard.session.shape.keys === null ? <Prefix /> : <LookUp />;
}

function Prefix() {
  const dashboard = useDashboard(250);
  const { link } = dashboard;
  const [text, setText] = useState(link.prefix);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const typed = useRef(link.prefix);
  if (typed.current !== link.prefix) {
    // Changed by the browser history or a suggestion.
    typed.current = link.prefix;
    setText(link.prefix);
  }
  const search = (prefix: string) => {
    setText(prefix);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => {
      typed.current = prefix;
      dashboard.change({ prefix });
    }, PREFIX_WAIT_MS);
  };
  return (
    <label class="search">
      <Icon name="search" />
      <span class="unseen">Search by key prefix</span>
      <input
        id="search"
        type="search"
        placeholder="Key starts with…"
        autocomplete="off"
        spellcheck={false}
        value={text}
        onInput={(event) => {
          search(event.currentTarget.value);
        }}
      />
      <kbd aria-hidden="true">/</kbd>
    </label>
  );
}

function LookUp() {
  const dashboard = useDashboard(250);
  const [text, setText] = useState("");
  const [problem, setProblem] = useState("");
  const keys = dashboard.session.shape.keys;
  const lookUp = async () => {
    setProblem(await dashboard.lookUp(text));
  };
  return (
    <form
      class="look-up"
      onSubmit={(event) => {
        event.preventDefault();
        void lookUp();
      }}
    >
      <label class="search">
        <Icon name="search" />
        <span class="unseen">Look up a key</span>
        <input
          id="search"
          type="search"
          placeholder={keys?.isJson ? "Key as JSON…" : "Exact key…"}
          autocomplete="off"
          spellcheck={false}
          value={text}
          onInput={(event) => {
            setText(event.currentTarget.value);
            setProblem("");
          }}
        />
        <kbd aria-hidden="true">/</kbd>
      </label>
      <span class="note" role="status">
        {problem}
      </span>
    </form>
  );
}
