"""The writes of one partition that were not sent yet."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

from kvs_graphql.kafka.pending_write import PendingWrite
from kvs_graphql.records import Outgoing


class SizedBatch(Protocol):
    """A batch that knows how many writes it holds, as aiokafka's does."""

    def record_count(self) -> int:
        """How many writes the batch holds."""


Batch = TypeVar("Batch", bound=SizedBatch)


class PartitionQueue:
    """Writes in the order of their admission. A write leaves by itself when its writer gets an answer or goes away."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[int, PendingWrite] = OrderedDict()
        self._has_writes = asyncio.Event()

    def __iter__(self) -> Iterator[PendingWrite]:
        return iter(list(self._waiting.values()))

    def add(self, pending: PendingWrite) -> None:
        """Append a write."""
        self._waiting[pending.number] = pending
        self._has_writes.set()
        pending.answer.add_done_callback(lambda _: self._remove(pending))

    def put_back(self, writes: Sequence[PendingWrite]) -> None:
        """Put writes that `take` returned in front of all others, in their order."""
        for pending in reversed(writes):
            self._waiting[pending.number] = pending
            self._waiting.move_to_end(pending.number, last=False)
            self._has_writes.set()

    def take(self, build: Callable[[Iterable[Outgoing]], Batch]) -> tuple[Batch, list[PendingWrite]]:
        """Remove the next writes, as many as `build` puts into its batch; return the batch and those writes.

        Writes whose writer has gone are removed too, and are not in the batch.
        """
        gone: list[PendingWrite] = []
        taken: list[PendingWrite] = []

        def writes() -> Iterator[Outgoing]:
            for pending in self._waiting.values():
                if pending.answer.done():
                    gone.append(pending)
                else:
                    taken.append(pending)
                    yield pending.write

        batch = build(writes())
        del taken[batch.record_count() :]
        for pending in (*gone, *taken):
            self._remove(pending)
        return batch, taken

    async def until_filled(self) -> None:
        """Wait until there is a write."""
        await self._has_writes.wait()

    def _remove(self, pending: PendingWrite) -> None:
        self._waiting.pop(pending.number, None)
        if not self._waiting:
            self._has_writes.clear()
