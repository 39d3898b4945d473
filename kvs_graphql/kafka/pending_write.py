"""A write that somebody waits for."""

import asyncio

from kvs_graphql.errors import KvsError
from kvs_graphql.records import Outgoing, Written


class PendingWrite:
    """One accepted write, from its admission until its outcome is known."""

    __slots__ = ("answer", "number", "sent", "write")

    def __init__(self, number: int, write: Outgoing, answer: asyncio.Future[Written]) -> None:
        self.number = number
        """Writes are numbered in the order of their admission."""
        self.write = write
        self.answer = answer
        """Done once the writer has its answer, or has gone away."""
        self.sent = False
        """Whether it was given to aiokafka in a batch, which cannot be taken back."""

    def succeed(self, offset: int, timestamp_ms: int | None) -> None:
        """Answer with the record's place in the log, unless the writer has gone. None keeps the record's own time."""
        if not self.answer.done():
            time_ms = self.write.timestamp_ms if timestamp_ms is None else timestamp_ms
            self.answer.set_result(Written(self.write.partition, offset, time_ms))

    def fail(self, error: KvsError) -> None:
        """Answer with an error, unless the writer has gone."""
        if not self.answer.done():
            self.answer.set_exception(error)
