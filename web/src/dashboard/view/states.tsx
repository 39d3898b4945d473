/** @jsxImportSource preact */
import { useState } from "preact/hooks";
import type { Dashboard } from "../model/dashboard";
import { formatCount } from "../model/format";
import { KEYS_MAX } from "../model/limits";
import { useDashboard } from "./hooks";

/** What stands in the table's place while there are no rows. */
export function EmptyState() {
  const dashboard = useDashboard(250);
  const { main, listing, link, session, status } = dashboard;
  const { connection } = session;
  if (connection.kind === "refused") return <Refused dashboard={dashboard} />;
  if (main.phase === "full") return <TooMany dashboard={dashboard} />;
  if (listing.rows.length > 0) return null;
  const unreachable = connection.kind !== "open" && dashboard.health(Date.now()).banner !== null;
  if (unreachable && main.rows.size === 0) {
    return (
      <div class="empty">
        <h2>The service cannot be reached</h2>
        <p>This page keeps trying, and fills as soon as the service answers.</p>
      </div>
    );
  }
  if (main.phase === "loading" && main.rows.size === 0) return <Skeleton />;
  if (link.prefix !== "") return <NoMatch dashboard={dashboard} />;
  return (
    <div class="empty">
      <h2>No keys yet</h2>
      <p>
        Keys appear here as soon as records arrive
        {status ? ` on the topic ${status.topic}` : ""}.
      </p>
    </div>
  );
}

function NoMatch({ dashboard }: { dashboard: Dashboard }) {
  return (
    <div class="empty">
      <h2>No key starts with “{dashboard.link.prefix}”</h2>
      <p>A key that does will show up here by itself.</p>
      <button
        type="button"
        class="button"
        onClick={() => {
          dashboard.change({ prefix: "" });
        }}
      >
        Show all keys
      </button>
    </div>
  );
}

function TooMany({ dashboard }: { dashboard: Dashboard }) {
  const { status, suggestions } = dashboard;
  return (
    <div class="empty">
      <h2>Too much to show at once</h2>
      <p>
        This page holds up to {formatCount(KEYS_MAX)} keys
        {status ? `, and the topic has ${formatCount(status.entries)}` : ""}. Search by a prefix to
        narrow it down. Pinned and plotted keys stay live.
      </p>
      <ul class="suggestions">
        {suggestions.map(({ prefix, count }) => (
          <li key={prefix}>
            <button
              type="button"
              class="button"
              onClick={() => {
                dashboard.change({ prefix });
              }}
            >
              <code>{prefix}</code> <span>{formatCount(count)}+</span>
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}

function Refused({ dashboard }: { dashboard: Dashboard }) {
  const [token, setToken] = useState("");
  return (
    <div class="empty">
      <h2>You need access to see this</h2>
      <p>Sign in where your organisation lets you, then reload. Or use a token for this service.</p>
      <form
        class="token"
        onSubmit={(event) => {
          event.preventDefault();
          dashboard.session.useToken(token);
        }}
      >
        <label for="token">Token, kept until this tab is closed</label>
        <input
          id="token"
          type="password"
          autocomplete="off"
          required
          value={token}
          onInput={(event) => {
            setToken(event.currentTarget.value);
          }}
        />
        <button type="submit" class="button">
          Use token
        </button>
      </form>
    </div>
  );
}

function Skeleton() {
  return (
    <div class="skeleton" role="status">
      <span class="unseen">Loading keys</span>
      {Array.from({ length: 8 }, (_, i) => (
        <span key={i} style={{ width: `${String(70 - ((i * 17) % 40))}%` }} />
      ))}
    </div>
  );
}
