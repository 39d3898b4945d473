"""One topic's table, as clients may use it."""

from array import array
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from typing import NamedTuple

from kvs_graphql.access import Access, Grants, Verb
from kvs_graphql.cursor import Cursor
from kvs_graphql.cursor_validation import CursorValidator
from kvs_graphql.feed import Feed, Sink, Update
from kvs_graphql.records import Interest, Record
from kvs_graphql.service.coalesced import CoalescedReads, few_reads, live_reads, read_keys
from kvs_graphql.service.denials import Denials
from kvs_graphql.service.limits import ServiceLimits
from kvs_graphql.service.reads import ALL_KEYS, SMALL_READ_BYTES_MAX, Reads, RestrictedReads, SharedReads
from kvs_graphql.service.restricted import hidden, looked_up, restricted
from kvs_graphql.service.status import Readiness, StatusReader
from kvs_graphql.service.usage import Usage
from kvs_graphql.service.waits import AtLeast
from kvs_graphql.service.writes import Producer, WriteRights, Writes
from kvs_graphql.state import Lifecycle
from kvs_graphql.store import Store, TooManyBytes
from kvs_graphql.watch import Quotas, Start, Watch, arguments_bytes


class Latest(NamedTuple):
    """The latest record of each key, in order, and where they were read."""

    records: list[Record | None]
    cursor: Cursor


