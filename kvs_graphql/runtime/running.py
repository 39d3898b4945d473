"""The composition root: builds the rooms, starts them in order, and stops them in order.

Start: bind the address, open the store, build the rest; then serve HTTP and run the consumer and the producer.
Stop: end subscriptions, refuse new writes, and give those already taken a few seconds; give open requests as long;
then stop the consumer and the producer, and close the store.
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

from kvs_graphql.errors import OperatorError
from kvs_graphql.feed import Feed
from kvs_graphql.kafka.consumer import Consumer
from kvs_graphql.metrics import Metrics
from kvs_graphql.runtime.loop_delay import measure_loop_delay
from kvs_graphql.runtime.rooms import (
    build_consumer,
    build_feed,
    build_producer,
    build_server,
    build_service,
    opened_store,
)
from kvs_graphql.runtime.server import Server, listen, url_of
from kvs_graphql.settings import Settings
from kvs_graphql.state import Lifecycle, Moment, State

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the table has come: offsets summed over all partitions, counted from the start of the topic."""

    state: State
    position: int
    end: int


class Running:
    """A running service."""

    def __init__(self, url: str, feed: Feed, lifecycle: Lifecycle, server: Server) -> None:
        self.url = url
        self.lifecycle = lifecycle
        self.failure: OperatorError | None = None
        self.feed = feed
        self._server = server
        self._ended = asyncio.Event()

    @property
    def progress(self) -> Progress:
        return Progress(self.lifecycle.moment.state, sum(self.feed.positions), sum(self.lifecycle.end_offsets))

    @property
    def stopping(self) -> bool:
        """Whether a stop has begun, for whatever reason."""
        return self._server.stopping

    def stop(self) -> None:
        """Begin to stop; `ended` and `wait` return once the HTTP server has ended."""
        self._server.stop()

    def fail(self, failure: OperatorError) -> None:
        """Become unready for that reason, and stop: the consumer cannot go on."""
        self.failure = failure
        self.lifecycle.move(State.STOPPED, str(failure))
        log.error("stopped", reason=str(failure))
        self.stop()

    async def serve(self, listener: socket.socket) -> None:
        """Serve HTTP until a signal, `stop`, or a failure."""
        try:
            await self._server.serve(sockets=[listener])
        finally:
            self._ended.set()

    async def ended(self) -> None:
        """Wait until the HTTP server has ended."""
        await self._ended.wait()

    async def wait(self) -> None:
        """Wait until the HTTP server has ended.

        Raises:
            OperatorError: The failure that ended the service.
        """
        await self._ended.wait()
        if self.failure is not None:
            raise self.failure


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Running]:
    """Run the service for as long as the context is open.

    Raises:
        OperatorError: The service cannot start.
    """
    lifecycle, metrics = Lifecycle(), Metrics()
    with listen(settings.host, settings.port) as listener:
        async with opened_store(settings) as store:
            feed = build_feed(settings, store)
            producer = build_producer(settings, lifecycle, metrics)
            service = build_service(settings, store, feed, lifecycle, producer)
            consumer = build_consumer(settings, store, feed, lifecycle, metrics)

            async def end_subscriptions_and_writes() -> None:
                feed.close()
                await producer.flush(settings.shutdown_seconds_max)

            server = build_server(settings, service, metrics, end_subscriptions_and_writes)
            run = Running(url_of(listener), feed, lifecycle, server)
            lifecycle.listen(lambda moment: _report(moment, lifecycle, metrics))
            async with _task_group() as tasks:
                tasks.create_task(run.serve(listener))
                work = [
                    tasks.create_task(_consume(consumer, run)),
                    tasks.create_task(producer.run()),
                    tasks.create_task(measure_loop_delay(metrics)),
                ]
                try:
                    yield run
                finally:
                    run.stop()
                    await run.ended()
                    for task in work:
                        task.cancel()


@asynccontextmanager
async def _task_group() -> AsyncIterator[asyncio.TaskGroup]:
    """A TaskGroup that raises a single error as itself, so that callers of `running` can catch it by its class."""
    try:
        async with asyncio.TaskGroup() as tasks:
            yield tasks
    except BaseExceptionGroup as group:
        if len(group.exceptions) == 1:
            raise group.exceptions[0] from group.exceptions[0].__cause__
        raise


async def _consume(consumer: Consumer, run: Running) -> None:
    """Run the consumer; make the service unready and stop it if the consumer ends on its own."""
    try:
        await consumer.run()
    except OperatorError as failure:
        run.fail(failure)
    except asyncio.CancelledError:
        if not run.stopping:
            run.fail(OperatorError("The consumer was cancelled, but not by this service."))
        raise


def _report(moment: Moment, lifecycle: Lifecycle, metrics: Metrics) -> None:
    for state in State:
        metrics.state.labels(state.value).set(state is moment.state)
    metrics.ready.set(lifecycle.ready)
    log.info("state", state=moment.state.value, reason=moment.reason)
