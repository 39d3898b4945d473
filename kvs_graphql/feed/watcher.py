"""One watcher of the feed's log.

    SYNCED ──▶ UNREAD         a commit concerns it
    UNREAD ──▶ SYNCED         it has taken everything
    SYNCED ──▶ DIRECT         its watch waits, with a sink
    DIRECT ──▶ SYNCED         its watch goes on
    DIRECT ──▶ UNREAD         the sink refused
    UNREAD ──▶ FELL_BEHIND    the log has dropped changes that it has not taken
    DIRECT ──▶ FELL_BEHIND    the same
    SYNCED ──▶ FELL_BEHIND    the feed was reset, and the log never had some changes; or keys have one more encoding
    FELL_BEHIND ──▶ SYNCED    a live query skips what it has not taken
    any of them ──▶ CLOSED    the service is stopping

A watcher holds no queue: only an index in the shared log, and the positions below which it has everything.
"""

import asyncio
from contextlib import AbstractContextManager, suppress
from enum import Enum, auto
from typing import Protocol, Self

from kvs_graphql.cursor import Cursor
from kvs_graphql.errors import Unavailable
from kvs_graphql.feed.delivery import Sink
from kvs_graphql.feed.log import CommitLog
from kvs_graphql.feed.updates import LoggedCommit, Update
from kvs_graphql.records import Interest, Positions, covers, merge, position_in


class WatcherState(Enum):
    """What a watcher has of the log."""

    SYNCED = auto()
    """It has taken everything, and is woken by the next commit that concerns it."""
    DIRECT = auto()
    """It has taken everything, and its sink takes what concerns it."""
    UNREAD = auto()
    """There is more to take."""
    FELL_BEHIND = auto()
    """Some changes cannot be taken any more: it has to go on from `positions` in the store, or `skip`."""
    CLOSED = auto()
    """The service is stopping."""


class WatchedFeed(Protocol):
    """What a watcher needs of its feed."""

    log: CommitLog

    def register(self, watcher: "Watcher") -> None: ...
    def unregister(self, watcher: "Watcher") -> None: ...
    def join_direct(self, watcher: "Watcher") -> None: ...
    def leave_direct(self, watcher: "Watcher") -> Positions: ...


class _DirectContext(AbstractContextManager[None]):
    """Ends direct delivery to a watcher. Every idle subscription has one: it must be small."""

    __slots__ = ("_watcher",)

    def __init__(self, watcher: "Watcher") -> None:
        self._watcher = watcher

    def __exit__(self, *_: object) -> None:
        self._watcher.leave_direct()


