/** @jsxImportSource preact */
import { formatCounted, formatRate, formatShort } from "../model/format";
import { MARKS } from "../model/health";
import { EMPTY_LINK, formatLink } from "../model/link";
import type { ServedTable } from "../model/service";
import { useDashboard } from "./hooks";
import { mean, RATE_SECONDS, UNKNOWN } from "./Strip";

/** The tables of the service, each a link to its own page; nothing if there is only that of this page. */
export function Tables() {
  const { service, removed } = useDashboard(500);
  if (service.tables.size < 2 && !removed) return null;
  return (
    <nav class="tables" aria-label="Tables">
      {[...service.tables].map(([name, table]) => (
        <TableLink key={name} name={name} table={table} />
      ))}
    </nav>
  );
}

function TableLink({ name, table }: { name: string | null; table: ServedTable }) {
  const dashboard = useDashboard(500);
  const { state, topic, entries, lag } = table.status;
  const known = dashboard.known(Date.now(), table.status);
  const [level, word] = MARKS[state];
  return (
    <a
      href={formatLink({ ...EMPTY_LINK, table: name })}
      aria-current={name === dashboard.link.table ? "page" : undefined}
      title={`Topic ${topic}`}
    >
      <span class="table-name">{name}</span>
      <span class={`state state-${known === "nothing" ? "busy" : level}`}>
        <span class="number">{known === "nothing" ? "Unknown" : word}</span>
      </span>
      <span class="table-figures">
        {known !== "nothing" && <span>{formatCounted(entries, "entry", "entries")}</span>}
        <span>lag {known === "all" ? formatShort(lag) : UNKNOWN}</span>
        <span>
          {known === "all" ? formatRate(mean(table.consumed.slice(-RATE_SECONDS))) : UNKNOWN}
        </span>
      </span>
    </a>
  );
}
