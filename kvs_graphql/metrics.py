"""All metrics of the service, declared once and served at `/metrics`. Their names start with `kvs_`."""

from collections import Counter as Counts
from collections.abc import Iterable
from functools import partial

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

CONTENT_TYPE = CONTENT_TYPE_LATEST


class OperationCounter(Collector):
    """Operations executed, and what they cost, by type and back end.

    These are plain additions, because a counter of prometheus_client would cost a read one per cent.
    """

    def __init__(self) -> None:
        self._counts = Counts[tuple[str, str]]()
        self._costs = Counts[tuple[str, str]]()

    def count(self, kind: str, backend: str, cost: int) -> None:
        """Count an operation of that type (`query`, `mutation`, `subscription`), on one of the back ends."""
        labels = kind, backend
        self._counts[labels] += 1
        self._costs[labels] += cost

    def collect(self) -> Iterable[Metric]:
        yield self._family("kvs_operations", "Operations executed, by type and back end.", self._counts)
        what = "What the operations executed cost, by type and back end; see KVS_QUERY_COST_MAX."
        yield self._family("kvs_operation_cost", what, self._costs)

    @staticmethod
    def _family(name: str, what: str, counts: Counts[tuple[str, str]]) -> CounterMetricFamily:
        family = CounterMetricFamily(name, what, labels=["type", "backend"])
        for labels, count in counts.items():
            family.add_metric(labels, count)
        return family


class RenderingCounter(Collector):
    """Events of subscriptions that were rendered; `count` is added to, as with operations."""

    def __init__(self) -> None:
        self.count = 0

    def collect(self) -> Iterable[Metric]:
        what = "Events of subscriptions rendered, each for all who see the same of it."
        yield CounterMetricFamily("kvs_renderings", what, value=self.count)


class Metrics:
    """The metrics of one service, in their own registry."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        self.records_applied = Counter(
            "kvs_records_applied", "Records applied to a table.", ["table"], registry=registry
        )
        self.records_skipped = Counter(
            "kvs_records_skipped",
            "Records that were not applied, by reason (no_key, unreadable).",
            ["table", "reason"],
            registry=registry,
        )
        self.commits = Histogram(
            "kvs_commit_seconds",
            "Duration of the transaction that applies a batch.",
            ["table"],
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
            registry=registry,
        )
        self.consumer_lag = Gauge(
            "kvs_consumer_lag", "Committed offsets that are not applied yet.", ["table", "partition"], registry=registry
        )
        self.state = Gauge(
            "kvs_state", "1 for the current state of a table, 0 for all others.", ["table", "state"], registry=registry
        )
        self.table_ready = Gauge("kvs_table_ready", "1 if a table is ready, else 0.", ["table"], registry=registry)
        self.ready = Gauge("kvs_ready", "1 if the service is ready (/readyz answers 200), else 0.", registry=registry)
        self.subscriptions_active = Gauge(
            "kvs_subscriptions_active", "Open subscriptions, by transport.", ["transport"], registry=registry
        )
        self.writes = Counter(
            "kvs_writes",
            "Writes, by outcome (written, refused, unavailable: never sent, unknown, cancelled).",
            ["table", "outcome"],
            registry=registry,
        )
        self.denials = Counter(
            "kvs_denials", "Denials, by verb (read, write, status).", ["table", "verb"], registry=registry
        )
        self.writes_in_flight = Gauge(
            "kvs_writes_in_flight", "Writes that Kafka has not acknowledged yet.", ["table"], registry=registry
        )
        self.clients_disconnected = Counter(
            "kvs_clients_disconnected",
            "Connections closed by the service, by reason (slow, silent, unread, unfinished, abusive).",
            ["reason"],
            registry=registry,
        )
        self.loop_delay = Histogram(
            "kvs_loop_delay_seconds",
            "How late the event loop runs what is due, measured ten times a second.",
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=registry,
        )
        self.operations = OperationCounter()
        registry.register(self.operations)
        self.renderings = RenderingCounter()
        registry.register(self.renderings)
        self._errors = Counter("kvs_errors", "Errors sent to clients, by code.", ["code"], registry=registry)

    def count_error(self, code: str) -> None:
        """Count an error that a client is sent, on whatever transport."""
        self._errors.labels(code).inc()

    def of_table(self, name: str) -> "TableMetrics":
        """The metrics of the table with that name, which is their label; empty for the only table."""
        return TableMetrics(self, name)

    def open_subscriptions(self) -> int:
        """Return the number of open subscriptions over all transports."""
        return round(sum(sample.value for gauge in self.subscriptions_active.collect() for sample in gauge.samples))

    def render(self) -> bytes:
        """Return all metrics in the Prometheus text format."""
        return generate_latest(self._registry)


class TableMetrics:
    """The metrics of one table."""

    def __init__(self, metrics: Metrics, table: str) -> None:
        self.records_applied = metrics.records_applied.labels(table)
        self.records_skipped = partial(metrics.records_skipped.labels, table)
        """By reason."""
        self.commits = metrics.commits.labels(table)
        self.consumer_lag = partial(metrics.consumer_lag.labels, table)
        """By partition."""
        self.state = partial(metrics.state.labels, table)
        """By state."""
        self.ready = metrics.table_ready.labels(table)
        self.writes = partial(metrics.writes.labels, table)
        """By outcome."""
        self.writes_in_flight = metrics.writes_in_flight.labels(table)
        self.denials = partial(metrics.denials.labels, table)
        """By verb."""