class Watcher:
    """Made by `Feed.watch`; used by one task, as a context manager."""

    __slots__ = (
        "_ahead",
        "_feed",
        "_log",
        "_next",
        "_seen",
        "_waiting",
        "delivered",
        "index",
        "interest",
        "sink",
        "state",
    )

    def __init__(self, feed: WatchedFeed, interest: Interest, seen: Positions) -> None:
        self.interest = interest
        self.sink: Sink | None = None
        self.delivered: Update | None = None
        self._feed = feed
        self._log = feed.log
        self._waiting: asyncio.Future[None] | None = None
        self._stand_at(seen)

    def _stand_at(self, seen: Positions) -> None:
        """Everything below `seen` has been taken."""
        log = self._log
        self._seen = seen
        self._ahead = not covers(log.positions, seen)
        self._next = 0
        self.index = log.index_of(seen)
        if not log.holds(seen):
            self.state = WatcherState.FELL_BEHIND
        else:
            self.state = WatcherState.SYNCED if covers(seen, log.positions) else WatcherState.UNREAD

    def __enter__(self) -> Self:
        self._feed.register(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._feed.unregister(self)

    def direct(self, sink: Sink | None) -> AbstractContextManager[None]:
        """Deliver to `sink`, for as long as the context is open or until the sink has no room, which ends `wait` too.

        What the sink did not take, and everything after it, is then to be taken. Nothing changes where there is no
        sink, or something to take already.
        """
        if sink is not None and self.state is WatcherState.SYNCED and not self._ahead:
            self._seen, self.delivered = self.positions, None
            self.sink, self.index, self.state = sink, self._log.end, WatcherState.DIRECT
            self._feed.join_direct(self)
        return _DirectContext(self)

    def leave_direct(self) -> None:
        """Go on from just after what was delivered last."""
        if self.sink is None:
            return
        self.sink = None
        delivered = () if self.delivered is None else self.delivered.cursor.positions
        self._stand_at(merge(merge(self._seen, self._feed.leave_direct(self)), delivered))
        self._wake_up()

    @property
    def positions(self) -> Positions:
        """Everything below has been taken, or is of no interest here."""
        if self.unread:
            return self._seen
        return merge(self._seen, self._log.positions) if self._ahead else self._log.positions

    @property
    def unread(self) -> bool:
        """Whether there is something to take, or changes that cannot be taken any more."""
        return self.state is WatcherState.UNREAD or self.state is WatcherState.FELL_BEHIND

    def wake(self, index: int) -> None:
        """Note that the commit at `index` concerns this watcher (called by the feed)."""
        if self.state is not WatcherState.SYNCED:
            return
        logged = self._log.at(index)
        assert logged is not None
        # Nothing before this commit concerned the watcher: that much it has.
        self._seen = merge(self._seen, logged.commit.before) if self._ahead else logged.commit.before
        self.index, self._next, self.state = index, 0, WatcherState.UNREAD
        self._wake_up()

    def fall_behind(self) -> None:
        """Note that there are changes that the log never had (called by the feed)."""
        if self.state is WatcherState.CLOSED:
            return
        # What the watcher has reached stays reached.
        self._seen = self.positions
        self.state = WatcherState.FELL_BEHIND
        self._wake_up()

    def close(self) -> None:
        """End the watcher's wait (called by the feed)."""
        self.state = WatcherState.CLOSED
        self._wake_up()

    def _wake_up(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def wait(self, seconds_max: float | None = None) -> bool:
        """Return once `take` has something to give, or the state something to say; False if that takes too long."""
        if self.state is WatcherState.SYNCED or self.state is WatcherState.DIRECT:
            self._waiting = asyncio.get_running_loop().create_future()
            if seconds_max is None:
                await self._waiting
            else:
                with suppress(TimeoutError):
                    async with asyncio.timeout(seconds_max):
                        await self._waiting
                return not self._waiting.cancelled()
        return True

    def skip(self) -> None:
        """Leave out everything up to now: a reader of the latest state reads the store for it.

        Raises:
            Unavailable: The feed is closed.
        """
        self._check_open()
        self._seen = merge(self._seen, self._log.positions)
        self.state = WatcherState.SYNCED

    def take(self, limit: int, bytes_max: int) -> list[Update]:
        """Take up to `limit` changes, in order; none where there is nothing, or the watcher fell behind.

        The change that brings them to `bytes_max` is the last one.

        Raises:
            Unavailable: The feed is closed.
        """
        self._check_open()
        taken: list[Update] = []
        room = bytes_max
        while self.state is WatcherState.UNREAD and len(taken) < limit and room > 0:
            if self.index < self._log.first:
                self.state = WatcherState.FELL_BEHIND
            elif (logged := self._log.at(self.index)) is None:
                self.state = WatcherState.SYNCED
            else:
                room = self._take_from(logged, taken, limit, room)
        return taken

    def _check_open(self) -> None:
        if self.state is WatcherState.CLOSED:
            raise Unavailable("The service is stopping.")

    def _take_from(self, logged: LoggedCommit, taken: list[Update], limit: int, room: int) -> int:
        """Take changes of a commit while there is room for them; return the bytes that are left of it."""
        if not self._next:
            self._ahead = not covers(logged.commit.before, self._seen)
        for index in logged.matching(self.interest, self._next):
            if len(taken) == limit or room <= 0:
                return room
            update = logged.update(index)
            positions = update.cursor.positions
            record = logged.commit.changes[index]
            self._next = index + 1
            if self._ahead:
                if record.offset < position_in(self._seen, record.partition):
                    continue
                # Ahead in other partitions: this watcher's cursor is its own.
                positions = merge(self._seen, positions)
                cursor = Cursor(logged.topic_id, positions, (), logged.commit.epochs, logged.table)
                update = update._replace(cursor_source=cursor)
            self._seen = positions
            taken.append(update)
            room -= len(record.key) + len(record.value or b"")
        self._seen = merge(self._seen, logged.commit.after) if self._ahead else logged.commit.after
        self._ahead = self._ahead and not covers(logged.commit.after, self._seen)
        self.index, self._next = self.index + 1, 0
        return room
