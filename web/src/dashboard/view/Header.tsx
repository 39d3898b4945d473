/** @jsxImportSource preact */
import { CopyButton } from "./CopyButton";
import { useDashboard } from "./hooks";

export function Header() {
  const { status, access } = useDashboard(1000);
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
      <CopyButton
        icon="link"
        label="Copy link"
        title="Copy a link to this view"
        text={() => location.href}
        refused="See the address bar"
      />
      <a class="button" href="./graphql">
        Playground
      </a>
      {access.action !== null && (
        <button type="button" class="button" onClick={() => void access.act()}>
          {access.action}
        </button>
      )}
    </header>
  );
}
