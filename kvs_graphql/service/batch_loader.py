"""The one batcher: answers together what is asked at the same time."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from time import perf_counter
from typing import Generic, TypeVar

# After a round of the event loop that took longer, nobody is waited for: all who came during it have asked.
_LONG_ROUND_SECONDS = 0.005

A = TypeVar("A")
R = TypeVar("R")


class BatchLoader(Generic[A, R]):
    """Answers in one call what is asked while it waits for its turn, or for the batch before.

    A lone caller waits for nobody; the busier the loader, the larger its batches. (aiodataloader begins a batch in
    every turn of the event loop, whatever is still under way, and does not bound what a batch costs.)
    """

    def __init__(
        self,
        answer: Callable[[Sequence[A]], Awaitable[Sequence[R | Exception]]],
        *,
        cost: Callable[[A], int] = lambda _: 1,
        batch_cost_max: int | None = None,
        hurries: bool = False,
    ) -> None:
        """`answer` gets what was asked, in order, and gives an answer or an exception for each.

        A batch costs at most `batch_cost_max`, or holds one item that alone costs more. Where the loader `hurries`, a
        batch begins right after a long round of the event loop; else whoever asks a round later is always in it.
        """
        self._answer = answer
        self._cost = cost
        self._batch_cost_max = batch_cost_max
        self._hurries = hurries
        self._waiting: deque[tuple[A, asyncio.Future[R]]] = deque()
        self._batch: list[tuple[A, asyncio.Future[R]]] = []
        self._round_began = 0.0
        self._task: asyncio.Task[None] | None = None
        # To look it up is a system call in Python 3.11, and can cost a read several per cent.
        self._loop: asyncio.AbstractEventLoop | None = None

    def load(self, asked: A) -> asyncio.Future[R]:
        """A future of the answer to `asked`, or of the exception given for it or raised by `answer`."""
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()
        self._waiting.append((asked, future))
        if self._task is None:
            self._round_began = perf_counter()
            self._task = loop.create_task(self._run())
        return future

    def answer_early(self, answers: Sequence[R | Exception]) -> None:
        """Answer the batch under way before `answer` returns; to be called in another thread.

        The event loop needs two rounds more to return from there, and a round can be long.
        """
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._give, answers)

    async def _run(self) -> None:
        """Answer batch after batch until nobody waits. Whatever happens here, nobody is left waiting."""
        try:
            while self._waiting:
                if not self._hurries or perf_counter() - self._round_began < _LONG_ROUND_SECONDS:
                    # Requests that arrived at the same time get to ask first.
                    await asyncio.sleep(0)
                self._batch = self._take()
                await self._settle()
        finally:
            self._task = None
            for _, future in (*self._batch, *self._waiting):
                future.cancel()
            self._batch = []
            self._waiting.clear()

    def _take(self) -> list[tuple[A, asyncio.Future[R]]]:
        batch: list[tuple[A, asyncio.Future[R]]] = []
        total = 0
        while self._waiting:
            asked, future = self._waiting[0]
            if not future.done():
                total += self._cost(asked)
                if batch and self._batch_cost_max is not None and total > self._batch_cost_max:
                    break
                batch.append((asked, future))
            self._waiting.popleft()
        return batch

    async def _settle(self) -> None:
        try:
            answers: Sequence[R | Exception] = await self._answer([asked for asked, _ in self._batch])
        except Exception as error:  # noqa: BLE001 - it is raised where it was asked
            answers = [error] * len(self._batch)
        if self._batch:
            self._give(answers)

    def _give(self, answers: Sequence[R | Exception]) -> None:
        for (_, future), answer in zip(self._batch, answers, strict=True):
            if future.done():
                continue
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)
        self._round_began = perf_counter()
        self._batch = []
