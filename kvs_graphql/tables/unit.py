"""Whatever belongs to one topic, as one unit: its store, feed, consumer, producer and state."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import structlog
from structlog.contextvars import bound_contextvars

from kvs_graphql.errors import BrokerRefused, OperatorError
from kvs_graphql.feed import Feed, LogBudget
from kvs_graphql.formats import TableFormats
from kvs_graphql.kafka.consumer import Consumer
from kvs_graphql.kafka.precedence import Precedence
from kvs_graphql.kafka.producer import Producer
from kvs_graphql.metrics import Metrics, TableMetrics
from kvs_graphql.schemas import Generations, TableSchemas, envelopes_of, open_schemas, schema_ids_of
from kvs_graphql.service import Quotas, ServiceLimits, Table
from kvs_graphql.settings import Settings, TableSettings
from kvs_graphql.state import Lifecycle, Moment, State
from kvs_graphql.store import open_store
from kvs_graphql.tables.limits import cache_limits, consumer_limits, producer_limits, window_limits
from kvs_graphql.tables.servers import Servers

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Shared:
    """What all tables of a process share."""

    settings: Settings
    limits: ServiceLimits
    quotas: Quotas
    feeds: LogBudget
    metrics: Metrics
    servers: Servers
    generations: Generations
    """Hears when the formats of a table are others than before."""
    precedence: Precedence = field(default_factory=Precedence)


class TableUnit:
    """A table that runs. Made by `open_table`."""

    def __init__(
        self,
        table: Table,
        feed: Feed,
        lifecycle: Lifecycle,
        metrics: TableMetrics,
        consumer: Consumer,
        producer: Producer,
        schemas: TableSchemas | None,
    ) -> None:
        self.name = table.name
        self.table = table
        self.feed = feed
        self.lifecycle = lifecycle
        self.failure: OperatorError | None = None
        """Why the table cannot go on: an operator has to act."""
        self._metrics = metrics
        self._consumer = consumer
        self._producer = producer
        self._schemas = schemas

    @property
    def formats(self) -> TableFormats:
        """How keys and values are shown now."""
        return TableFormats() if self._schemas is None else self._schemas.formats

    @property
    def hopeless(self) -> bool:
        """Whether an operator has to act before there is a table to serve."""
        found = self.lifecycle
        return not found.was_live and (self.failure is not None or not (found.permitted or found.held))

    async def run(self, stopped: Callable[["TableUnit"], None], all_hopeless: Callable[[], bool]) -> None:
        """Consume, and produce, until cancelled; call `stopped` if the consumer cannot go on: the table is read still.

        Kafka's refusals are waited out, unless all tables are hopeless. All lines in the log name the table.
        """
        with bound_contextvars(**{"table": self.name} if self.name else {}):
            self._metrics.ready.set_function(lambda: self.lifecycle.ready)
            self.lifecycle.listen(self._report)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._producer.run())
                if self._schemas is not None:
                    tasks.create_task(self._schemas.run())
                try:
                    await self._consume(all_hopeless)
                except OperatorError as failure:
                    self._stop(failure, stopped)

    async def flush(self, seconds_max: float) -> None:
        """Refuse new writes, and give those already taken some time."""
        await self._producer.flush(seconds_max)

    async def _consume(self, all_hopeless: Callable[[], bool]) -> None:
        while True:
            try:
                await self._consumer.run()
            except BrokerRefused as refusal:
                self.lifecycle.permitted = False
                if all_hopeless():
                    raise
                self.lifecycle.move(State.WAITING_FOR_BROKER, str(refusal))
                await self._consumer.pause()

    def _report(self, moment: Moment) -> None:
        for state in State:
            self._metrics.state(state.value).set(state is moment.state)
        log.info("state", state=moment.state.value, reason=moment.reason)

    def _stop(self, failure: OperatorError, stopped: Callable[["TableUnit"], None]) -> None:
        self.failure = failure
        self.lifecycle.move(State.STOPPED, str(failure))
        stopped(self)


@asynccontextmanager
async def open_table(name: str, own: TableSettings, shared: Shared) -> AsyncIterator[TableUnit]:
    """Open the table with that name, which may be empty, and its file, for as long as the context is open.

    Raises:
        OperatorError: Its file cannot be opened, or a schema in a file cannot be used.
    """
    settings, servers = shared.settings, shared.servers
    lifecycle, measured = Lifecycle(), shared.metrics.of_table(name)
    empty_tombstones = own.tombstones == "empty"
    path, readers = settings.database_of(name), settings.reader_connections
    caches, schema_ids = cache_limits(settings), schema_ids_of(own)
    async with open_store(
        path, window_limits(settings), readers=readers, table=name, caches=caches, schema_ids=schema_ids
    ) as store:
        schemas = await open_schemas(name, own, settings, servers.registry, store, lifecycle, shared.generations)
        feed = Feed(store.cursor, shared.feeds)
        if schemas is not None:
            schemas.listen(feed.widen)
        producer = Producer(servers.kafka, own.topic, lifecycle, measured, producer_limits(settings))
        table = Table(
            own.topic,
            store,
            feed,
            lifecycle,
            shared.limits,
            shared.quotas,
            producer,
            required=own.required,
            empty_tombstones=empty_tombstones,
        )
        table.denials.listen(lambda verb: measured.denials(verb.value).inc())
        consumer = Consumer(
            servers.kafka,
            own.topic,
            store,
            feed,
            lifecycle,
            measured,
            consumer_limits(settings),
            shared.precedence,
            empty_tombstones=empty_tombstones,
            skip_unreadable=own.unreadable == "skip",
            envelopes=envelopes_of(own, schemas),
        )
        yield TableUnit(table, feed, lifecycle, measured, consumer, producer, schemas)
