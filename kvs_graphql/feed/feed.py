"""The feed publishes commits to watchers, which read one shared, bounded log.

Publishing never waits. A watcher is woken when a commit touches a key it is interested in, and reads the log from its
own index; one that has taken everything may have its updates delivered directly instead (see `delivery`). Changes
that the log drops before a watcher took them make it fall behind: it has to read the store. Memory is bounded by the
logs, however many watchers there are and however far behind they are. (etcd parts its watchers into
synced and unsynced ones for the same reason.)
"""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from kvs_graphql.cursor import Cursor
from kvs_graphql.errors import Unavailable
from kvs_graphql.feed.delivery import STEPS_PER_TURN, DirectDelivery
from kvs_graphql.feed.index import InterestIndex
from kvs_graphql.feed.log import CommitLog, LogBudget
from kvs_graphql.feed.waits import PositionWaits
from kvs_graphql.feed.watcher import Watcher
from kvs_graphql.records import Commit, Epochs, Interest, Positions, covers


class Feed:
    """Publishes commits to watchers. One per table; not thread-safe: everything happens on one event loop."""

    def __init__(self, cursor: Cursor, budget: LogBudget, *, steps_per_turn: int = STEPS_PER_TURN) -> None:
        """`budget` is what the logs of all feeds may hold."""
        self.table = cursor.table
        """The name of the table, with which cursors are labelled; empty for the only one."""
        self.topic_id = cursor.topic_id
        self.epochs = cursor.epochs
        """The leader epochs at `positions`."""
        self.previous_epochs: Epochs = ()
        """Those before the last reset."""
        self.widened: Positions = ()
        """Where the table stood when its keys got their latest encoding; nowhere if that was before the feed began."""
        self._index = InterestIndex[Watcher]()
        self._direct = DirectDelivery(self._index, steps_per_turn)
        self._budget = budget
        self.log = CommitLog(cursor.positions, budget, self._direct.drop_before, cursor.table)
        self._registered = 0
        self._waits = PositionWaits()
        self._closing = asyncio.Event()
        self._resetting = asyncio.Event()

    @property
    def positions(self) -> Positions:
        """The positions after the last commit published."""
        return self.log.positions

    @property
    def cursor(self) -> Cursor:
        """Where everything that was published is applied."""
        return Cursor(self.topic_id, self.positions, (), self.epochs, self.table)

    @property
    def watchers(self) -> int:
        """How many watchers are open."""
        return self._registered

    def reset(self, cursor: Cursor) -> None:
        """Start over with an empty log: the table stands at `cursor`, by commits that were not published."""
        self._direct.release()
        for watcher in self._index.all():
            watcher.fall_behind()
        self.topic_id, self.previous_epochs, self.epochs = cursor.topic_id, self.epochs, cursor.epochs
        self.log.clear(cursor.positions)
        self._waits.reached(self.positions)
        resetting, self._resetting = self._resetting, asyncio.Event()
        resetting.set()

    def widen(self) -> None:
        """Have the watchers name their keys again: keys are written in one more encoding than before."""
        self.widened = self.positions
        self._direct.release()
        for watcher in self._index.all():
            watcher.fall_behind()

    def publish(self, commit: Commit) -> None:
        """Append a commit and wake the watchers it concerns; positions without changes end waits only."""
        index = self.log.end
        logged = self.log.append(self.topic_id, commit)
        self.epochs = commit.epochs
        if self._registered > len(self._direct):
            for watcher in self._index.concerned(commit.changes):
                watcher.wake(index)
        self._direct.publish(index, logged)
        self._waits.reached(commit.after)
        self._budget.trim()

    def watch(self, interest: Interest, seen: Positions) -> Watcher:
        """A watcher of what is published from `seen` on, for as long as it is open as a context.

        It has fallen behind already where the log does not reach back to `seen`.

        Raises:
            Unavailable: The feed is closed.
        """
        self._check_open()
        return Watcher(self, interest, seen)

    def register(self, watcher: Watcher) -> None:
        """Wake a watcher whenever there is something for it."""
        self._index.add(watcher)
        self._registered += 1

    def unregister(self, watcher: Watcher) -> None:
        """Stop waking the watcher."""
        self._index.remove(watcher)
        self._registered -= 1

    def join_direct(self, watcher: Watcher) -> None:
        """Deliver to a registered watcher instead of waking it."""
        self._direct.join(watcher)

    def leave_direct(self, watcher: Watcher) -> Positions:
        """Wake the watcher again; return the positions that it has for certain."""
        return self._direct.leave(watcher, self.positions)

    async def reached(self, positions: Positions) -> None:
        """Return once everything below `positions` is published. Costs nothing while it waits.

        Raises:
            Unavailable: The feed is closed, or closes meanwhile.
        """
        self._check_open()
        if not covers(self.positions, positions):
            await self._waits.add(self.positions, positions)

    async def was_reset(self) -> None:
        """Return once the feed starts over."""
        await self._resetting.wait()

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

    def close(self) -> None:
        """End every watcher and every wait with `Unavailable`: the service is stopping."""
        self._closing.set()
        self._direct.release()
        for watcher in self._index.all():
            watcher.close()
        self._waits.close()

    def holds(self, positions: Positions) -> bool:
        """Whether the log reaches back to `positions`."""
        return self.log.holds(positions)

    def _check_open(self) -> None:
        if self.closed:
            raise Unavailable("The service is stopping.")
