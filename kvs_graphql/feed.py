"""The live end: a bounded log of recent commits in memory, shared by all watchers, each with a place in it.

Publishing never waits. A watcher holds no queue: it is woken when a commit touches a key it is interested in,
and reads the shared log from its place. What it has not read when the log drops it, it has lost here: it is
told so, and has to read the store. Memory is that of the log, whatever the number of watchers and however far
they are behind. (etcd parts its watchers into synced and unsynced ones for the same reason.)
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from heapq import heappop, heappush
from itertools import count

from kvs_graphql.cursor import Cursor
from kvs_graphql.errors import Unavailable
from kvs_graphql.records import Commit, Interest, Positions, Record, advance, covers, merge, position_in


@dataclass(frozen=True, slots=True)
class Event:
    """A change, and the positions just after it."""

    record: Record
    positions: Positions


class Behind(Exception):
    """The log no longer holds what a watcher has not read; `Watcher.positions` is where to go on from."""


class Feed:
    """Publishes commits to watchers. One per table; not thread-safe: everything happens on one event loop."""

    def __init__(self, cursor: Cursor, *, changes_max: int, bytes_max: int) -> None:
        self.topic_id = cursor.topic_id
        self.positions = cursor.positions
        self._changes_max = changes_max
        self._bytes_max = bytes_max
        self._log: deque[_Logged] = deque()
        self._first = 0
        self._changes = 0
        self._bytes = 0
        self._interests = _Interests()
        self._waits = _Waits()
        self._closing = asyncio.Event()

    def begin(self, cursor: Cursor) -> None:
        """Start over with an empty log: the store stands at `cursor`, by commits that were not published."""
        self.topic_id, self.positions = cursor.topic_id, cursor.positions
        self._first += len(self._log)
        self._log.clear()
        self._changes = self._bytes = 0
        for watcher in self._interests.all():
            watcher.lose()
        self._waits.reached(self.positions)

    def publish(self, commit: Commit) -> None:
        """Append a commit and wake whoever it concerns; positions without changes wake waiters only."""
        number = self._first + len(self._log)
        self._log.append(_Logged(commit))
        self._changes += len(commit.changes)
        self._bytes += commit.size_bytes
        self.positions = commit.after
        for watcher in self._interests.concerned(commit.changes):
            watcher.wake(number)
        self._waits.reached(commit.after)
        while self._log and (self._changes > self._changes_max or self._bytes > self._bytes_max):
            dropped = self._log.popleft().commit
            self._first += 1
            self._changes -= len(dropped.changes)
            self._bytes -= dropped.size_bytes

    @contextmanager
    def watch(self, interest: Interest, seen: Positions) -> Iterator["Watcher"]:
        """A watcher of what is published from `seen` on, for as long as the context is open.

        Where the log does not reach back to `seen`, the watcher's first `take` raises `Behind`.
        """
        self._check_open()
        watcher = Watcher(self, interest, seen)
        self._interests.add(watcher)
        try:
            yield watcher
        finally:
            self._interests.remove(watcher)

    async def reached(self, positions: Positions) -> None:
        """Return once everything below `positions` is published. Costs nothing while it waits."""
        self._check_open()
        if not covers(self.positions, positions):
            await self._waits.add(self.positions, positions)

    async def rest(self, seconds: float) -> None:
        """Let time pass.

        Raises:
            Unavailable: The feed was closed before it had.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        self._check_open()

    @property
    def closed(self) -> bool:
        return self._closing.is_set()

    def _check_open(self) -> None:
        if self.closed:
            raise Unavailable("The service is stopping.")

    def close(self) -> None:
        """End every watcher and every wait with `Unavailable`: the service is stopping."""
        self._closing.set()
        for watcher in self._interests.all():
            watcher.close()
        self._waits.close()

    def holds(self, positions: Positions) -> bool:
        """Whether the log reaches back to `positions`."""
        start = self._log[0].commit.before if self._log else self.positions
        return covers(positions, start)

    def place_of(self, positions: Positions) -> int:
        """The number of the first commit that may have a change not below `positions`."""
        low, high = 0, len(self._log)
        # What was published before a commit only grows from one to the next: a binary search.
        while low < high:
            middle = (low + high) // 2
            if covers(positions, self._log[middle].commit.after):
                low = middle + 1
            else:
                high = middle
        return self._first + low

    def logged(self, number: int) -> "_Logged | None":
        """The commit of that number; None past the end of the log.

        Raises:
            Behind: The log has dropped it.
        """
        if number < self._first:
            raise Behind
        index = number - self._first
        return self._log[index] if index < len(self._log) else None


