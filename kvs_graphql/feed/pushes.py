"""Telling synced watchers of changes without waking them.

A watcher that has taken everything costs a change no more than a call. All of these stand at the same place: the
changes that were published and not pushed yet are worked off in turns, between which the event loop does other things.
What is told in a turn is sent at its end, all at once: who receives is woken once for many updates, not for each.
A watcher that cannot be told right now leaves, and goes on by itself from its own place in the log.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Generator, Iterable
from typing import Any, NamedTuple, Protocol

from kvs_graphql.feed.interests import Interests
from kvs_graphql.feed.updates import Logged, Update
from kvs_graphql.records import Interest, Positions

Flush = Callable[[], None]
"""Sends what was told since it was called last."""

Encode = Callable[[Update], Any]
"""What is sent of an update; called once for all who have the same one."""


class Push(NamedTuple):
    """How somebody is told of an update."""

    encode: Encode
    send: Callable[[Any], Flush | None]
    """Takes what was encoded, to be sent by what it returns, soon; None where it cannot be told now."""


STEPS_A_TURN = 250
"""Changes looked at, and updates told, until others on the event loop have their turn: a few milliseconds."""

# So much of a value costs one more: what is told in a turn is in memory until its end.
_BYTES_A_STEP = 4_096


class Pushed(Protocol):
    """Whoever is told by a `Push`."""

    push: Push | None
    pushed_from: int
    """The number of the first commit to be told of."""
    told: Update | None
    """The last update that it was told of."""

    @property
    def interest(self) -> Interest: ...
    def stop_pushing(self) -> None: ...


class Pushes:
    """What of the log is still to be pushed, and to whom. One per feed."""

    def __init__(self, steps_a_turn: int) -> None:
        self._steps_a_turn = steps_a_turn
        self._interests = Interests[Pushed]()
        self._pending: deque[tuple[int, Logged]] = deque()
        self._turns: Generator[None, None, None] | None = None
        self._flushes: list[Flush] = []

    def add(self, watcher: Pushed) -> None:
        self._interests.add(watcher)

    def remove(self, watcher: Pushed) -> None:
        self._interests.remove(watcher)

    def all(self) -> Iterable[Pushed]:
        return self._interests.all()

    def publish(self, number: int, logged: Logged) -> None:
        """Push a commit's changes soon."""
        if not self._interests.anybody:
            return
        self._pending.append((number, logged))
        if self._turns is None:
            self._turns = self._push()
            asyncio.get_running_loop().call_soon(self._take_turn, self._turns)

    def place(self, published: Positions) -> Positions:
        """Everything below was pushed to everybody."""
        return self._pending[0][1].commit.before if self._pending else published

    def drop_before(self, number: int) -> None:
        """The log has dropped the commits before that one: whoever was not told of them yet has lost them."""
        if self._pending and self._pending[0][0] < number:
            self.release()

    def release(self) -> None:
        """Have everybody go on by themselves, from where they are."""
        for watcher in self._interests.all():
            watcher.stop_pushing()
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
        """Send what the turn told, before anything else can be sent to the same clients."""
        flushes, self._flushes = self._flushes, []
        for flush in flushes:
            try:
                flush()
            except Exception as error:  # noqa: BLE001 - it is one client's, and its connection's end tells of it
                context = {"message": "could not send what was pushed", "exception": error}
                asyncio.get_running_loop().call_exception_handler(context)

    def _push(self) -> Generator[None, None, None]:
        """Push all that is pending, a turn after the other."""
        steps = 0
        while self._pending:
            number, logged = self._pending[0]
            for index, record in enumerate(logged.commit.changes):
                steps += 1
                if steps >= self._steps_a_turn:
                    steps = 0
                    yield
                watchers = self._interests.interested_in(record.key)
                if not watchers:
                    continue
                update = logged.update_of_its_own(index)
                encoded: dict[Encode, Any] = {}
                cost = 1 + len(record.value or b"") // _BYTES_A_STEP
                for watcher in watchers:
                    if steps >= self._steps_a_turn:
                        steps = 0
                        yield
                    if watcher.push is not None and watcher.pushed_from <= number:
                        self._tell(watcher, watcher.push, update, encoded)
                        steps += cost
            self._pending.popleft()

    def _tell(self, watcher: Pushed, push: Push, update: Update, encoded: dict[Encode, Any]) -> None:
        encode, send = push
        try:
            data = encoded.get(encode)
            if data is None:
                data = encoded[encode] = encode(update)
            flush = send(data)
        except Exception:  # noqa: BLE001 - it comes again where the watcher takes this update by itself
            flush = None
        if flush is None:
            watcher.stop_pushing()
        else:
            watcher.told = update
            self._flushes.append(flush)
