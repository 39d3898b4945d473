"""The live end: a bounded log of recent commits in memory, shared by all watchers, each with a place in it.

Publishing never waits. A watcher holds no queue: it is woken when a commit touches a key it is interested in,
and reads the shared log from its place. What it has not read when the log drops it, it has lost here: it is
told so, and has to read the store. Memory is that of the log, whatever the number of watchers and however far
they are behind. One that has taken everything may be told at once instead of being woken: see `pushes`.
(etcd parts its watchers into synced and unsynced ones for the same reason.)
"""

import asyncio
from collections import deque
from collections.abc import Coroutine
from contextlib import AbstractContextManager, suppress
from typing import Any, Self

from kvs_graphql.cursor import Cursor
from kvs_graphql.errors import Unavailable
from kvs_graphql.feed.interests import Interests
from kvs_graphql.feed.pushes import STEPS_A_TURN, Push, Pushes
from kvs_graphql.feed.updates import Logged, Update
from kvs_graphql.feed.waits import Waits
from kvs_graphql.records import Commit, Interest, Positions, covers, merge, position_in

_SHARED_CHANGES_MAX = 4_096


class FellBehind(Exception):
    """The log no longer holds what a watcher has not read; `Watcher.positions` is where to go on from."""


class Feed:
    """Publishes commits to watchers. One per table; not thread-safe: everything happens on one event loop."""

    def __init__(self, cursor: Cursor, *, changes_max: int, bytes_max: int, pushes_a_turn: int = STEPS_A_TURN) -> None:
        self.topic_id = cursor.topic_id
        self.positions = cursor.positions
        self._changes_max = changes_max
        self._bytes_max = bytes_max
        self._log: deque[Logged] = deque()
        self._shared: deque[Logged] = deque()
        self._shared_changes = 0
        self._first = 0
        self._changes = 0
        self._bytes = 0
        self._interests = Interests[Watcher]()
        self._pushes = Pushes(pushes_a_turn)
        self._waits = Waits()
        self._closing = asyncio.Event()
        self._beginning = asyncio.Event()

    def reset(self, cursor: Cursor) -> None:
        """Start over with an empty log: the store stands at `cursor`, by commits that were not published."""
        self._pushes.release()
        for watcher in self._interests.all():
            watcher.lose()
        self.topic_id, self.positions = cursor.topic_id, cursor.positions
        self._first += len(self._log)
        self._log.clear()
        self._changes = self._bytes = 0
        self._waits.reached(self.positions)
        beginning, self._beginning = self._beginning, asyncio.Event()
        beginning.set()

    def publish(self, commit: Commit) -> None:
        """Append a commit and wake whoever it concerns; positions without changes wake waiters only."""
        number = self._first + len(self._log)
        logged = Logged(self.topic_id, commit)
        self._log.append(logged)
        self._share(logged)
        self._changes += len(commit.changes)
        self._bytes += commit.size_bytes
        self.positions = commit.after
        for watcher in self._interests.concerned(commit.changes):
            watcher.wake(number)
        self._pushes.publish(number, logged)
        self._waits.reached(commit.after)
        while self._log and (self._changes > self._changes_max or self._bytes > self._bytes_max):
            dropped = self._log.popleft().commit
            self._first += 1
            self._changes -= len(dropped.changes)
            self._bytes -= dropped.size_bytes
        self._pushes.drop_before(self._first)

    def _share(self, logged: "Logged") -> None:
        """Keep the updates of the newest commits, for all who are synced to be told the very same ones."""
        self._shared.append(logged)
        self._shared_changes += len(logged.commit.changes)
        while self._shared_changes > _SHARED_CHANGES_MAX and len(self._shared) > 1:
            old = self._shared.popleft()
            self._shared_changes -= len(old.commit.changes)
            old.unshare()

    def watch(self, interest: Interest, seen: Positions) -> "Watcher":
        """A watcher of what is published from `seen` on, for as long as it is open as a context.

        Where the log does not reach back to `seen`, the watcher's first `take` raises `FellBehind`.
        """
        self._check_open()
        return Watcher(self, interest, seen)

    def begin_waking(self, watcher: "Watcher") -> None:
        """Wake a watcher whenever there is something for it."""
        self._interests.add(watcher)

    def end_waking(self, watcher: "Watcher") -> None:
        """Wake the watcher no more."""
        self._interests.remove(watcher)

    def begin_pushing(self, watcher: "Watcher") -> int:
        """Have a synced watcher told by its `push`, from the commit of that number on."""
        self._interests.remove(watcher)
        self._pushes.add(watcher)
        return self._first + len(self._log)

    def end_pushing(self, watcher: "Watcher") -> Positions:
        """Wake the watcher again; where it stands, as far as the feed knows."""
        self._pushes.remove(watcher)
        self._interests.add(watcher)
        return self._pushes.place(self.positions)

    async def reached(self, positions: Positions) -> None:
        """Return once everything below `positions` is published. Costs nothing while it waits."""
        self._check_open()
        if not covers(self.positions, positions):
            await self._waits.add(self.positions, positions)

    async def was_reset(self) -> None:
        """Return once the feed starts over."""
        await self._beginning.wait()

    async def first_of(self, *waits: Coroutine[Any, Any, Any]) -> None:
        """Return, or raise, as the first of them does.

        Raises:
            Unavailable: The feed was closed before.
        """
        tasks = [asyncio.ensure_future(wait) for wait in (*waits, self._closing.wait())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
        for task in done:
            task.result()
        self._check_open()

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
        self._pushes.release()
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

    def logged(self, number: int) -> "Logged | None":
        """The commit of that number; None past the end of the log.

        Raises:
            FellBehind: The log has dropped it.
        """
        if number < self._first:
            raise FellBehind
        index = number - self._first
        return self._log[index] if index < len(self._log) else None


class _Pushing(AbstractContextManager[None]):
    """For as long as a watcher may be told by its push. There is one for each idle subscription: it is to be small."""

    __slots__ = ("_watcher",)

    def __init__(self, watcher: "Watcher") -> None:
        self._watcher = watcher

    def __exit__(self, *_: object) -> None:
        self._watcher.stop_pushing()


class Watcher:
    """A place in the feed's log. Made by `Feed.watch`; used by one task, as a context manager."""

    def __init__(self, feed: Feed, interest: Interest, seen: Positions) -> None:
        self.interest = interest
        self.push: Push | None = None
        self.pushed_from = 0
        self.told: Update | None = None
        self._feed = feed
        self._closed = False
        self._waiting: asyncio.Future[None] | None = None
        self._stand_at(seen)

    def _stand_at(self, seen: Positions) -> None:
        self._seen = seen
        self._ahead = not covers(self._feed.positions, seen)
        self._skipped = 0
        self._lost = not self._feed.holds(seen)
        self._number = self._feed.place_of(seen)
        self._unread = not covers(seen, self._feed.positions)

    def __enter__(self) -> Self:
        self._feed.begin_waking(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._feed.end_waking(self)

    def pushing(self, push: Push | None) -> AbstractContextManager[None]:
        """Be told of changes by `push`, as they are published, instead of having to take them.

        Ends with the context, or before, which ends `wait` too: where `push` could not tell of a change. That and all
        after it are then to be taken. Nothing of it where there is something to take, or no `push`.
        """
        if push is not None and not (self.unread or self._ahead or self._closed):
            self._seen, self.told = self.positions, None
            self.push, self.pushed_from = push, self._feed.begin_pushing(self)
        return _Pushing(self)

    def stop_pushing(self) -> None:
        """Go on from just after what was told last."""
        if self.push is not None:
            self.push = None
            told = () if self.told is None else self.told.cursor.positions
            self._stand_at(merge(merge(self._seen, self._feed.end_pushing(self)), told))
            self._wake_up()

    @property
    def positions(self) -> Positions:
        """Everything below is delivered, or of no interest here."""
        if self.unread:
            return self._seen
        return merge(self._seen, self._feed.positions) if self._ahead else self._feed.positions

    def wake(self, number: int) -> None:
        """A commit has something for this watcher (called by the feed)."""
        if self.unread:
            return
        logged = self._feed.logged(number)
        assert logged is not None
        # Nothing before this commit concerned the watcher: that much it has seen.
        self._seen = merge(self._seen, logged.commit.before) if self._ahead else logged.commit.before
        self._number, self._skipped, self._unread = number, 0, True
        self._wake_up()

    def lose(self) -> None:
        """There were changes that the log never had: `take` raises `FellBehind` (called by the feed)."""
        # What it was told to have reached stays reached.
        self._seen = self.positions
        self._lost = True
        self._wake_up()

    def close(self) -> None:
        """End the watcher's wait with `Unavailable` (called by the feed)."""
        self._closed = True
        self._wake_up()

    def _wake_up(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    @property
    def unread(self) -> bool:
        """Whether there is more to take, or something lost, already."""
        return self._unread or self._lost

    async def wait(self) -> None:
        """Return once `take` has something, or something to say."""
        if not (self._unread or self._lost or self._closed):
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting

    def skip(self) -> None:
        """Leave out everything up to now, taken or lost: who only wants the latest state reads the store for it.

        Raises:
            Unavailable: The feed is closed.
        """
        if self._closed:
            raise Unavailable("The service is stopping.")
        self._seen = merge(self._seen, self._feed.positions)
        self._unread = self._lost = False

    def take(self, limit: int) -> list[Update]:
        """Up to `limit` of the changes not taken yet, in order; empty when there is none.

        Raises:
            FellBehind: Some were lost: go on from `positions` in the store.
            Unavailable: The feed is closed.
        """
        if self._closed:
            raise Unavailable("The service is stopping.")
        if self._lost:
            raise FellBehind
        taken: list[Update] = []
        while self._unread and len(taken) < limit:
            logged = self._feed.logged(self._number)
            if logged is None:
                self._unread = False
            else:
                self._take_from(logged, taken, limit)
        return taken

    def _take_from(self, logged: "Logged", taken: list[Update], limit: int) -> None:
        matching = logged.matching(self.interest)
        if not self._skipped:
            self._ahead = not covers(logged.commit.before, self._seen)
        while self._skipped < len(matching) and len(taken) < limit:
            update = logged.update(matching[self._skipped])
            positions = update.cursor.positions
            self._skipped += 1
            if self._ahead:
                record = logged.commit.changes[matching[self._skipped - 1]]
                if record.offset < position_in(self._seen, record.partition):
                    continue
                # Ahead in other partitions: this one's cursor is its own.
                positions = merge(self._seen, positions)
                update = update._replace(place=Cursor(logged.topic_id, positions))
            self._seen = positions
            taken.append(update)
        if self._skipped == len(matching):
            self._seen = merge(self._seen, logged.commit.after) if self._ahead else logged.commit.after
            self._ahead = self._ahead and not covers(logged.commit.after, self._seen)
            self._number, self._skipped = self._number + 1, 0
