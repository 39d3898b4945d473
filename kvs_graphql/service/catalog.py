"""The tables of one service."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from kvs_graphql.access import Access, Verb
from kvs_graphql.errors import Forbidden, Unavailable
from kvs_graphql.service.limits import ServiceLimits
from kvs_graphql.service.reads import Reads
from kvs_graphql.service.status import Readiness, SharedStatuses, Status
from kvs_graphql.service.table import Table
from kvs_graphql.service.usage import Usage
from kvs_graphql.state import worst
from kvs_graphql.watch import ByteBudget, Quotas


@dataclass(frozen=True, slots=True)
class CatalogReadiness:
    """What a health check needs."""

    ready: bool
    """Whether all required tables are."""
    of_all: Readiness
    """The worst state of the tables, and their lags added up."""
    tables: Mapping[str, Readiness]


class Catalog:
    """The tables by name. The only table of a service without a catalog has an empty name."""

    def __init__(self, tables: Iterable[Table], limits: ServiceLimits, quotas: Quotas) -> None:
        self.tables: Mapping[str, Table] = {table.name: table for table in tables}
        self.limits = limits
        self._quotas = quotas
        self._closing = asyncio.Event()
        self._shared_statuses = SharedStatuses(self._status, limits.interval_seconds_min)

    @property
    def arguments(self) -> ByteBudget:
        """What open subscriptions keep of their requests, over all tables."""
        return self._quotas.arguments

    @property
    def stopping(self) -> bool:
        """Whether subscriptions have been ended because the service stops."""
        return self._closing.is_set()

    async def until_stopping(self) -> None:
        """Wait until subscriptions are ended because the service stops."""
        await self._closing.wait()

    def close(self) -> None:
        """End all subscriptions and waits: the service stops."""
        self._closing.set()
        for table in self.tables.values():
            table.close()

    async def status(self, access: Access, reads: Callable[[str], Reads]) -> Status:
        """How the tables are whose status the principal may see; `reads` gives a request's reads of a table.

        Raises:
            Forbidden: There are none.
            Unavailable: A table cannot be read.
        """
        shown = [name for name in self.tables if access.allows(Verb.STATUS, name)]
        if not shown:
            raise Forbidden("This principal may not see the status.")
        found = await asyncio.gather(*(reads(name).status() for name in shown))
        ready = all(one.ready for one in found if self.tables[one.name].required)
        return Status(ready, tuple(found))

    def statuses(self, access: Access, interval: float | None = None) -> AsyncGenerator[Status, None]:
        """How the service is, every `interval` seconds.

        Raises:
            BadInput: The interval is shorter than allowed.
            Unavailable: The service is stopping, or a table cannot be read.
        """
        return self._statuses(access, self.limits.interval(interval))

    def readiness(self) -> CatalogReadiness:
        """Whether the service should get traffic, and why; read from memory alone."""
        found = {name: table.readiness() for name, table in self.tables.items()}
        ready = all(one.ready for name, one in found.items() if self.tables[name].required)
        moment = worst(one.moment for one in found.values())
        return CatalogReadiness(ready, Readiness(ready, moment, sum(one.lag for one in found.values())), found)

    async def _status(self, access: Access) -> Status:
        usage = Usage()
        return await self.status(access, lambda name: self.tables[name].reads(access, usage, single_field=True))

    async def _statuses(self, access: Access, pause: float) -> AsyncGenerator[Status, None]:
        while True:
            yield await self._shared_statuses.status(access)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._closing.wait()
            if self.stopping:
                raise Unavailable("The service is stopping.")
