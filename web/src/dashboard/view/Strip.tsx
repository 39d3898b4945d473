/** @jsxImportSource preact */
import type { ComponentChildren } from "preact";
import { formatBytes, formatCount, formatRate, formatShort } from "../model/format";
import { useDashboard } from "./hooks";
import { Sparkline } from "./icons";

const SLOTS = 60;
const RATE_SECONDS = 3;

/** Key figures of the service. */
export function Strip() {
  const dashboard = useDashboard(500);
  const now = Date.now();
  const health = dashboard.health(now);
  const { status, received } = dashboard;
  const { consumed } = dashboard.service;
  return (
    <section class="strip" aria-label="Service">
      <div class={`figure state state-${health.level}`}>
        <span class="label">State</span>
        <span class="number">{health.word}</span>
      </div>
      <Figure
        label="Lag"
        value={status ? formatShort(status.lag) : "–"}
        title="Records in Kafka that the service has not applied yet"
      />
      <Figure
        label="From Kafka"
        value={formatRate(mean(consumed.slice(-RATE_SECONDS)))}
        title="Records per second that the service reads"
      >
        <Sparkline values={consumed} slots={SLOTS} />
      </Figure>
      <Figure
        label="To this page"
        value={formatRate(received.rate(now, RATE_SECONDS))}
        title="Changes per second that this page receives, at most four for each key"
      >
        <Sparkline values={received.read(now)} slots={SLOTS} />
      </Figure>
      <Figure
        label="Entries"
        value={status ? formatCount(status.entries) : "–"}
        title="Keys that have a value"
      />
      <Figure
        label="Subscribers"
        value={status ? formatCount(status.subscribers) : "–"}
        title="Open subscriptions of all clients, including this page"
      />
      {status && <Partitions />}
    </section>
  );
}

function mean(values: readonly number[]): number {
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

function Partitions() {
  const { status } = useDashboard(1000);
  if (!status) return null;
  const { partitions, sizes, version } = status;
  return (
    <details class="partitions">
      <summary>
        {partitions.length === 1 ? "1 partition" : `${String(partitions.length)} partitions`}
      </summary>
      <div class="popover">
        <div class="scroller" tabIndex={0} role="group" aria-label="Partitions">
          <table>
            <thead>
              <tr>
                <th scope="col">Partition</th>
                <th scope="col">Position</th>
                <th scope="col">End</th>
                <th scope="col">Lag</th>
              </tr>
            </thead>
            <tbody>
              {partitions.map(({ partition, position, endOffset, lag }) => (
                <tr key={partition}>
                  <td>{partition}</td>
                  <td>{formatCount(position)}</td>
                  <td>{formatCount(endOffset)}</td>
                  <td>{formatCount(lag)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
        <p>
          {formatBytes(sizes.databaseBytes)} on disk, {formatCount(sizes.windowChanges)} recent
          changes kept. Version {version}.
        </p>
      </div>
    </details>
  );
}
