"""Turns of the event loop: work that takes long is cut into parts, of which each round of the loop runs a few.

So however much of it there is, whatever else is ready waits for a few parts at most.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Generator
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")

TURN_SECONDS = 0.005
"""How long a part may take that is measured in time."""


class Aside(NamedTuple):
    """A piece that is done in a thread, because it leaves the interpreter to others by itself."""

    work: Callable[[], Any]


class TooMuchAtOnce(Exception):
    """Showing a value at once would take too long. What was made of it is dropped; it has to be shown in parts."""


class InTurns(Exception):
    """What is asked for takes long: it is found in pieces, between which others have their turns.

    Whoever is asked raises it; whoever can wait goes on by `Budget.finish`. Nothing that was begun is begun again.
    """

    def __init__(self, pieces: Generator[Any, None, Any]) -> None:
        """`pieces` stops before each piece, and returns what was asked for.

        Where it yields an `Aside`, it is sent what that one's work returns; where that fails, it is not gone on with.
        """
        self.pieces = pieces

    def then(self, convert: Callable[[Any], Any]) -> "InTurns":
        """The same, with what is made of what was found."""

        def converted() -> Generator[Any, None, Any]:
            return convert((yield from self.pieces))

        return InTurns(converted())


def at_once(pieces: Generator[Any, None, T]) -> T:
    """What pieces return, all of them one after the other."""
    while True:
        try:
            next(pieces)
        except StopIteration as end:
            found: T = end.value
            return found


class Turns:
    """Lets a few go on in each round of the event loop; the others wait, first come, first served."""

    def __init__(self, turns_per_round: int = 1) -> None:
        self._turns_per_round = turns_per_round
        self._left = turns_per_round
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._round: asyncio.Handle | None = None

    async def next(self) -> None:
        """Return when it is the caller's turn: at once where few want one."""
        loop = asyncio.get_running_loop()
        if self._round is None:
            self._round = loop.call_soon(self._begin_round)
        if self._left > 0 and not self._waiting:
            self._left -= 1
            return
        turn = loop.create_future()
        self._waiting.append(turn)
        await turn

    def _begin_round(self) -> None:
        self._left = self._turns_per_round
        while self._waiting and self._left > 0:
            turn = self._waiting.popleft()
            # The one who waited may be gone.
            if not turn.done():
                turn.set_result(None)
                self._left -= 1
        busy = self._waiting or self._left < self._turns_per_round
        self._round = asyncio.get_running_loop().call_soon(self._begin_round) if busy else None
