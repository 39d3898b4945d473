"""The open subscriptions of one generation of the schema."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class Superseded(Exception):
    """The generation of the schema that a subscription was prepared with is served no more."""


class Streams:
    """Ends them all when the generation goes."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended = False

    @contextmanager
    def open(self) -> Iterator[None]:
        """A subscription, for as long as the context is open; its task is the one that opens it.

        Raises:
            Superseded: The generation has gone.
        """
        task = asyncio.current_task()
        assert task is not None
        if self._ended:
            raise Superseded
        self._tasks.add(task)
        try:
            yield
        except asyncio.CancelledError:
            # Unless its client has gone, too.
            self._check(task)
            raise
        finally:
            self._tasks.discard(task)

    def _check(self, task: asyncio.Task[None]) -> None:
        if self._ended and task.uncancel() == 0:
            raise Superseded

    def end(self) -> None:
        """End all of them."""
        self._ended = True
        for task in self._tasks:
            task.cancel()
