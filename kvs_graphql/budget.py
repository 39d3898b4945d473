"""What one operation may use of what all operations share: time of the event loop, and memory.

Most operations are small, and never need a budget: what they may do at most is known beforehand. One that turns out to
be large waits until there is room for it, and goes on in turns.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any, ClassVar, TypeVar

from kvs_graphql.errors import BudgetExceeded
from kvs_graphql.turns import TURN_SECONDS, Aside, InTurns, Turns

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class BudgetLimits:
    """What an operation may use at most, in numbers, bytes and seconds."""

    cost_max: int
    response_bytes_max: int
    errors_max: int
    execution_seconds_max: float
    large_operations_max: int

    def check_bytes(self, number: int) -> None:
        """Raises: BudgetExceeded: A response may not have as many bytes."""
        if number > self.response_bytes_max:
            raise BudgetExceeded.of("KVS_RESPONSE_BYTES_MAX", self.response_bytes_max, "bytes of a response")


class Workload:
    """What the operations of one service share."""

    def __init__(self, limits: BudgetLimits) -> None:
        self.limits = limits
        self.turns = Turns()
        self._room = asyncio.Semaphore(limits.large_operations_max)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="decoding")

    async def enter(self) -> None:
        """Take the room of a large operation; return when there is some.

        Raises:
            BudgetExceeded: There was none for as long as an operation may take.
        """
        limits = self.limits
        try:
            async with asyncio.timeout(limits.execution_seconds_max):
                await self._room.acquire()
        except TimeoutError:
            what = "large operations executed at once"
            raise BudgetExceeded.of("KVS_LARGE_OPERATIONS_MAX", limits.large_operations_max, what) from None

    async def aside(self, work: Callable[[], T]) -> T:
        """Do work in a thread, of which there is one: the event loop waits for no more of them."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def leave(self) -> None:
        """Give the room back."""
        self._room.release()


class Budget:
    """The budget of one operation. An operation that exceeds it is refused as a whole.

    There is one for each query: it must cost little, so what it begins with stands in the class.
    """

    exceeded: ClassVar[type[BudgetExceeded]] = BudgetExceeded
    is_large = False
    """Whether it has the room of a large operation, and has to be closed."""
    _needs_room = False
    _waits = 0
    _waits_began = 0.0
    _all_waited: asyncio.Event | None = None
    _entering: asyncio.Lock | None = None
    _refusal: BudgetExceeded | None = None
    _is_over = False
    _bytes = 0
    _errors = 0
    _ends = 0.0

    def __init__(self, workload: Workload) -> None:
        self.began = self._turn_began = perf_counter()
        self._workload = workload

    async def enlarge(self) -> None:
        """Wait until there is room for a large operation, and nothing of this one is `waiting`.

        Raises:
            BudgetExceeded: There was none in time.
        """
        if self.is_large:
            return
        self._needs_room = True
        if self._entering is None:
            self._entering = asyncio.Lock()
        async with self._entering:
            if self._refusal is not None:
                # Its other parts do not wait as long again, one after the other.
                raise self._refusal
            while not self.is_large:
                if self._all_waited is not None:
                    await self._all_waited.wait()
                await self._enter()
                if self._is_over:
                    self._workload.leave()
                    raise asyncio.CancelledError
                if self._waits:
                    self._workload.leave()
                else:
                    self.is_large = True

    async def _enter(self) -> None:
        try:
            await self._workload.enter()
        except BudgetExceeded as refusal:
            self._refusal = refusal
            raise

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Wait for what others do: Kafka, or a cursor. Meanwhile, the operation has no room, and nobody waits for it.

        What it does next that is large begins once all of its waits are over, and may then take as long as before.
        """
        if not self._waits:
            self._waits_began, self._all_waited = perf_counter(), asyncio.Event()
        self._waits += 1
        self.close()
        try:
            yield
        finally:
            self._waits -= 1
            if not self._waits:
                if self._ends:
                    self._ends += perf_counter() - self._waits_began
                assert self._all_waited is not None
                self._all_waited.set()
                self._all_waited = None

    def end(self) -> None:
        """End the operation. What still waits for room on its behalf, as a read that it was cancelled in, gets none."""
        self._is_over = True
        self.close()

    def close(self) -> None:
        """Give back the room."""
        if self.is_large:
            self.is_large = False
            self._workload.leave()

    @property
    def turn_is_over(self) -> bool:
        """Whether others come first now."""
        return perf_counter() - self._turn_began >= TURN_SECONDS

    async def turn(self) -> None:
        """Wait for the next turn.

        Raises:
            BudgetExceeded: The operation has taken too long.
        """
        if not self._ends:
            # From its first turn on: before, it may have waited for Kafka.
            self._ends = perf_counter() + self._workload.limits.execution_seconds_max
        if self._needs_room and not self.is_large:
            await self.enlarge()
        await self._workload.turns.next()
        now = perf_counter()
        if now >= self._ends:
            raise self._too_long()
        self._turn_began = now

    async def in_turns(self, items: Iterable[T]) -> AsyncIterator[T]:
        """The items, with a new turn between two of them whenever one is over.

        Raises:
            BudgetExceeded: The operation has taken too long.
        """
        for item in items:
            if self.turn_is_over:
                await self.turn()
            yield item

    async def finish(self, work: InTurns) -> Any:
        """What takes long: the rest of its pieces, with a new turn before the first, and whenever one is over.

        Raises:
            BudgetExceeded: The operation has taken too long.
        """
        await self.turn()
        sent = None
        while True:
            try:
                piece = work.pieces.send(sent)
            except StopIteration as end:
                return end.value
            if isinstance(piece, Aside):
                sent = await self._aside(piece.work)
                await self.turn()
                continue
            sent = None
            if self.turn_is_over:
                await self.turn()

    async def _aside(self, work: Callable[[], T]) -> T:
        """What work returns that waits for the thread, and is done in it, as long as the operation may take."""
        try:
            async with asyncio.timeout(self._ends - perf_counter()):
                return await self._workload.aside(work)
        except TimeoutError:
            raise self._too_long() from None

    def _too_long(self) -> BudgetExceeded:
        seconds = self._workload.limits.execution_seconds_max
        return BudgetExceeded.of("KVS_EXECUTION_SECONDS_MAX", seconds, "seconds of execution")

    def add_bytes(self, number: int) -> None:
        """Count bytes of the response. Raises: BudgetExceeded: It has more than it may have."""
        self._bytes += number
        self._workload.limits.check_bytes(self._bytes)

    def check_bytes(self, number: int) -> None:
        """Raises: BudgetExceeded: A response may not have as many bytes."""
        self._workload.limits.check_bytes(number)

    def add_error(self) -> None:
        """Count an error of the response. Raises: BudgetExceeded: It has more than it may have."""
        self._errors += 1
        if self._errors > (limit := self._workload.limits.errors_max):
            raise BudgetExceeded.of("KVS_ERRORS_PER_RESPONSE_MAX", limit, "errors in a response")
