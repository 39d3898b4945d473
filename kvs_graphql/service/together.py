"""Answering at once what is asked within one turn of the event loop."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

A = TypeVar("A")
R = TypeVar("R")


class Together(Generic[A, R]):
    """Whoever asks first lets the others of this turn ask too, and has all of it answered in one call.

    `answer` gets what was asked, in order, and gives an answer or an exception for each.
    """

    def __init__(self, answer: Callable[[Sequence[A]], Awaitable[Sequence[R | Exception]]]) -> None:
        self._answer = answer
        self._waiting: list[tuple[A, asyncio.Future[R]]] = []

    async def ask(self, asked: A) -> R:
        """The answer to `asked`; raises what stands in its place, or what `answer` itself raised."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((asked, future))
        if len(self._waiting) == 1:
            await self._lead()
        return await future

    async def _lead(self) -> None:
        """Whatever happens here, nobody is left waiting."""
        try:
            await asyncio.sleep(0)
        finally:
            waiting, self._waiting = self._waiting, []
        try:
            answers = await self._answer([asked for asked, _ in waiting])
            for (_, future), answer in zip(waiting, answers, strict=True):
                _settle(future, answer)
        except Exception as error:  # noqa: BLE001 - it is raised where it was asked
            for _, future in waiting:
                _settle(future, error)
        finally:
            for _, future in waiting:
                future.cancel()


def _settle(future: asyncio.Future[R], answer: R | Exception) -> None:
    if future.done():
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)
