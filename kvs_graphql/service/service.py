"""One topic's table, as clients may use it."""

from array import array
from collections.abc import AsyncGenerator, Iterable, Sequence
from typing import NamedTuple

from kvs_graphql.access import ANYONE, Access
from kvs_graphql.cursor import Cursor
from kvs_graphql.cursor_validation import CursorValidator
from kvs_graphql.feed import Feed, Sink, Update
from kvs_graphql.records import Interest, Record
from kvs_graphql.service.coalesced import CoalescedReads, read_keys
from kvs_graphql.service.limits import ServiceLimits
from kvs_graphql.service.reads import SMALL_READ_BYTES_MAX, Reads, Room, Table
from kvs_graphql.service.status import Readiness, SharedStatuses, Status, StatusReader
from kvs_graphql.service.waits import AtLeast
from kvs_graphql.service.writes import Producer, Writes
from kvs_graphql.state import Lifecycle
from kvs_graphql.store import Store, TooManyBytes
from kvs_graphql.watch import ByteBudget, Quotas, Start, Watch, arguments_bytes


class Latest(NamedTuple):
    """The latest record of each key, in order, and where they were read."""

    records: list[Record | None]
    cursor: Cursor


class Service:
    """Used by any number of requests at once."""

    def __init__(
        self,
        topic: str,
        store: Store,
        feed: Feed,
        lifecycle: Lifecycle,
        limits: ServiceLimits,
        producer: Producer | None = None,
        *,
        empty_tombstones: bool = False,
    ) -> None:
        self.limits = limits
        self._store = store
        self._feed = feed
        self._lifecycle = lifecycle
        self._producer = producer
        self._empty_tombstones = empty_tombstones
        self._validator = CursorValidator(feed, lifecycle.refreshes)
        self._quotas = Quotas(limits.watch)
        small_bytes_max = min(SMALL_READ_BYTES_MAX, limits.read_bytes_max)
        small = read_keys(store, small_bytes_max)
        self._live = CoalescedReads(small)
        """The reads of live queries, apart from those of requests: many may wake at once."""
        self._read_alone = read_keys(store, limits.read_bytes_max)
        self._shared_statuses = SharedStatuses(
            lambda access: self.reads(access, single_field=True).status(), limits.interval_seconds_min
        )
        self._table = Table(
            store,
            limits,
            CoalescedReads(small),
            AtLeast(feed, self._validator, lifecycle),
            StatusReader(topic, lifecycle),
            small_bytes_max,
        )

    def reads(self, access: Access, room: Room | None = None, *, single_field: bool = False) -> Reads:
        """The reads of one request: all of one snapshot; `single_field` where only one field reads.

        Without `room`, the reads must be small.
        """
        return Reads(self._table, access, room, single_field=single_field)

    def writes(self) -> Writes:
        """The writes of one request, in order. Only where the service takes any."""
        assert self._producer is not None
        return Writes(
            self._producer,
            self._store,
            self._feed,
            value_bytes_max=self.limits.value_bytes_max,
            empty_tombstones=self._empty_tombstones,
        )

    def check_watch(self, interest: Interest, start: Start) -> None:
        """Check what a subscription asks for, before it begins.

        Raises:
            TooManyKeys: The interest names more keys than a request may.
            BadInput: The interval is shorter than allowed.
        """
        self.limits.check_number_of_keys(len(interest.keys or ()))
        self.limits.interval(start.interval)

    def updates(self, interest: Interest, start: Start, sink: Sink | None) -> AsyncGenerator[Iterable[Update], None]:
        """The updates of a subscription, some at a time, without end; see `Watch.updates`.

        Raises:
            LimitExceeded: Open subscriptions keep too many bytes of their requests.
            Unavailable: The service is stopping, or its table cannot be read.
        """
        return Watch(self._store, self._feed, interest, self._quotas, self._validator).updates(start, sink)

    def latest(self, keys: Sequence[bytes], interval: float | None = None) -> AsyncGenerator[Latest, None]:
        """The entries of keys, and where they were read: now, and whenever one of them changed.

        Always the latest, and no faster than every `interval` seconds.

        Raises:
            TooManyKeys: There are more keys than a request may name.
            BadInput: The interval is shorter than allowed.
            LimitExceeded: The entries, or what open subscriptions keep of their requests, have too many bytes.
            Unavailable: The service is stopping, or its table cannot be read.
        """
        self.limits.check_number_of_keys(len(keys))
        return self._latest(keys, self.limits.interval(interval))

    def statuses(self, access: Access, interval: float | None = None) -> AsyncGenerator[Status, None]:
        """How the service is, every `interval` seconds.

        Raises:
            BadInput: The interval is shorter than allowed.
            Unavailable: The service is stopping, or its table cannot be read.
        """
        return self._statuses(access, self.limits.interval(interval))

    @property
    def arguments(self) -> ByteBudget:
        """What open subscriptions keep of their requests."""
        return self._quotas.arguments

    @property
    def stopping(self) -> bool:
        """Whether subscriptions have been ended because the service stops."""
        return self._feed.closed

    def readiness(self) -> Readiness:
        """Whether the service should get traffic, and why; read from memory alone."""
        lag = sum(self._lifecycle.lag(self._feed.positions))
        return Readiness(self._lifecycle.ready, self._lifecycle.moment, lag)

    async def _latest(self, keys: Sequence[bytes], pause: float) -> AsyncGenerator[Latest, None]:
        shown: tuple[bytes, array[int]] | None = None
        interest = Interest(frozenset(keys))
        with (
            self._quotas.arguments.held(arguments_bytes(interest)),
            self._feed.watch(interest, self._feed.positions) as watcher,
        ):
            while True:
                watcher.skip()
                cursor, found, _ = await self._live.get_many(ANYONE, keys)
                if isinstance(found, TooManyBytes):
                    cursor, found, _ = await self._read_alone(ANYONE, keys)
                if isinstance(found, TooManyBytes):
                    raise self.limits.too_many_bytes()
                origins = cursor.topic_id, _origins(found)
                if origins != shown:
                    shown = origins
                    yield Latest(found, cursor)
                # Whoever holds the event still, holds no entries.
                found.clear()
                await self._feed.rest(pause)
                await watcher.wait()

    async def _statuses(self, access: Access, pause: float) -> AsyncGenerator[Status, None]:
        while True:
            yield await self._shared_statuses.status(access)
            await self._feed.rest(pause)


def _origins(records: Iterable[Record | None]) -> "array[int]":
    """Where records came from, which tells them from others as well as they do themselves; -1 for none."""
    return array("q", (n for r in records for n in ((-1, -1) if r is None else (r.partition, r.offset))))
