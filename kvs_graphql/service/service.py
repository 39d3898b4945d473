"""One topic's table, as clients may use it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any

from kvs_graphql.cursor import Cursor, decode_cursor
from kvs_graphql.cursor_validation import CursorValidator
from kvs_graphql.errors import BadInput, BadKey, NotCaughtUp, TooManyKeys
from kvs_graphql.feed import Feed, Update
from kvs_graphql.records import Interest, Positions, Record, merge, position_in
from kvs_graphql.service.reads import Reads, Wait
from kvs_graphql.service.shared import SharedReads
from kvs_graphql.service.status import Readiness, Status, status_of
from kvs_graphql.service.writes import Producer, Writes
from kvs_graphql.state import Lifecycle
from kvs_graphql.store import Query, Sizes, Snapshot, Store, get_many
from kvs_graphql.watch import Start, Watch, WatchLimits

_COUNT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class ServiceLimits:
    """What one request may ask for."""

    keys_per_request_max: int
    key_bytes_max: int
    page_entries_max: int
    wait_seconds_max: float
    interval_seconds_min: float
    value_bytes_max: int
    watch: WatchLimits


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
    ) -> None:
        self._topic = topic
        self._store = store
        self._feed = feed
        self._lifecycle = lifecycle
        self._limits = limits
        self._producer = producer
        self._validator = CursorValidator(feed, lifecycle.refreshes)
        self._shared = SharedReads(store)
        self._entries = 0
        self._counted_at = float("-inf")

    async def run(self) -> None:
        """Answer the reads that requests share, until cancelled."""
        await self._shared.run()

    def request(self, *, alone: bool = False) -> Reads:
        """The reads of one request: all of one snapshot; `alone` where only one field reads."""
        return Reads(self, alone=alone)

    def writes(self) -> Writes:
        """The writes of one request, in order. Only where the service takes any."""
        assert self._producer is not None
        return Writes(self._producer, self._store, self._feed, value_bytes_max=self._limits.value_bytes_max)

    def updates(self, interest: Interest, start: Start) -> AsyncGenerator[list[Update], None]:
        """The updates of a subscription, a few at a time, without end; see `Watch.updates`.

        Raises:
            TooManyKeys: The interest names more keys than a request may.
            BadInput: The interval is shorter than allowed.
            Unavailable: The service is stopping, or its table cannot be read.
        """
        self.check_number_of_keys(len(interest.keys or ()))
        if start.interval is not None:
            self._interval(start.interval)
        return Watch(self._store, self._feed, interest, self._limits.watch, self._validator).updates(start)

    async def latest(
        self, keys: Sequence[bytes], interval: float | None = None
    ) -> AsyncIterator[tuple[list[Record | None], Cursor]]:
        """The entries of keys, and where they were read: now, and whenever one of them changed.

        Always the latest, and no faster than every `interval` seconds.

        Raises:
            TooManyKeys: There are more keys than a request may name.
            BadInput: The interval is shorter than allowed.
            Unavailable: The service is stopping, or its table cannot be read.
        """
        self.check_number_of_keys(len(keys))
        pause = self._interval(interval)
        shown: list[Record | None] | None = None
        with self._feed.watch(Interest(frozenset(keys)), self._feed.positions) as watcher:
            while True:
                watcher.skip()
                snapshot = await self._store.read(get_many(keys))
                (found,) = snapshot.results
                if found != shown:
                    shown = found
                    yield found, snapshot.cursor
                    await self._feed.rest(pause)
                await watcher.wait()

    async def statuses(self, interval: float | None = None) -> AsyncIterator[Status]:
        """How the service is, every `interval` seconds.

        Raises:
            BadInput: The interval is shorter than allowed.
            Unavailable: The service is stopping, or its table cannot be read.
        """
        pause = self._interval(interval)
        while True:
            yield await self.request().status()
            await self._feed.rest(pause)

    @property
    def stopping(self) -> bool:
        """Whether subscriptions have been ended because the service stops."""
        return self._feed.closed

    def readiness(self) -> Readiness:
        """Whether the service should get traffic, and why; read from memory alone."""
        lag = sum(self._lifecycle.lag(self._feed.positions))
        return Readiness(self._lifecycle.ready, self._lifecycle.moment, lag)

    def check_number_of_keys(self, number: int) -> None:
        """Raises: TooManyKeys: A request may not name as many."""
        limit = self._limits.keys_per_request_max
        if number > limit:
            raise TooManyKeys(f"The request names {number} keys or more; {limit} are allowed.", limit=limit)

    def key(self, key: bytes) -> bytes:
        """Raises: BadKey: The key is longer than a key may be."""
        if len(key) > self._limits.key_bytes_max:
            raise BadKey(f"A key has at most {self._limits.key_bytes_max} bytes.", limit=self._limits.key_bytes_max)
        return key

    def place(self, token: str) -> Cursor:
        """The cursor of a token.

        Raises:
            BadCursor: It cannot be decoded.
        """
        return decode_cursor(token)

    # What `Reads` needs; see its protocol.

    @property
    def page_entries_max(self) -> int:
        return self._limits.page_entries_max

    @property
    def entries_known(self) -> bool:
        return monotonic() - self._counted_at < _COUNT_SECONDS

    async def read(self, *queries: Query[Any]) -> Snapshot:
        """Run queries in one snapshot.

        Raises:
            Unavailable: The table cannot be read.
        """
        return await self._store.read(*queries)

    async def get_many(self, keys: Sequence[bytes]) -> tuple[Cursor, list[Record | None]]:
        """The entry of each key, in a snapshot that other requests share, and where it stands.

        Raises:
            Unavailable: The table cannot be read.
        """
        return await self._shared.get_many(keys)

    def wanted(self, wait: Wait) -> tuple[Cursor | None, float]:
        """The place that a read waits for, and for how many seconds at most.

        Raises:
            BadCursor: The cursor cannot be decoded.
            BadInput: The time is negative.
        """
        seconds_max = self._limits.wait_seconds_max if wait.seconds_max is None else wait.seconds_max
        if not seconds_max >= 0:
            raise BadInput("`maxWait` is a number of seconds, 0 or more.")
        if wait.at_least is None:
            return None, 0.0
        return decode_cursor(wait.at_least), min(seconds_max, self._limits.wait_seconds_max)

    async def wait_until_applied(self, wanted: Iterable[Cursor], seconds_max: float) -> set[bytes]:
        """Wait until everything below these places is applied, but no longer than that.

        Returns the ids of topics that are certainly not this one; a read at a place of theirs waits in vain.
        """
        places: dict[bytes, Positions] = {}
        for cursor in wanted:
            places[cursor.topic_id] = merge(places.get(cursor.topic_id, ()), cursor.positions)
        strangers: set[bytes] = set()

        async def reach(topic_id: bytes, positions: Positions) -> None:
            if await self._validator.is_this_topic(topic_id):
                await self._feed.reached(positions)
            else:
                strangers.add(topic_id)

        # Who waited in vain is told so by the positions of what is read then.
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds_max):
                await asyncio.gather(*(reach(*place) for place in places.items()))
        return strangers

    def not_caught_up(self, wanted: Cursor, reached: Cursor) -> NotCaughtUp:
        """The error of a read that waited in vain."""
        moment = self._lifecycle.moment
        # Of a table that is to be built again of another topic, nothing counts.
        positions = reached.positions if reached.topic_id == wanted.topic_id else ()
        return NotCaughtUp(
            "What the cursor asks for is not applied yet.",
            reached=reached.encode(),
            behind=sum(max(0, offset - position_in(positions, p)) for p, offset in enumerate(wanted.positions)),
            state=moment.state.value,
            reason=moment.reason,
        )

    def _interval(self, asked: float | None) -> float:
        least = self._limits.interval_seconds_min
        if asked is None:
            return least
        if not asked >= least:
            raise BadInput(f"`interval` is a number of seconds, {least} or more.", limit=least)
        return asked

    def status(self, cursor: Cursor, sizes: Sizes, entries: int | None) -> Status:
        """The status at `cursor`; `entries` is None where the last count is recent enough."""
        if entries is not None:
            self._entries, self._counted_at = entries, monotonic()
        return status_of(self._topic, self._lifecycle, cursor, sizes, self._entries)
