"""The composition root: builds the rooms, starts and stops them in a visible order.

Start: database, feed, service, listening socket, consumer, producer. Stop: subscriptions end, new writes are refused
and those taken get a few seconds; then new requests are refused and open ones get as long; then the consumer and the
producer, then the database.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import structlog

from kvs_graphql.api import build_schema
from kvs_graphql.cursor import NO_TOPIC_ID, Cursor
from kvs_graphql.errors import OperatorError, Unwritable
from kvs_graphql.executor import DocumentLimits, Executor
from kvs_graphql.feed import Feed
from kvs_graphql.kafka.connection import KafkaConnection
from kvs_graphql.kafka.consumer import Consumer, ConsumerLimits
from kvs_graphql.kafka.producer import Producer, ProducerLimits
from kvs_graphql.kafka.pump import BatchLimits
from kvs_graphql.metrics import Metrics
from kvs_graphql.runtime.limits import ServerLimits
from kvs_graphql.runtime.server import Server, listen, url_of
from kvs_graphql.service import Service, ServiceLimits, WatchLimits
from kvs_graphql.settings import Settings
from kvs_graphql.state import Lifecycle, Moment, State
from kvs_graphql.store import Store, WindowLimits, open_store
from kvs_graphql.web import SlotLimits, WebOptions, build_app

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the table is, in offsets over all partitions, counted from the start of the topic."""

    state: State
    position: int
    end: int


class Running:
    """A running service."""

    def __init__(self, url: str, feed: Feed, lifecycle: Lifecycle, metrics: Metrics, server: Server) -> None:
        self.url = url
        self.lifecycle = lifecycle
        self.failure: OperatorError | None = None
        self.feed = feed
        self.metrics = metrics
        self._server = server
        self._ended = asyncio.Event()

    @property
    def progress(self) -> Progress:
        return Progress(self.lifecycle.moment.state, sum(self.feed.positions), sum(self.lifecycle.end_offsets))

    @property
    def stopping(self) -> bool:
        return self._server.stopping

    def stop(self) -> None:
        """Begin to stop; `wait` returns when HTTP has ended."""
        self._server.stop()

    def fail(self, failure: OperatorError) -> None:
        """The consumer cannot go on: be unready, say why, and stop."""
        self.failure = failure
        self.lifecycle.move(State.STOPPED, str(failure))
        log.error("stopped", reason=str(failure))
        self.stop()

    async def serve(self, listener: socket.socket) -> None:
        try:
            await self._server.serve(sockets=[listener])
        finally:
            self._ended.set()

    async def ended(self) -> None:
        """Wait for the end: a signal, `stop`, or a failure."""
        await self._ended.wait()

    async def wait(self) -> None:
        """Wait for the end.

        Raises:
            OperatorError: The failure that ended the service.
        """
        await self._ended.wait()
        if self.failure is not None:
            raise self.failure


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Running]:
    """The service of these settings, for as long as the context is open.

    Raises:
        OperatorError: It cannot start.
    """
    lifecycle, metrics = Lifecycle(), Metrics()
    with listen(settings.host, settings.port) as listener:
        async with open_store(settings.database, _window(settings), readers=settings.reader_connections) as store:
            feed = _feed(settings, store)
            producer = _producer(settings, lifecycle, metrics)
            service = Service(settings.topic, store, feed, lifecycle, _service_limits(settings), producer)

            async def on_exit() -> None:
                feed.close()
                await producer.flush(settings.shutdown_seconds_max)

            server = _server(settings, service, metrics, on_exit)
            run = Running(url_of(listener), feed, lifecycle, metrics, server)
            consumer = _consumer(settings, store, feed, lifecycle, metrics)
            lifecycle.listen(lambda moment: _report(moment, lifecycle, metrics))
            async with _plain_task_group() as tasks:
                tasks.create_task(run.serve(listener))
                work = [
                    tasks.create_task(_consume(consumer, run)),
                    tasks.create_task(producer.run()),
                    tasks.create_task(_note_states(lifecycle, store)),
                ]
                try:
                    yield run
                finally:
                    run.stop()
                    await run.ended()
                    for task in work:
                        task.cancel()


@asynccontextmanager
async def _plain_task_group() -> AsyncIterator[asyncio.TaskGroup]:
    """A TaskGroup that raises a single error as itself: whoever uses `running` gets back what happened inside."""
    try:
        async with asyncio.TaskGroup() as tasks:
            yield tasks
    except BaseExceptionGroup as group:
        if len(group.exceptions) == 1:
            raise group.exceptions[0] from group.exceptions[0].__cause__
        raise


async def _consume(consumer: Consumer, run: Running) -> None:
    """Whatever ends the consumer, other than our own stop, makes the service unready and stops it."""
    try:
        await consumer.run()
    except OperatorError as failure:
        run.fail(failure)
    except asyncio.CancelledError:
        if not run.stopping:
            run.fail(OperatorError("The consumer was cancelled by something else than this service."))
        raise


