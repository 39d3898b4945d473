"""How the service and its tables are, as values."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

from cachetools import LRUCache

from kvs_graphql.access import Access, Fingerprint
from kvs_graphql.cursor import Cursor
from kvs_graphql.records import position_in
from kvs_graphql.service.batch_loader import BatchLoader
from kvs_graphql.state import Lifecycle, Moment, SchemaStatus, State, worst
from kvs_graphql.store import Query, Sizes, count_entries, sizes

_COUNT_SECONDS = 1.0
_PRINCIPALS_MAX = 1_024


@dataclass(frozen=True, slots=True)
class PartitionStatus:
    """How far one partition is applied."""

    partition: int
    position: int
    end_offset: int
    lag: int
    held_back: int


@dataclass(frozen=True, slots=True)
class TableStatus:
    """How one table was at one snapshot."""

    name: str
    """Empty for the only table of a service without a catalog."""
    topic: str
    compacted: bool | None
    ready: bool
    moment: Moment
    entries: int
    cursor: Cursor
    lag: int
    partitions: list[PartitionStatus]
    sizes: Sizes
    schemas: tuple[SchemaStatus, ...]


@dataclass(frozen=True, slots=True)
class Status:
    """How the service was; each table at its own snapshot."""

    ready: bool
    """Whether all required tables are."""
    tables: tuple[TableStatus, ...]

    @property
    def state(self) -> State:
        """The worst of the tables' states."""
        return worst(table.moment for table in self.tables).state

    @property
    def entries(self) -> int:
        return sum(table.entries for table in self.tables)

    @property
    def lag(self) -> int:
        return sum(table.lag for table in self.tables)

    @property
    def cursors(self) -> tuple[Cursor, ...]:
        return tuple(table.cursor for table in self.tables)


@dataclass(frozen=True, slots=True)
class Readiness:
    """What a health check needs."""

    ready: bool
    moment: Moment
    lag: int


class StatusReader:
    """Builds a table's statuses. Entries are counted at most once a second, for all requests."""

    def __init__(self, name: str, topic: str, lifecycle: Lifecycle) -> None:
        self._name = name
        self._topic = topic
        self._lifecycle = lifecycle
        self._entries = 0
        self._counted_at = float("-inf")
        self._counts: LRUCache[tuple[bytes, ...], tuple[float, int]] = LRUCache(_PRINCIPALS_MAX)

    def counted_recently(self, prefixes: tuple[bytes, ...]) -> int | None:
        """How many entries have these prefixes, if that was counted within the last second."""
        counted_at, number = self._counts.get(prefixes, (float("-inf"), 0))
        return number if monotonic() - counted_at < _COUNT_SECONDS else None

    def keep_count(self, prefixes: tuple[bytes, ...], number: int) -> None:
        """Keep that number for a second."""
        self._counts[prefixes] = monotonic(), number

    def queries(self) -> tuple[Query[Any], ...]:
        """The queries of which `status` takes the results, in order."""
        counted_recently = monotonic() - self._counted_at < _COUNT_SECONDS
        return (sizes(),) if counted_recently else (sizes(), count_entries())

    def status(self, cursor: Cursor, stored: Sizes, *entries: int) -> TableStatus:
        """The status at `cursor`; lag is measured from there to the end of Kafka's log as last known."""
        if entries:
            (self._entries,), self._counted_at = entries, monotonic()
        lifecycle = self._lifecycle
        lags = lifecycle.lag(cursor.positions)
        partitions = [
            PartitionStatus(
                number,
                position_in(cursor.positions, number),
                end,
                lags[number],
                position_in(lifecycle.held_back, number),
            )
            for number, end in enumerate(lifecycle.end_offsets)
        ]
        return TableStatus(
            self._name,
            self._topic,
            lifecycle.compacted,
            lifecycle.ready,
            lifecycle.shown,
            self._entries,
            cursor,
            sum(lags),
            partitions,
            stored,
            lifecycle.schemas,
        )


class SharedStatuses:
    """Statuses for subscriptions: all whose principals have the same fingerprint share a reading for a moment."""

    def __init__(self, read: Callable[[Access], Awaitable[Status]], seconds: float) -> None:
        """`seconds`: how old a reading may be."""
        self._read = read
        self._seconds = seconds
        self._loaders: LRUCache[Fingerprint, BatchLoader[None, Status]] = LRUCache(_PRINCIPALS_MAX)

    async def status(self, access: Access) -> Status:
        """How the service is, or was a moment ago.

        Raises:
            Unavailable: A table cannot be read.
        """
        loader = self._loaders.get(access.fingerprint)
        if loader is None:
            loader = self._loaders[access.fingerprint] = self._loader(access)
        return await loader.load(None)

    def _loader(self, access: Access) -> BatchLoader[None, Status]:
        latest: tuple[float, Status] | None = None

        async def answer(asked: Sequence[None]) -> list[Status]:
            nonlocal latest
            now = monotonic()
            if latest is None or now - latest[0] >= self._seconds:
                latest = now, await self._read(access)
            return [latest[1]] * len(asked)

        return BatchLoader(answer)
