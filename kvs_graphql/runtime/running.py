"""The composition root: builds the rooms, starts them in order, and stops them in order.

Start: bind the address, open the tables, build the rest; then serve HTTP and run the tables.
Stop: end subscriptions, refuse new writes, and give those already taken a few seconds; give open requests as long;
then stop the tables, and close their files.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

import structlog

from kvs_graphql.errors import OperatorError
from kvs_graphql.formats import TableFormats
from kvs_graphql.metrics import Metrics
from kvs_graphql.runtime.access import authenticator_for, check_exposure
from kvs_graphql.runtime.descriptors import connections_max, raise_limit
from kvs_graphql.runtime.documents import document_policy
from kvs_graphql.runtime.graphs import Graphs
from kvs_graphql.runtime.loop_delay import measure_loop_delay
from kvs_graphql.runtime.rooms import build_server
from kvs_graphql.runtime.server import Server, listen, url_of
from kvs_graphql.schemas import Generations
from kvs_graphql.service import Catalog, Quotas
from kvs_graphql.settings import Settings
from kvs_graphql.state import State, worst
from kvs_graphql.tables import (
    Shared,
    TableUnit,
    feed_budget,
    open_servers,
    open_table,
    prepare_directory,
    service_limits,
)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the tables have come: offsets summed over all partitions, counted from the start of each topic."""

    state: State
    position: int
    end: int


class Running:
    """A running service."""

    def __init__(self, url: str, catalog: Catalog, units: Sequence[TableUnit], server: Server) -> None:
        self.url = url
        self.catalog = catalog
        self.failure: OperatorError | None = None
        self._units = units
        self._server = server
        self._ended = asyncio.Event()

    def unit(self, table: str = "") -> TableUnit:
        """The table with that name; by default the only one of a service without a catalog."""
        return next(unit for unit in self._units if unit.name == table)

    @property
    def progress(self) -> Progress:
        return Progress(
            worst(unit.lifecycle.moment for unit in self._units).state,
            sum(sum(unit.feed.positions) for unit in self._units),
            sum(sum(unit.lifecycle.end_offsets) for unit in self._units),
        )

    @property
    def stopping(self) -> bool:
        """Whether a stop has begun, for whatever reason."""
        return self._server.stopping

    def stop(self) -> None:
        """Begin to stop; `ended` and `wait` return once the HTTP server has ended."""
        self._server.stop()

    def all_hopeless(self) -> bool:
        """Whether no table was ever live, and none can be unless an operator acts."""
        return all(unit.hopeless for unit in self._units)

    def table_stopped(self, unit: TableUnit) -> None:
        """Go on without a table that cannot; stop where all are hopeless."""
        assert unit.failure is not None
        log.error("stopped", reason=str(unit.failure))
        if self.all_hopeless():
            self.fail(unit.failure)

    def fail(self, failure: OperatorError) -> None:
        """Stop for that reason."""
        self.failure = failure
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


def check_settings(settings: Settings) -> None:
    """Raises: BadSetting: `running` would refuse these settings, whatever the tables are."""
    check_exposure(settings)
    authenticator_for(settings)
    document_policy(settings)
    raise_limit(settings)
    connections_max(settings)


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Running]:
    """Run the service for as long as the context is open.

    Raises:
        OperatorError: The service cannot start.
    """
    check_exposure(settings)
    metrics, limits = Metrics(), service_limits(settings)
    authenticator = authenticator_for(settings)
    quotas = Quotas(limits.watch)
    generations = Generations()
    async with AsyncExitStack() as opened:
        listener = opened.enter_context(listen(settings.host, settings.port))
        servers = await opened.enter_async_context(open_servers(settings))
        prepare_directory([settings.database_of(name) for name in settings.catalog if name])
        shared = Shared(settings, limits, quotas, feed_budget(settings), metrics, servers, generations)
        units = [
            await opened.enter_async_context(open_table(name, own, shared)) for name, own in settings.catalog.items()
        ]
        catalog = Catalog([unit.table for unit in units], limits, quotas)
        metrics.ready.set_function(lambda: catalog.readiness().ready)

        async def end_subscriptions_and_writes() -> None:
            catalog.close()
            await asyncio.gather(*(unit.flush(settings.shutdown_seconds_max) for unit in units))

        graphs = Graphs(settings, partial(_formats, units), metrics)
        server = build_server(settings, graphs, catalog, metrics, authenticator, end_subscriptions_and_writes)
        scheme = "http" if settings.tls_certificate_file is None else "https"
        run = Running(url_of(listener, scheme), catalog, units, server)
        async with _task_group() as tasks:
            tasks.create_task(run.serve(listener))
            asking = () if authenticator is None else (tasks.create_task(authenticator.run()),)
            work = [
                *asking,
                *(tasks.create_task(_run_table(unit, run)) for unit in units),
                tasks.create_task(measure_loop_delay(metrics)),
                tasks.create_task(graphs.serve(generations)),
            ]
            try:
                yield run
            finally:
                run.stop()
                await run.ended()
                for task in work:
                    task.cancel()


def _formats(units: Sequence[TableUnit]) -> dict[str, TableFormats]:
    return {unit.name: unit.formats for unit in units}


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


async def _run_table(unit: TableUnit, run: Running) -> None:
    """Run a table; stop the service if that ends on its own."""
    try:
        await unit.run(run.table_stopped, run.all_hopeless)
    except asyncio.CancelledError:
        if not run.stopping:
            run.fail(OperatorError("A consumer was cancelled, but not by this service."))
        raise
