"""The one place where store and feed meet: from a cursor through the backlog to the live end, and back again.

A watch is unsynced while it reads the store in short pages, and synced while it follows the feed. It starts
unsynced when it is given a place the feed's log does not reach back to, and becomes so again when it falls out
of that log. What the store can still tell decides what the client sees:

* every change since the place, while the change window holds them;
* else `CONFLATED` and the latest state of each key changed since, deletes included;
* else, where deletes may have been forgotten or the place belongs to another topic, `RESET` and a snapshot.

`LIVE` ends each of those runs: from there on the client holds exactly the table at its cursor. A snapshot is a
resume from the empty cursor: a partition at 0 holds nothing yet, so deletes are left out of it.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import TypeVar

from kvs_graphql.cursor import Cursor
from kvs_graphql.cursor_validation import CursorValidator, PendingValidation
from kvs_graphql.feed import Feed, FellBehind, Kind, Push, Update, Watcher
from kvs_graphql.records import Interest, Positions, Record, advance, covers, merge, position_in
from kvs_graphql.store import Coverage, Query, Store, changes_after, coverage, log_order

T = TypeVar("T")


class _TableReplaced(Exception):
    """The table is another topic's or log's, or was built again within a run: what was told does not add up."""


@dataclass(frozen=True, slots=True)
class Start:
    """Where a watch begins: at a cursor, with a snapshot, or (neither) from now on; and how it goes on."""

    after: Cursor | None = None
    snapshot: bool = False
    progress: bool = False
    interval: float | None = None
    """Seconds between two pushes of changes, each with the latest change of a key alone; None: every change at once."""
    push: Push | None = None
    """While the watch is synced it tells of changes by this, at once, and yields those alone that it could not."""


@dataclass(frozen=True, slots=True)
class WatchLimits:
    """`page_max`: updates read or taken at once. `page_bytes_max`: bytes after which no more are read at once.

    `progress_seconds`: the time between two PROGRESS markers.
    """

    page_max: int
    page_bytes_max: int
    progress_seconds: float


class Watch:
    """One subscription to changes; used by one task."""

    def __init__(
        self, store: Store, feed: Feed, interest: Interest, limits: WatchLimits, validator: CursorValidator
    ) -> None:
        self._store = store
        self._feed = feed
        self._interest = interest
        self._limits = limits
        self._validator = validator
        self._validation: PendingValidation | None = None
        self._topic_id = feed.topic_id
        self._generation = store.generation
        self._seen: Positions = ()
        self._target: Positions = ()
        self._owes_live = False

    async def updates(self, start: Start) -> AsyncGenerator[list[Update], None]:
        """The updates from `start` on, a few at a time, without end.

        Raises:
            Unavailable: The service is stopping, or its table cannot be read.
        """
        pages, following = self._begin(start), True
        while True:
            try:
                async for page in pages:
                    yield page
            except _TableReplaced:
                pages, following = self._start_over(), True
            else:
                # By turns: what one ends with is where the other begins.
                following = not following
                pages = self._follow(start) if following else self._catch_up()

    async def _begin(self, start: Start) -> AsyncIterator[list[Update]]:
        """Take the place that the start means, or begin with a snapshot."""
        if start.after is not None or start.snapshot:
            await self._store.indexed.wait()
            self._owes_live = True
        known = start.after is not None and await self._validator.is_this_topic(start.after.topic_id)
        self._topic_id, self._generation = self._feed.topic_id, self._store.generation
        if start.after is not None and known:
            self._topic_id, self._seen, self._target = start.after
            self._validation = self._validator.validation_of(merge(self._seen, self._target))
        elif start.after is not None:
            async for page in self._start_over():
                yield page
        elif start.snapshot:
            async for page in self._snapshot():
                yield page
        else:
            self._seen = self._feed.positions
            self._owes_live = start.progress

    async def _start_over(self) -> AsyncIterator[list[Update]]:
        """What was told so far cannot be gone on from: RESET, and a snapshot."""
        while True:
            self._topic_id, self._generation = self._feed.topic_id, self._store.generation
            self._seen, self._target, self._owes_live, self._validation = (), (), True, None
            yield [self._marker(Kind.RESET)]
            try:
                async for page in self._snapshot():
                    yield page
            except _TableReplaced:
                continue
            return

    async def _snapshot(self) -> AsyncIterator[list[Update]]:
        self._seen = ()
        known = await self._coverage()
        async for page in self._scan(range(len(known.positions)), known.positions):
            yield page

    async def _catch_up(self) -> AsyncIterator[list[Update]]:
        """Read the store until the feed's log reaches back to what has been seen."""
        while self._is_same_table() and not self._feed.holds(self._seen):
            await self._store.indexed.wait()
            known = await self._coverage()
            lost = [p for p, offset in enumerate(known.window_start) if position_in(self._seen, p) < offset]
            if any(self._forgot_deletes(known, p) for p in range(len(known.positions))):
                async for page in self._start_over():
                    yield page
            elif lost:
                self._owes_live = True
                yield [self._marker(Kind.CONFLATED)]
                async for page in self._scan(lost, known.positions):
                    yield page
            else:
                async for page in self._walk_window():
                    yield page

    async def _scan(self, partitions: "range | list[int]", end: Positions) -> AsyncIterator[list[Update]]:
        """The latest record of each key that changed in these partitions between what was seen and `end`.

        Stops short where the store forgets deletes meanwhile.
        """
        for partition in partitions:
            deletes = position_in(self._seen, partition) > 0
            complete = False
            while not complete:
                query = log_order(
                    self._interest,
                    partition,
                    position_in(self._seen, partition),
                    end[partition],
                    deletes=deletes,
                    limit=self._limits.page_max,
                    bytes_max=self._limits.page_bytes_max,
                )
                known, run = await self._read(query)
                if deletes and self._forgot_deletes(known, partition):
                    return
                if run.records:
                    yield [self._passed(record, None if deletes else Kind.SNAPSHOT) for record in run.records]
                complete = run.complete
            self._seen = advance(self._seen, partition, end[partition])

    async def _walk_window(self) -> AsyncIterator[list[Update]]:
        """Every change since what was seen, until the window's end or as far as the window still holds them."""
        sequence, generation = 0, self._generation
        while True:
            query = changes_after(
                self._interest,
                self._seen,
                sequence,
                limit=self._limits.page_max,
                bytes_max=self._limits.page_bytes_max,
            )
            known, changes = await self._read(query)
            # Sequence numbers of another file mean nothing in this one.
            if self._generation != generation or not covers(self._seen, known.window_start):
                return
            if changes.records:
                yield [self._passed(record) for record in changes.records]
            if changes.complete:
                self._seen = merge(self._seen, known.positions)
                return
            sequence = changes.through

    async def _follow(self, start: Start) -> AsyncIterator[list[Update]]:
        """Follow the feed until it has lost what is not taken yet."""
        # A place ahead of this replica is accepted, if Kafka has it: LIVE waits until the feed is there too.
        self._target = merge(self._target, self._seen)
        with self._feed.watch(self._interest, self._seen) as watcher:
            told = self._seen
            try:
                while True:
                    self._check_validation()
                    taken = watcher.take(self._limits.page_max)
                    if start.interval is not None and self._conflate(watcher, taken):
                        yield [self._marker(Kind.CONFLATED, told)]
                    if taken:
                        yield [self._before_live(update) for update in taken] if self._owes_live else taken
                        told = taken[-1].cursor.positions
                    if self._owes_live and self._reached_by(watcher):
                        self._owes_live, self._validation = False, None
                        told = watcher.positions
                        yield [self._marker(Kind.LIVE, told)]
                    elif not taken:
                        quiet = await self._idle(watcher, start)
                        if watcher.told is not None:
                            told = merge(told, watcher.told.cursor.positions)
                        if quiet and not covers(told, watcher.positions):
                            told = watcher.positions
                            yield [self._marker(Kind.PROGRESS, told)]
                    if taken and start.interval is not None and not watcher.unread:
                        await self._feed.rest(start.interval)
            except FellBehind:
                self._seen = watcher.positions

    def _conflate(self, watcher: Watcher, taken: list[Update]) -> bool:
        """Leave of `taken`, and of what else can be taken, only the last of each key; whether any was left out.

        What follows is then a run like that of a snapshot, at whose end LIVE is owed.
        """
        latest: dict[bytes, Update] = {}
        more, number = list(taken), 0
        while more:
            number += len(more)
            for update in more:
                assert update.record is not None
                latest.pop(update.record.key, None)
                latest[update.record.key] = update
            more = watcher.take(self._limits.page_max) if len(latest) < self._limits.page_max else []
        taken[:] = latest.values()
        if len(latest) == number:
            return False
        self._target, self._owes_live = merge(self._target, taken[-1].cursor.positions), True
        return True

    async def _idle(self, watcher: Watcher, start: Start) -> bool:
        """Wait for something to do; True where time for a PROGRESS marker passed without."""
        if self._owes_live:
            waits = [watcher.wait(), self._feed.reached(self._target)]
            if self._validation is not None:
                waits.append(self._validation.until_known())
            await self._feed.first_of(*waits)
            return False
        with watcher.pushing(start.push if start.interval is None else None):
            if not start.progress:
                await watcher.wait()
                return False
            told = watcher.told
            try:
                async with asyncio.timeout(self._limits.progress_seconds):
                    await watcher.wait()
            except TimeoutError:
                return watcher.told is told
        return False

    def _check_validation(self) -> None:
        """Judge by a look at Kafka's end that began after the client came: an older one may not know its place yet.

        Raises:
            _TableReplaced: The place is past the end: of a log that was cut short since, or of no log there ever was.
        """
        if self._validation is not None and (holds := self._validation.result()) is not None:
            if not holds:
                raise _TableReplaced
            self._validation = None

    def _reached_by(self, watcher: Watcher) -> bool:
        return covers(self._feed.positions, self._target) and covers(watcher.positions, self._target)

    async def _coverage(self) -> Coverage:
        known, _ = await self._read(lambda _: None)
        return known

    async def _read(self, query: Query[T]) -> tuple[Coverage, T]:
        """What the query finds, and what the store covers at that moment, which what follows has to reach."""
        snapshot = await self._store.read(coverage(), query)
        if self._is_same_table() and snapshot.cursor.topic_id != self._topic_id:
            raise _TableReplaced
        self._target = merge(self._target, snapshot.cursor.positions)
        known: Coverage = snapshot.results[0]
        found: T = snapshot.results[1]
        return known, found

    def _is_same_table(self) -> bool:
        """True where what was told so far still holds; a table built again is the same one at its cursors.

        Raises:
            _TableReplaced: It does not: another topic, a log that was cut short, or a run begun on the old table.
        """
        if self._feed.topic_id != self._topic_id:
            raise _TableReplaced
        if self._store.generation != self._generation:
            if self._owes_live or not covers(self._feed.positions, self._seen):
                raise _TableReplaced
            self._generation = self._store.generation
        return True

    def _forgot_deletes(self, known: Coverage, partition: int) -> bool:
        return 0 < position_in(self._seen, partition) < known.deletes_known_from[partition]

    def _marker(self, kind: Kind, positions: Positions | None = None) -> Update:
        return Update(kind, self._cursor(self._seen if positions is None else positions))

    def _passed(self, record: Record, kind: Kind | None = None) -> Update:
        self._seen = advance(self._seen, record.partition, record.offset + 1)
        return Update(kind or _kind(record), self._cursor(self._seen), record)

    def _before_live(self, update: Update) -> Update:
        return update._replace(place=self._cursor(update.cursor.positions))

    def _cursor(self, positions: Positions) -> Cursor:
        return Cursor(self._topic_id, positions, self._target if self._owes_live else ())


def _kind(record: Record) -> Kind:
    return Kind.DELETE if record.value is None else Kind.SET