class Watcher:
    """A place in the feed's log. Made by `Feed.watch`; used by one task."""

    def __init__(self, feed: Feed, interest: Interest, seen: Positions) -> None:
        self.interest = interest
        self._feed = feed
        self._seen = seen
        self._skipped = 0
        self._closed = False
        self._wakened = asyncio.Event()
        self._lost = not feed.holds(seen)
        self._number = feed.place_of(seen)
        self._unread = not covers(seen, feed.positions)
        if self.unread:
            self._wakened.set()

    @property
    def positions(self) -> Positions:
        """Everything below is delivered, or of no interest here."""
        return self._seen if self.unread else merge(self._seen, self._feed.positions)

    def wake(self, number: int) -> None:
        """A commit has something for this watcher (called by the feed)."""
        if self.unread:
            return
        logged = self._feed.logged(number)
        assert logged is not None
        # Nothing before this commit concerned the watcher: that much it has seen.
        self._seen = merge(self._seen, logged.commit.before)
        self._number, self._skipped, self._unread = number, 0, True
        self._wakened.set()

    def lose(self) -> None:
        """There were changes that the log never had: `take` raises `Behind` (called by the feed)."""
        self._lost = True
        self._wakened.set()

    def close(self) -> None:
        """End the watcher's wait with `Unavailable` (called by the feed)."""
        self._closed = True
        self._wakened.set()

    @property
    def unread(self) -> bool:
        """Whether there is more to take, or something lost, already."""
        return self._unread or self._lost

    async def wait(self) -> None:
        """Return once `take` has something, or something to say."""
        await self._wakened.wait()

    def skip(self) -> None:
        """Leave out everything up to now, taken or lost: who only wants the latest state reads the store for it.

        Raises:
            Unavailable: The feed is closed.
        """
        if self._closed:
            raise Unavailable("The service is stopping.")
        self._seen = merge(self._seen, self._feed.positions)
        self._unread = self._lost = False
        self._wakened.clear()

    def take(self, limit: int) -> list[Event]:
        """Up to `limit` of the changes not taken yet, in order; empty when there is none.

        Raises:
            Behind: Some were lost: go on from `positions` in the store.
            Unavailable: The feed is closed.
        """
        if self._closed:
            raise Unavailable("The service is stopping.")
        if self._lost:
            raise Behind
        taken: list[Event] = []
        while self._unread and len(taken) < limit:
            logged = self._feed.logged(self._number)
            if logged is None:
                self._unread = False
                self._wakened.clear()
            else:
                self._take_from(logged, taken, limit)
        return taken

    def _take_from(self, logged: "_Logged", taken: list[Event], limit: int) -> None:
        matching = logged.matching(self.interest)
        while self._skipped < len(matching) and len(taken) < limit:
            index = matching[self._skipped]
            record = logged.commit.changes[index]
            self._skipped += 1
            if record.offset < position_in(self._seen, record.partition):
                continue
            self._seen = merge(self._seen, logged.positions_after(index))
            taken.append(Event(record, self._seen))
        if self._skipped == len(matching):
            self._seen = merge(self._seen, logged.commit.after)
            self._number, self._skipped = self._number + 1, 0