class Table:
    """Used by any number of requests at once."""

    def __init__(
        self,
        topic: str,
        store: Store,
        feed: Feed,
        lifecycle: Lifecycle,
        limits: ServiceLimits,
        quotas: Quotas,
        producer: Producer | None = None,
        *,
        required: bool = True,
        empty_tombstones: bool = False,
    ) -> None:
        """`required` if the service is ready only while the table is; `quotas` are shared by all tables."""
        self.name = feed.table
        """Empty for the only table of a service without a catalog."""
        self.required = required
        self.limits = limits
        self.denials = Denials(feed.table)
        self._store = store
        self._feed = feed
        self._lifecycle = lifecycle
        self._producer = producer
        self._empty_tombstones = empty_tombstones
        self._validator = CursorValidator(feed, lifecycle.refreshes)
        self._quotas = quotas
        small_bytes_max = min(SMALL_READ_BYTES_MAX, limits.read_bytes_max)
        small = read_keys(store, small_bytes_max)
        self._live = live_reads(store, small_bytes_max), CoalescedReads(small)
        """The reads of live queries, apart from those of requests: first of small entries, then of others."""
        self._read_alone = read_keys(store, limits.read_bytes_max)
        # Of whoever read last: mostly the same grants, whoever it is.
        self._readable: tuple[Grants | None, tuple[bytes, ...]] = None, ALL_KEYS
        self._shared = SharedReads(
            self.name,
            store,
            limits,
            few_reads(store, small_bytes_max),
            CoalescedReads(small),
            AtLeast(feed, self._validator, lifecycle),
            StatusReader(self.name, topic, lifecycle),
            self.denials,
            small_bytes_max,
        )

    def reads(self, access: Access, usage: Usage, *, single_field: bool = False) -> Reads:
        """The reads of one request: all of one snapshot; `single_field` where only one field reads.

        `usage` counts what the request reads of all tables.
        """
        latest, prefixes = self._readable
        if latest is not access.grants:
            prefixes = self._readable_to(access)
            self._readable = access.grants, prefixes
        make = Reads if prefixes == ALL_KEYS else RestrictedReads
        return make(self._shared, access, usage, prefixes, single_field=single_field)

    def _readable_to(self, access: Access) -> tuple[bytes, ...]:
        """The prefixes of the keys that a principal may read."""
        return ALL_KEYS if access.grants is None else access.grants.prefixes(Verb.READ, self.name)

    def writes(self, access: Access) -> Writes:
        """The writes of one request, in order. Only where the service takes any."""
        assert self._producer is not None
        grants = access.grants
        rights = None
        if grants is not None:
            write, read = (grants.prefixes(verb, self.name) for verb in (Verb.WRITE, Verb.READ))
            rights = WriteRights(write, read, lambda: self.denials.add(access, Verb.WRITE))
        return Writes(
            self._producer,
            self._store,
            self._feed,
            value_bytes_max=self.limits.value_bytes_max,
            empty_tombstones=self._empty_tombstones,
            rights=rights,
        )

    def check_watch(self, interest: Interest, start: Start) -> None:
        """Check what a subscription asks for, before it begins.

        Raises:
            TooManyKeys: The interest names more keys than a request may.
            BadInput: The interval is shorter than allowed.
        """
        self.limits.check_number_of_keys(len(interest.keys or ()))
        self.limits.interval(start.interval)

    def updates(
        self,
        access: Access,
        interest: Interest,
        start: Start,
        sink: Sink | None,
        wanted: Callable[[], Interest] | None = None,
    ) -> AsyncGenerator[Iterable[Update], None]:
        """The updates of a subscription, some at a time, without end; see `Watch.updates`.

        `wanted` gives the interest anew once the table's keys have one more encoding; only where they have several.

        Raises:
            LimitExceeded: Open subscriptions keep too many bytes of their requests.
            Unavailable: The service is stopping, or its table cannot be read.
        """
        if access.grants is not None:
            prefixes = access.grants.prefixes(Verb.READ, self.name)
            self.denials.add_interest(access, prefixes, interest)
            interest = restricted(prefixes, interest)
            if wanted is not None:
                wanted = _restricted(prefixes, wanted)
        return Watch(self._store, self._feed, interest, self._quotas, self._validator, wanted).updates(start, sink)

    def latest(
        self, access: Access, keys: Sequence[bytes], interval: float | None = None
    ) -> AsyncGenerator[Latest, None]:
        """The entries of keys, and where they were read: now, and whenever one of them changed.

        Always the latest, and no faster than every `interval` seconds. Ends once the table's keys have one more
        encoding, in which the keys are to be named, too.

        Raises:
            TooManyKeys: There are more keys than a request may name.
            BadInput: The interval is shorter than allowed.
            LimitExceeded: The entries, or what open subscriptions keep of their requests, have too many bytes.
            Unavailable: The service is stopping, or its table cannot be read.
        """
        self.limits.check_number_of_keys(len(keys))
        pause, grants = self.limits.interval(interval), access.grants
        return self._latest(access, keys, pause, None if grants is None else grants.prefixes(Verb.READ, self.name))

    def readiness(self) -> Readiness:
        """Whether clients can rely on the table, and why; read from memory alone."""
        lag = sum(self._lifecycle.lag(self._feed.positions))
        return Readiness(self._lifecycle.ready, self._lifecycle.shown, lag)

    def close(self) -> None:
        """End all subscriptions and waits: the service stops."""
        self._feed.close()

    async def _latest(
        self, access: Access, asked: Sequence[bytes], pause: float, prefixes: tuple[bytes, ...] | None
    ) -> AsyncGenerator[Latest, None]:
        shown: tuple[bytes, array[int]] | None = None
        widened = self._feed.widened
        interest, keys = Interest(frozenset(asked)), asked
        if prefixes is not None:
            self.denials.add_keys(access, prefixes, asked)
            interest, keys = restricted(prefixes, interest), looked_up(prefixes, asked)
        with (
            self._quotas.arguments.held(arguments_bytes(interest)),
            self._feed.watch(interest, self._feed.positions) as watcher,
        ):
            while self._feed.widened is widened:
                watcher.skip()
                found, cursor = await self._read_latest(access, keys)
                if prefixes is not None:
                    found = hidden(prefixes, asked, found)
                origins = cursor.topic_id, _origins(found)
                if origins != shown:
                    shown = origins
                    yield Latest(found, cursor)
                # Whoever holds the event still, holds no entries.
                found.clear()
                await self._feed.rest(pause)
                await watcher.wait()

    async def _read_latest(self, access: Access, keys: Sequence[bytes]) -> Latest:
        """The entries of a live query, read with those of others as far as they are not too large.

        Raises:
            LimitExceeded: They have too many bytes.
            Unavailable: The table cannot be read.
        """
        for reads in self._live:
            cursor, found, _ = await reads.get_many(access, keys)
            if not isinstance(found, TooManyBytes):
                return Latest(found, cursor)
        cursor, found, *_ = await self._read_alone(access, keys)
        if isinstance(found, TooManyBytes):
            raise self.limits.too_many_bytes()
        return Latest(found, cursor)


def _restricted(prefixes: tuple[bytes, ...], wanted: Callable[[], Interest]) -> Callable[[], Interest]:
    return lambda: restricted(prefixes, wanted())


def _origins(records: Iterable[Record | None]) -> "array[int]":
    """Where records came from, which tells them from others as well as they do themselves; -1 for none."""
    return array("q", (n for r in records for n in ((-1, -1) if r is None else (r.partition, r.offset))))
