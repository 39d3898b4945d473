/** @jsxImportSource preact */
import type { ComponentChildren } from "preact";
import type { Dashboard } from "../model/dashboard";
import { formatCount } from "../model/format";
import { KEYS_MAX } from "../model/limits";
import { useDashboard } from "./hooks";
import { Icon, type IconName } from "./icons";

/** Shown instead of the table while there are no rows. */
export function EmptyState() {
  const dashboard = useDashboard(50);
  const { main, listing, link, session, status } = dashboard;
  const { connection } = session;
  if (connection.kind === "refused") return <Refused dashboard={dashboard} />;
  if (main.phase === "full") return <TooMany dashboard={dashboard} />;
  if (listing.rows.length > 0) return null;
  const unreachable = connection.kind !== "open" && dashboard.health(Date.now()).banner !== null;
  if (unreachable && main.rows.size === 0) {
    return (
      <Notice icon="plug" title="The service cannot be reached">
        <p>The page keeps retrying and shows the keys as soon as the service responds.</p>
      </Notice>
    );
  }
  if (dashboard.failure && main.rows.size === 0) return <Failed dashboard={dashboard} />;
  if (main.phase === "loading" && main.rows.size === 0) return <Skeleton />;
  if (link.prefix !== "") return <NoMatch dashboard={dashboard} />;
  return (
    <Notice icon="inbox" title="No keys yet">
      <p>
        Keys appear here as soon as records arrive
        {status ? ` on the topic ${status.topic}` : ""}.
      </p>
    </Notice>
  );
}

function Notice(props: { icon: IconName; title: string; children: ComponentChildren }) {
  return (
    <div class="empty">
      <span class="emblem">
        <Icon name={props.icon} />
      </span>
      <h2 class="clamped">{props.title}</h2>
      {props.children}
    </div>
  );
}

function Failed({ dashboard }: { dashboard: Dashboard }) {
  const { failure, link } = dashboard;
  return (
    <Notice icon="alert" title="The service sent an error instead of keys">
      <p>
        {failure?.message} <code>{failure?.code}</code>
      </p>
      <p>The page retries every few seconds.</p>
      {link.prefix !== "" && <ShowAll dashboard={dashboard} />}
    </Notice>
  );
}

function ShowAll({ dashboard }: { dashboard: Dashboard }) {
  return (
    <button
      type="button"
      class="button"
      onClick={() => {
        dashboard.change({ prefix: "" });
      }}
    >
      Show all keys
    </button>
  );
}

function NoMatch({ dashboard }: { dashboard: Dashboard }) {
  return (
    <Notice icon="search" title={`No key starts with “${dashboard.link.prefix}”`}>
      <p>Matching keys will appear here as soon as they exist.</p>
      <ShowAll dashboard={dashboard} />
    </Notice>
  );
}

function TooMany({ dashboard }: { dashboard: Dashboard }) {
  const { status, suggestions, session } = dashboard;
  const advice =
    session.shape.keys === null
      ? "Search by a prefix to narrow it down."
      : "Look up a key to open it.";
  return (
    <Notice icon="layers" title="Too much to show at once">
      <p>
        This page holds up to {formatCount(KEYS_MAX)} keys
        {status ? `, and the topic has ${formatCount(status.entries)}` : ""}. {advice} Pinned and
        plotted keys stay live.
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
    </Notice>
  );
}

function Refused({ dashboard }: { dashboard: Dashboard }) {
  return (
    <Notice icon="lock" title="You need access to see this">
      <p>Once you have it, the page goes on where you were.</p>
      <button
        type="button"
        class="button"
        onClick={() => {
          dashboard.session.retryNow();
        }}
      >
        Sign in
      </button>
    </Notice>
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