async def _note_states(lifecycle: Lifecycle, store: Store) -> None:
    """Leave each state in the database, for other processes to read."""
    changed = asyncio.Event()
    lifecycle.listen(lambda _: changed.set())
    while True:
        await changed.wait()
        changed.clear()
        # What cannot be written now is overtaken by the next state.
        with suppress(Unwritable):
            await store.note_state(lifecycle.moment.state.value, lifecycle.moment.reason)


def _report(moment: Moment, lifecycle: Lifecycle, metrics: Metrics) -> None:
    for state in State:
        metrics.state.labels(state.value).set(state is moment.state)
    metrics.ready.set(lifecycle.ready)
    log.info("state", state=moment.state.value, reason=moment.reason)


def _window(settings: Settings) -> WindowLimits:
    return WindowLimits(settings.window_changes_max, settings.window_bytes_max, settings.deletes_max)


def _feed(settings: Settings, store: Store) -> Feed:
    topic_id = NO_TOPIC_ID if store.source is None else store.source.topic_id
    return Feed(
        Cursor(topic_id, store.positions), changes_max=settings.feed_changes_max, bytes_max=settings.feed_bytes_max
    )


def _service_limits(settings: Settings) -> ServiceLimits:
    return ServiceLimits(
        keys_per_request_max=settings.keys_per_request_max,
        key_bytes_max=settings.key_bytes_max,
        page_entries_max=settings.page_entries_max,
        wait_seconds_max=settings.wait_seconds_max,
        interval_seconds_min=settings.interval_seconds_min,
        value_bytes_max=settings.value_bytes_max,
        watch=WatchLimits(settings.watch_page_max, settings.watch_page_bytes_max, settings.progress_seconds),
    )


def _connection(settings: Settings) -> KafkaConnection:
    password = settings.kafka_password
    return KafkaConnection(
        bootstrap_servers=settings.bootstrap_servers,
        security_protocol=settings.kafka_security_protocol,
        sasl_mechanism=settings.kafka_sasl_mechanism,
        username=settings.kafka_username,
        password=None if password is None else password.get_secret_value(),
        ca_file=settings.kafka_ca_file,
        certificate_file=settings.kafka_certificate_file,
        key_file=settings.kafka_key_file,
    )


def _producer(settings: Settings, lifecycle: Lifecycle, metrics: Metrics) -> Producer:
    limits = ProducerLimits(
        writes_max=settings.writes_in_flight_max,
        bytes_max=settings.write_buffer_bytes_max,
        write_seconds_max=settings.write_seconds_max,
        retry_seconds_max=settings.retry_seconds_max,
    )
    return Producer(_connection(settings), settings.topic, lifecycle, metrics, limits)


def _consumer(settings: Settings, store: Store, feed: Feed, lifecycle: Lifecycle, metrics: Metrics) -> Consumer:
    limits = ConsumerLimits(
        batch=BatchLimits(settings.batch_records_max, settings.batch_bytes_max),
        fetch_bytes_max=settings.fetch_bytes_max,
        topic_check_seconds=settings.topic_check_seconds,
        retry_seconds_max=settings.retry_seconds_max,
        stall_seconds_max=settings.stall_seconds_max,
    )
    return Consumer(
        _connection(settings),
        settings.topic,
        store,
        feed,
        lifecycle,
        metrics,
        limits,
        empty_tombstones=settings.tombstones == "empty",
        skip_unreadable=settings.unreadable == "skip",
    )


def _server(settings: Settings, service: Service, metrics: Metrics, on_exit: Callable[[], Awaitable[None]]) -> Server:
    documents = DocumentLimits(settings.query_depth_max, settings.query_aliases_max, settings.query_tokens_max)
    options = WebOptions(
        graphiql=settings.graphiql,
        cors_origins=settings.cors_origins,
        request_bytes_max=settings.request_bytes_max,
        connection_init_seconds_max=settings.connection_init_seconds_max,
        subscriptions_per_socket_max=settings.subscriptions_per_socket_max,
        heartbeat_seconds=settings.ping_seconds,
        slots=SlotLimits(settings.subscriptions_per_client_max, settings.subscriptions_max),
    )
    schema = build_schema(writes=settings.enable_writes)
    executor = Executor(schema, documents, metrics, render_cache_bytes_max=settings.shared_bytes_max)
    app: Any = build_app(executor, schema.as_str() + "\n", service, metrics, options)
    limits = ServerLimits(
        sockets_max=settings.sockets_max,
        message_bytes_max=settings.request_bytes_max,
        head_seconds_max=settings.request_head_seconds_max,
        send_buffer_bytes_max=settings.send_buffer_bytes_max,
        slow_client_seconds_max=settings.slow_client_seconds_max,
        ping_seconds=settings.ping_seconds,
        pong_seconds_max=settings.pong_seconds_max,
        shutdown_seconds_max=settings.shutdown_seconds_max,
    )
    return Server(app, limits, metrics, on_exit, forwarded_allow_ips=settings.forwarded_allow_ips)
