"""The one place where store and feed meet: from a cursor through the backlog to the live end, and back again.

An unsynced watch reads the store in short pages until the feed's log reaches back to its cursor. What the store can
still tell decides what the client sees:

* every change since the cursor, while the change window holds them (REPLAYING);
* else `CONFLATED` and the latest state of each key changed since, deletes included (CONFLATING);
* else, where deletes may have been forgotten, the cursor belongs to another topic, or keys have one more encoding,
  `RESET` and a snapshot.

`LIVE` ends each of those runs: from there on the client holds exactly the table at its cursor. A snapshot is a
resume from the empty cursor: a partition at 0 holds nothing yet, so deletes are left out of it.
"""

from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar

from kvs_graphql.cursor import Cursor
from kvs_graphql.cursor_validation import CursorValidator
from kvs_graphql.feed import Feed, Kind, Sink, Update, Watcher, WatcherState, kind_of
from kvs_graphql.records import Interest, Positions, Record, advance, covers, merge, position_in
from kvs_graphql.store import Coverage, Query, Store, changes_after, keys_by_partition, log_order
from kvs_graphql.watch.conflation import conflate
from kvs_graphql.watch.pages import PageInHand
from kvs_graphql.watch.quotas import BYTES_PER_TURN, UPDATES_PER_TURN, Quotas, arguments_bytes
from kvs_graphql.watch.resume import follows_from, lost_partitions, way_from_table
from kvs_graphql.watch.states import TRANSITIONS, Start, WatchState

T = TypeVar("T")
Pages = AsyncGenerator[Iterable[Update], None]


class _Read(NamedTuple, Generic[T]):
    """What a query found, and what the store covered at that moment."""

    known: Coverage
    found: T