class _Logged:
    """A commit in the log, and what is worked out of it once for all watchers that ask."""

    def __init__(self, commit: Commit) -> None:
        self.commit = commit

    @cached_property
    def _by_key(self) -> dict[bytes, list[int]]:
        by_key: dict[bytes, list[int]] = defaultdict(list)
        for index, record in enumerate(self.commit.changes):
            by_key[record.key].append(index)
        return by_key

    def matching(self, interest: Interest) -> range | list[int]:
        """The indexes of the changes that match, ascending."""
        if interest.everything:
            return range(len(self.commit.changes))
        if interest.prefix is None and interest.keys is not None:
            found = (self._by_key[key] for key in interest.keys & self._by_key.keys())
            return sorted(index for indexes in found for index in indexes)
        return [index for index, record in enumerate(self.commit.changes) if interest.matches(record.key)]

    def positions_after(self, index: int) -> Positions:
        """The positions just after a change: runs of partitions ascend, so lower ones are done, higher ones not."""
        record = self.commit.changes[index]
        before, after = self.commit.before, self.commit.after
        done = after[: record.partition] + before[record.partition :]
        return advance(done, record.partition, record.offset + 1)


class _Interests:
    """Who is interested in which key: a change costs a look-up, and a step for each watcher that matches."""

    def __init__(self) -> None:
        self._everything: set[Watcher] = set()
        self._by_key: dict[bytes, set[Watcher]] = {}
        self._by_prefix: dict[bytes, set[Watcher]] = {}
        self._prefix_lengths: list[int] = []

    def add(self, watcher: Watcher) -> None:
        for index, term in self._terms(watcher):
            index.setdefault(term, set()).add(watcher)
        if watcher.interest.everything:
            self._everything.add(watcher)
        self._prefix_lengths = sorted(set(map(len, self._by_prefix)))

    def remove(self, watcher: Watcher) -> None:
        for index, term in self._terms(watcher):
            index[term].discard(watcher)
            if not index[term]:
                del index[term]
        self._everything.discard(watcher)
        self._prefix_lengths = sorted(set(map(len, self._by_prefix)))

    def all(self) -> set[Watcher]:
        return self._everything.union(*self._by_key.values(), *self._by_prefix.values())

    def concerned(self, changes: Iterable[Record]) -> set[Watcher]:
        """The watchers that any of the changes matches."""
        concerned: set[Watcher] = set()
        if changes:
            concerned |= self._everything
        if self._by_key:
            for record in changes:
                if watchers := self._by_key.get(record.key):
                    concerned |= watchers
        for length in self._prefix_lengths:
            for prefix in {record.key[:length] for record in changes}:
                concerned |= self._by_prefix.get(prefix, set())
        return concerned

    def _terms(self, watcher: Watcher) -> Iterator[tuple[dict[bytes, set[Watcher]], bytes]]:
        for key in watcher.interest.keys or ():
            yield self._by_key, key
        if watcher.interest.prefix is not None:
            yield self._by_prefix, watcher.interest.prefix


class _Waits:
    """Who waits for which positions. A wait is kept under one partition it still lacks, so that a commit looks
    only at waits it may end."""

    def __init__(self) -> None:
        self._by_partition: dict[int, list[tuple[int, int, Positions, asyncio.Future[None]]]] = {}
        self._order = count()

    def add(self, reached: Positions, wanted: Positions) -> asyncio.Future[None]:
        future = asyncio.get_running_loop().create_future()
        self._keep(reached, wanted, future)
        return future

    def reached(self, positions: Positions) -> None:
        for partition, waits in list(self._by_partition.items()):
            while waits and (waits[0][3].done() or waits[0][0] <= position_in(positions, partition)):
                _, _, wanted, future = heappop(waits)
                if not future.done():
                    self._keep(positions, wanted, future)
            if not waits:
                del self._by_partition[partition]

    def close(self) -> None:
        for waits in self._by_partition.values():
            for *_, future in waits:
                if not future.done():
                    future.set_exception(Unavailable("The service is stopping."))
        self._by_partition.clear()

    def _keep(self, reached: Positions, wanted: Positions, future: asyncio.Future[None]) -> None:
        for partition, offset in enumerate(wanted):
            if position_in(reached, partition) < offset:
                heappush(self._by_partition.setdefault(partition, []), (offset, next(self._order), wanted, future))
                return
        future.set_result(None)
