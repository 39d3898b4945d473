"""Direct delivery: synced watchers get their updates without being woken.

For a watcher that has taken everything, a change costs no more than a call to its sink. All of these watchers share
one queue of commits that are published and not delivered yet. It is processed in turns, between which the event loop
does other things. What the sinks took in a turn is sent at its end, all at once, so that a receiver is woken once for
many updates. A watcher whose sink has no room leaves direct delivery, and goes on from its own index in the log.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Generator
from typing import Any, NamedTuple, Protocol

from kvs_graphql.feed.index import InterestIndex
from kvs_graphql.feed.updates import LoggedCommit, Update, without_contents
from kvs_graphql.records import Interest, Positions

Flush = Callable[[], None]
"""Sends everything that a sink took since it was last called."""


class Sink(NamedTuple):
    """Where a watcher's updates go without waiting."""

    render: Callable[[Update], Any]
    """What the sink takes of an update; None where this update has to be sent by the watcher's own task."""
    take: Callable[[Any], Flush | None]
    """Takes what was rendered, to be sent by the flush it returns, soon; None where there is no room."""


STEPS_PER_TURN = 250
"""Changes examined and updates delivered before other work on the event loop gets its turn: a few milliseconds."""

# A value counts as one more step for each of these: what sinks took in a turn is in memory until its end.
_BYTES_PER_STEP = 4_096


class DirectWatcher(Protocol):
    """A watcher as direct delivery sees it."""

    sink: Sink | None
    """None while the watcher is not delivered to directly."""
    index: int
    """The index in the log of the first commit to be delivered."""
    delivered: Update | None
    """The last update that its sink took, without the contents of its record."""

    @property
    def interest(self) -> Interest: ...
    def leave_direct(self) -> None: ...


class DirectDelivery:
    """The commits to be delivered, and the watchers to deliver to. One per feed; `W` is the feed's watcher."""

    def __init__(self, index: InterestIndex[Any], steps_per_turn: int) -> None:
        self._index: InterestIndex[DirectWatcher] = index
        self._steps_per_turn = steps_per_turn
        self._watchers: set[DirectWatcher] = set()
        self._pending: deque[tuple[int, LoggedCommit]] = deque()
        self._turns: Generator[None, None, None] | None = None
        self._flushes: list[Flush] = []

    def __len__(self) -> int:
        return len(self._watchers)

    def join(self, watcher: DirectWatcher) -> None:
        """Deliver to a watcher from its index on."""
        self._watchers.add(watcher)

    def leave(self, watcher: DirectWatcher, published: Positions) -> Positions:
        """Stop delivering to the watcher; return the positions below which everything was delivered to everybody."""
        self._watchers.discard(watcher)
        return self._pending[0][1].commit.before if self._pending else published

    def publish(self, index: int, logged: LoggedCommit) -> None:
        """Deliver a commit's changes soon."""
        if not self._watchers:
            return
        self._pending.append((index, logged))
        if self._turns is None:
            self._turns = self._deliver()
            asyncio.get_running_loop().call_soon(self._take_turn, self._turns)

    def drop_before(self, index: int) -> None:
        """Release all watchers where the log has dropped a commit that is not delivered yet."""
        if self._pending and self._pending[0][0] < index:
            self.release()

    def release(self) -> None:
        """Have every watcher go on by itself, from just after what was delivered to it."""
        for watcher in list(self._watchers):
            watcher.leave_direct()
        self._pending.clear()
        self._turns = None

    def _take_turn(self, turns: Generator[None, None, None]) -> None:
        if turns is not self._turns:
            return
        try:
            next(turns)
        except StopIteration:
            self._turns = None
        else:
            asyncio.get_running_loop().call_soon(self._take_turn, turns)
        self._flush()

    def _flush(self) -> None:
        """Send what was taken in this turn, before anything else can be sent to the same clients."""
        flushes, self._flushes = self._flushes, []
        for flush in flushes:
            try:
                flush()
            except Exception as error:  # noqa: BLE001 - one client's failure, which its connection's end reports
                context = {"message": "direct delivery could not send", "exception": error}
                asyncio.get_running_loop().call_exception_handler(context)

    def _deliver(self) -> Generator[None, None, None]:
        """Deliver all that is pending, one turn after the other."""
        steps = 0
        while self._pending:
            index, logged = self._pending[0]
            for number, record in enumerate(logged.commit.changes):
                steps += 1
                if steps >= self._steps_per_turn:
                    steps = 0
                    yield
                watchers = self._index.interested_in(record.key)
                if not watchers:
                    continue
                update = logged.new_update(number)
                delivered = without_contents(update)
                cost = 1 + len(record.value or b"") // _BYTES_PER_STEP
                for watcher in watchers:
                    if steps >= self._steps_per_turn:
                        steps = 0
                        yield
                    if watcher.sink is not None and watcher.index <= index:
                        self._deliver_to(watcher, watcher.sink, update, delivered)
                        steps += cost
            self._pending.popleft()

    def _deliver_to(self, watcher: DirectWatcher, sink: Sink, update: Update, delivered: Update) -> None:
        render, take = sink
        try:
            rendered = render(update)
            flush = None if rendered is None else take(rendered)
        except Exception:  # noqa: BLE001 - it is raised again where the watcher's task takes this update
            flush = None
        if flush is None:
            watcher.leave_direct()
        else:
            watcher.delivered = delivered
            self._flushes.append(flush)