class Watch:
    """One subscription to changes; used by one task."""

    # There is one for each idle subscription: it must be small.
    __slots__ = (
        *("_delivered", "_epochs", "_feed", "_generation", "_interest", "_known", "_owes_live", "_quotas"),
        *("_seen", "_sink", "_store", "_target", "_topic_id", "_validator", "_wanted", "_widened", "state"),
    )

    def __init__(
        self,
        store: Store,
        feed: Feed,
        interest: Interest,
        quotas: Quotas,
        validator: CursorValidator,
        wanted: Callable[[], Interest] | None = None,
    ) -> None:
        """`wanted` names the keys of the interest again, once the table's keys have one more encoding."""
        self.state = WatchState.STARTING
        self._store = store
        self._feed = feed
        self._interest = interest
        self._quotas = quotas
        self._validator = validator
        self._topic_id = feed.topic_id
        self._epochs = feed.epochs
        self._generation = store.generation
        self._wanted = wanted
        self._widened = feed.widened
        self._known: Coverage | None = None
        self._seen: Positions = ()
        self._delivered: Positions = ()
        self._target: Positions = ()
        self._owes_live = False
        self._sink: Sink | None = None

    async def updates(self, start: Start, sink: Sink | None = None) -> Pages:
        """Yield the updates from `start` on, some at a time, without end. Each are to be read before the next ones.

        While the watch is synced, the sink takes updates directly: only those that it could not take are yielded.

        Raises:
            LimitExceeded: Open subscriptions keep too many bytes of their requests.
            Unavailable: The service is stopping, or its table cannot be read.
        """
        self._sink = None if start.interval is not None else sink
        with self._quotas.arguments.held(arguments_bytes(self._interest, start.after)):
            while True:
                match self.state:
                    case WatchState.STARTING:
                        self._enter(await self._start(start))
                    case WatchState.UNSYNCED:
                        self._enter(await self._choose())
                    case _:
                        async with aclosing(self._run(start)) as pages:
                            async for page in pages:
                                yield page

    def _run(self, start: Start) -> Pages:
        """The pages of a state that yields some; it enters the next state before it ends."""
        match self.state:
            case WatchState.SNAPSHOT:
                return self._snapshot()
            case WatchState.REPLAYING:
                return self._replay()
            case WatchState.CONFLATING:
                return self._conflate_backlog()
            case WatchState.RESETTING:
                return self._reset()
            case _:
                return self._follow(start)

    def _enter(self, state: WatchState) -> None:
        assert state in TRANSITIONS[self.state], f"{self.state} does not lead to {state}"
        self.state = state

    async def _start(self, start: Start) -> WatchState:
        """Take the cursor that the start means, or begin with a snapshot."""
        self._widen()
        if start.after is not None or start.snapshot:
            await self._store.indexed.wait()
            self._owes_live = True
        if start.after is not None:
            return await self._resume(start.after)
        self._adopt_table()
        if start.snapshot:
            return WatchState.SNAPSHOT
        # From now on: nothing is resumed.
        self._seen = self._feed.positions
        self._owes_live = start.progress
        return WatchState.SYNCED

    async def _resume(self, after: Cursor) -> WatchState:
        """Go on from a cursor once the table has reached it; begin anew if it is not of this table's log."""
        if self._wanted is not None and not covers(after.positions, self._feed.widened):
            return WatchState.RESETTING
        while await self._validator.is_this_topic(after.topic_id):
            self._adopt_table()
            if not await self._validator.is_applied(after):
                break
            if after.topic_id == self._feed.topic_id and self._generation == self._store.generation:
                _, self._seen, self._target, self._epochs, _ = after
                return WatchState.UNSYNCED
        return WatchState.RESETTING

    async def _choose(self) -> WatchState:
        """Follow the feed where its log reaches back to the cursor, else read the store in the best way it can tell."""
        if not await self._is_same_log() or self._widen():
            return WatchState.RESETTING
        if follows_from(self._seen, self._store.deletes_known_from) and self._feed.holds(self._seen):
            return WatchState.SYNCED
        await self._store.indexed.wait()
        read = await self._read(lambda _: None)
        if read is None:
            return await self._choose()
        self._known = read.known
        return way_from_table(self._seen, read.known)

    def _widen(self) -> bool:
        """Name the keys again if they have one more encoding; return whether: the client may have missed records."""
        if self._wanted is None or self._widened is self._feed.widened:
            return False
        self._interest, self._widened = self._wanted(), self._feed.widened
        return True

    async def _reset(self) -> Pages:
        self._adopt_table()
        self._seen, self._target, self._owes_live = (), (), True
        yield [self._marker(Kind.RESET)]
        self._enter(WatchState.SNAPSHOT)

    async def _snapshot(self) -> Pages:
        self._seen = ()
        read = await self._read(lambda _: None)
        replaced = read is None
        if read is not None:
            end = read.known.positions
            async with aclosing(self._scan(range(len(end)), end)) as pages:
                async for page in pages:
                    yield page
            replaced = not covers(self._seen, end)
        self._enter(WatchState.RESETTING if replaced else WatchState.UNSYNCED)

    async def _conflate_backlog(self) -> Pages:
        """The latest record of each key that changed since, in the partitions whose changes the window lost."""
        known = self._known
        assert known is not None, "the decision to conflate read it"
        self._owes_live = True
        yield [self._marker(Kind.CONFLATED)]
        async with aclosing(self._scan(lost_partitions(self._seen, known), known.positions)) as pages:
            async for page in pages:
                yield page
        self._enter(WatchState.UNSYNCED)

    async def _replay(self) -> Pages:
        """Every change since what was seen, until the window's end or as far as the window still holds them."""
        sequence = 0
        while True:
            read = await self._read_page(partial(changes_after, self._interest, self._seen, sequence))
            # Sequence numbers of another file mean nothing in this one.
            if read is None or not covers(self._seen, read.known.window_start):
                break
            known, changes = read.known, read.found
            with PageInHand(self._quotas.pages, changes.records) as page:
                while page:
                    yield self._some_records(page)
                    await self._next_turn(page)
            if page.dropped:
                continue
            if changes.complete:
                self._seen = merge(self._seen, known.positions)
                break
            sequence = changes.through
        self._enter(WatchState.UNSYNCED)

    async def _follow(self, start: Start) -> Pages:
        """Follow the feed until the watcher falls behind its log."""
        self._delivered = self._seen
        generation = self._store.generation
        with self._feed.watch(self._interest, self._seen) as watcher:
            while True:
                taken = await self._take(watcher, start)
                self._epochs = self._feed.epochs if self._store.generation == generation else self._feed.previous_epochs
                if watcher.state is WatcherState.FELL_BEHIND:
                    self._seen = watcher.positions
                    self._enter(WatchState.UNSYNCED)
                    return
                took = bool(taken)
                conflated = took and start.interval is not None and await self._conflate(watcher, taken)
                is_whole = took and not watcher.unread
                if conflated:
                    yield [self._marker(Kind.CONFLATED, self._delivered)]
                if took:
                    with PageInHand(self._quotas.pages, taken) as page:
                        taken.clear()
                        while page:
                            yield self._some_updates(page)
                            await self._next_turn(page)
                    if page.dropped:
                        self._seen = self._delivered
                        self._enter(WatchState.UNSYNCED)
                        return
                if self._owes_live and self._reached_by(watcher):
                    self._owes_live, self._delivered = False, watcher.positions
                    yield [self._marker(Kind.LIVE, self._delivered)]
                elif not took and await self._idle(watcher, start):
                    self._delivered = watcher.positions
                    yield [self._marker(Kind.PROGRESS, self._delivered)]
                if is_whole and start.interval is not None:
                    await self._feed.rest(start.interval)

    async def _take(self, watcher: Watcher, start: Start) -> list[Update]:
        """Take updates from the log: for one turn, or for one delivery."""
        if watcher.unread:
            await self._quotas.turns.next()
        number = self._quotas.page_max if start.interval is not None else min(UPDATES_PER_TURN, self._quotas.page_max)
        return watcher.take(number, self._quotas.pages.page_bytes)

    async def _scan(self, partitions: Sequence[int], end: Positions) -> Pages:
        """The latest record of each key that changed in these partitions between what was seen and `end`.

        Stops short where the table is replaced or the store forgets deletes meanwhile.
        """
        for partition, interest in (await self._interests_in(partitions, end)).items():
            deletes = position_in(self._seen, partition) > 0
            kind = None if deletes else Kind.SNAPSHOT
            while (begin := position_in(self._seen, partition)) < end[partition]:
                read = await self._read_page(
                    partial(log_order, interest, partition, begin, end[partition], deletes=deletes)
                )
                if read is None or (deletes and not follows_from(self._seen, read.known.deletes_known_from)):
                    return
                with PageInHand(self._quotas.pages, read.found.records) as page:
                    while page:
                        yield self._some_records(page, kind)
                        await self._next_turn(page)
                if not page.dropped:
                    self._seen = advance(self._seen, partition, read.found.through)

    async def _interests_in(self, partitions: Sequence[int], end: Positions) -> dict[int, Interest]:
        """What to read in which partitions: keys are looked up once, and partitions without any are passed over."""
        keys = self._interest.keys
        if keys is None or self._interest.prefix is not None or len(partitions) == 1:
            return dict.fromkeys(partitions, self._interest)
        read = await self._read(keys_by_partition(keys))
        if read is None or not follows_from(self._seen, read.known.deletes_known_from):
            return {}
        passed = set(partitions) - read.found.keys()
        self._seen = merge(self._seen, tuple(offset if p in passed else 0 for p, offset in enumerate(end)))
        return {p: Interest(frozenset(read.found[p])) for p in partitions if p in read.found}

    async def _read_page(self, query: Callable[..., Query[T]]) -> _Read[T] | None:
        """Run a query for a page, when it is this watch's turn to read; None where the table was replaced."""
        quotas = self._quotas
        await quotas.turns.next()
        async with quotas.reads:
            pages, rows_max = quotas.pages, quotas.limits.rows_max
            return await self._read_now(query(limit=quotas.page_max, bytes_max=pages.page_bytes, rows_max=rows_max))

    async def _next_turn(self, page: PageInHand[Any]) -> None:
        """Wait for the turn to deliver more of a page; do nothing at its end."""
        if page:
            await self._quotas.turns.next()

    def _some_records(self, page: PageInHand[Record], kind: Kind | None = None) -> Iterator[Update]:
        """The updates of one turn, made as the client takes them: nothing of a page is in hand twice."""
        for record in page.some(UPDATES_PER_TURN, BYTES_PER_TURN):
            yield self._passed(record, kind)

    def _some_updates(self, page: PageInHand[Update]) -> Iterator[Update]:
        latest = None
        for latest in page.some(UPDATES_PER_TURN, BYTES_PER_TURN):
            yield self._before_live(latest) if self._owes_live else latest
        if latest is not None:
            self._delivered = latest.cursor.positions

    async def _conflate(self, watcher: Watcher, taken: list[Update]) -> bool:
        """Leave in `taken`, and of what else can be taken, only the last of each key; return whether any was left out.

        What follows is then a run like that of a snapshot, at whose end LIVE is owed.
        """
        if not await conflate(watcher, taken, self._feed.positions, self._quotas):
            return False
        self._target, self._owes_live = merge(self._target, taken[-1].cursor.positions), True
        return True

    async def _idle(self, watcher: Watcher, start: Start) -> bool:
        """Wait for something to do; return whether PROGRESS is due: its time passed, and nothing that matches came."""
        if self._owes_live:
            await self._feed.first_of(watcher.wait(), self._feed.reached(self._target))
            return False
        with watcher.direct(self._sink):
            before = watcher.delivered
            timed_out = not await watcher.wait(self._quotas.limits.progress_seconds if start.progress else None)
            quiet = timed_out and watcher.delivered is before
        if watcher.delivered is not None:
            self._delivered = merge(self._delivered, watcher.delivered.cursor.positions)
        return quiet and not covers(self._delivered, watcher.positions)

    def _reached_by(self, watcher: Watcher) -> bool:
        return covers(self._feed.positions, self._target) and covers(watcher.positions, self._target)

    async def _read(self, query: Query[T]) -> _Read[T] | None:
        """Run a query, when it is this watch's turn to read; None where the table was replaced."""
        async with self._quotas.reads:
            return await self._read_now(query)

    async def _read_now(self, query: Query[T]) -> _Read[T] | None:
        """Run a query, and note what has to be reached before LIVE; None where the table was replaced."""
        snapshot = await self._store.read(query, is_queued=False)
        is_same_file = self._store.generation == self._generation
        if not is_same_file or not self._feed.topic_id == snapshot.cursor.topic_id == self._topic_id:
            return None
        self._target = merge(self._target, snapshot.cursor.positions)
        self._epochs = snapshot.cursor.epochs
        return _Read(snapshot.coverage, snapshot.results[0])

    def _adopt_table(self) -> None:
        """Go on from the table as it is now."""
        self._topic_id, self._generation = self._feed.topic_id, self._store.generation
        self._epochs = self._feed.epochs

    async def _is_same_log(self) -> bool:
        """Whether the table is still of the log that led to what was seen, and the client can continue from there."""
        while (generation := self._store.generation) != self._generation:
            if await self._validator.was_cut(Cursor(self._topic_id, self._seen, self._target, self._epochs)):
                return False
            if generation == self._store.generation:
                break
        return self._is_same_table()

    def _is_same_table(self) -> bool:
        """Whether the client can continue from what it holds; a rebuilt table agrees with the old one at equal cursors.

        It cannot after a change to another topic, a log that was cut short, or a swap within a run.
        """
        if self._feed.topic_id != self._topic_id:
            return False
        if self._store.generation != self._generation:
            if self._owes_live or not covers(self._feed.positions, self._seen):
                return False
            self._generation = self._store.generation
        return True

    def _marker(self, kind: Kind, positions: Positions | None = None) -> Update:
        return Update(kind, self._cursor(self._seen if positions is None else positions))

    def _passed(self, record: Record, kind: Kind | None = None) -> Update:
        self._seen = advance(self._seen, record.partition, record.offset + 1)
        return Update(kind or kind_of(record), self._cursor(self._seen), record)

    def _before_live(self, update: Update) -> Update:
        return update._replace(cursor_source=self._cursor(update.cursor.positions))

    def _cursor(self, positions: Positions) -> Cursor:
        pending = self._target if self._owes_live else ()
        return Cursor(self._topic_id, positions, pending, self._epochs, self._feed.table)
