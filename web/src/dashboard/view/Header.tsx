/** @jsxImportSource preact */
import { useState } from "preact/hooks";
import { useDashboard } from "./hooks";
import { Icon } from "./icons";

const MESSAGE_MS = 2000;

export function Header() {
  const { status } = useDashboard(1000);
  return (
    <header class="header">
      <svg class="mark" viewBox="0 0 24 24" aria-hidden="true">
        <path d="M3 17l5-6 4 3.500 5-8 4 4" />
        <circle cx="17" cy="6.500" r="2.200" />
      </svg>
      <h1>
        kvs-graphql
        {status && <span class="topic"> {status.topic}</span>}
      </h1>
      <CopyLink />
      <a class="button" href="./graphql">
        Playground
      </a>
    </header>
  );
}

function CopyLink() {
  const [text, setText] = useState("Copy link");
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(location.href);
      setText("Copied");
    } catch {
      // Pages may not use the clipboard without HTTPS.
      setText("See the address bar");
    }
    setTimeout(() => {
      setText("Copy link");
    }, MESSAGE_MS);
  };
  return (
    <button
      type="button"
      class="button"
      onClick={() => void copy()}
      title="Copy a link to this view"
    >
      <Icon name="link" />
      <span aria-live="polite">{text}</span>
    </button>
  );
}
