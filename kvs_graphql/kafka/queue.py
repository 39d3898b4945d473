"""Writes of one partition that wait to be handed over."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from kvs_graphql.kafka.handover import Handover
from kvs_graphql.records import Outgoing, Written


class Pending:
    """A write that somebody waits for."""

    __slots__ = ("answer", "handed_over", "number", "timer", "write")

    def __init__(self, number: int, write: Outgoing, answer: asyncio.Future[Written]) -> None:
        self.number = number
        self.write = write
        self.answer = answer
        self.handed_over = False
        self.timer: asyncio.TimerHandle


class Queue:
    """The writes of one partition that were not handed over yet, in order."""

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self.filled = asyncio.Event()
        self.unanswered = False
        """Whether a batch of the partition was handed over and not answered yet."""
        self._waiting: OrderedDict[int, Pending] = OrderedDict()

    def __iter__(self) -> Iterator[Pending]:
        return iter(self._waiting.values())

    def add(self, pending: Pending, *, first: bool = False) -> None:
        self._waiting[pending.number] = pending
        if first:
            self._waiting.move_to_end(pending.number, last=False)
        self.filled.set()

    def take(self, handover: Handover) -> tuple[Any, list[Pending]]:
        """aiokafka's batch of the next writes, as many as it has room for, which are no longer here afterwards."""
        gone: list[Pending] = []
        taken: list[Pending] = []

        def writes() -> Iterator[Outgoing]:
            for pending in self:
                if pending.answer.done():
                    gone.append(pending)
                else:
                    taken.append(pending)
                    yield pending.write

        batch = handover.batch(writes())
        del taken[batch.record_count() :]
        for pending in (*gone, *taken):
            self.remove(pending)
        return batch, taken

    def remove(self, pending: Pending) -> None:
        self._waiting.pop(pending.number, None)
        if not self._waiting:
            self.filled.clear()
