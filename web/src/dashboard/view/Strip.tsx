/** @jsxImportSource preact */
import type { ComponentChildren } from "preact";
import { formatCount, formatRate, formatShort } from "../model/format";
import { useDashboard } from "./hooks";
import { Sparkline } from "./icons";
import { Partitions } from "./Partitions";

const SLOTS = 60;
export const RATE_SECONDS = 3;
export const UNKNOWN = "–";

/** Key figures of the service. A figure that the page cannot know at the moment is shown as unknown. */
export function Strip() {
  const dashboard = useDashboard(500);
  const now = Date.now();
  const health = dashboard.health(now);
  const known = dashboard.known(now);
  const { status, received, consumed } = dashboard;
  const ofKafka = known === "all";
  const ofService = known === "nothing" ? null : status;
  return (
    <section class="strip" aria-label="Service">
      <div class={`figure state state-${health.level}`}>
        <span class="label">State</span>
        <span class="number">{health.word}</span>
      </div>
      <Figure
        label="Lag"
        value={ofKafka && status ? formatShort(status.lag) : UNKNOWN}
        title="Records in Kafka that the service has not applied yet"
      />
      <Figure
        label="From Kafka"
        value={ofKafka ? formatRate(mean(consumed.slice(-RATE_SECONDS))) : UNKNOWN}
        title="Records per second that the service reads"
      >
        <Sparkline values={ofKafka ? consumed : []} slots={SLOTS} />
      </Figure>
      <Figure
        label="To this page"
        value={ofService ? formatRate(received.rate(now, RATE_SECONDS)) : UNKNOWN}
        title="Changes per second that this page receives, at most four for each key"
      >
        <Sparkline values={ofService ? received.read(now) : []} slots={SLOTS} />
      </Figure>
      <Figure
        label="Entries"
        value={ofService ? formatCount(ofService.entries) : UNKNOWN}
        title="Keys that have a value"
      />
      <Figure
        label="Subscribers"
        value={ofService ? formatCount(ofService.subscribers) : UNKNOWN}
        title="Open subscriptions of all clients, including this page"
      />
      {status && <Partitions status={status} known={known} />}
    </section>
  );
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}

function Figure(props: {
  label: string;
  value: string;
  title: string;
  children?: ComponentChildren;
}) {
  return (
    <div class="figure" title={props.title}>
      <span class="label">{props.label}</span>
      <span class="number">{props.value}</span>
      {props.children}
    </div>
  );
}
