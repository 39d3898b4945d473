"""Which writes are accepted, how many are under way, and how long each may take."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count

from kvs_graphql.errors import KafkaUnavailable, KvsError, LimitExceeded, Unavailable, WriteOutcomeUnknown
from kvs_graphql.kafka.pending_write import PendingWrite
from kvs_graphql.metrics import TableMetrics
from kvs_graphql.records import Outgoing, Written

_OUTCOMES: dict[type[BaseException], str] = {KafkaUnavailable: "unavailable", WriteOutcomeUnknown: "unknown"}

TimeoutErrorOf = Callable[[PendingWrite], KvsError]
"""The error of a write that has no answer when its time is up."""


class Admission:
    """Accepts writes within the limits and answers each within `write_seconds_max`. Closed until `open` is called.

    A write counts against the limits until it is released: when its writer has an answer or has gone, but if it was
    sent, not before its outcome is known, because until then aiokafka holds it.
    """

    def __init__(self, writes_max: int, bytes_max: int, write_seconds_max: float, metrics: TableMetrics) -> None:
        self._writes_max = writes_max
        self._bytes_max = bytes_max
        self._write_seconds_max = write_seconds_max
        self._metrics = metrics
        self._numbers = count()
        self._pending: dict[int, PendingWrite] = {}
        self._pending_bytes = 0
        self._is_empty = asyncio.Event()
        self._is_empty.set()
        self._is_open = False

    def __len__(self) -> int:
        """How many writes are under way."""
        return len(self._pending)

    def open(self) -> None:
        """Accept writes from now on."""
        self._is_open = True

    def close(self) -> None:
        """Accept no more writes."""
        self._is_open = False

    def admit(self, writes: Sequence[Outgoing], timeout_error: TimeoutErrorOf) -> list[PendingWrite]:
        """Accept all of these writes, or none.

        Raises:
            LimitExceeded: With them, more would be under way than the limits allow.
            Unavailable: The service is stopping.
        """
        if not self._is_open:
            raise Unavailable("The service is stopping.")
        if len(self._pending) + len(writes) > self._writes_max:
            raise LimitExceeded(
                f"The limit of {self._writes_max} unacknowledged writes is reached.", limit=self._writes_max
            )
        if self._pending_bytes + sum(write.size_bytes for write in writes) > self._bytes_max:
            raise LimitExceeded(
                f"The limit of {self._bytes_max} bytes of unacknowledged writes is reached.", limit=self._bytes_max
            )
        return [self._admit(write, timeout_error) for write in writes]

    def release(self, pending: PendingWrite) -> None:
        """Count a write no longer. Releasing it twice changes nothing."""
        if self._pending.pop(pending.number, None) is not None:
            self._pending_bytes -= pending.write.size_bytes
            self._metrics.writes_in_flight.set(len(self._pending))
        if not self._pending:
            self._is_empty.set()

    def fail_all(self, timeout_error: TimeoutErrorOf) -> None:
        """Answer every write now, as if its time was up."""
        for pending in list(self._pending.values()):
            self.release(pending)
            pending.fail(timeout_error(pending))

    async def until_empty(self) -> None:
        """Wait until no write is under way."""
        await self._is_empty.wait()

    def _admit(self, write: Outgoing, timeout_error: TimeoutErrorOf) -> PendingWrite:
        loop = asyncio.get_running_loop()
        pending = PendingWrite(next(self._numbers), write, loop.create_future())
        timer = loop.call_later(self._write_seconds_max, _time_out, pending, timeout_error)
        pending.answer.add_done_callback(partial(self._note_answer, pending, timer))
        self._pending[pending.number] = pending
        self._pending_bytes += write.size_bytes
        self._metrics.writes_in_flight.set(len(self._pending))
        self._is_empty.clear()
        return pending

    def _note_answer(self, pending: PendingWrite, timer: asyncio.TimerHandle, answer: asyncio.Future[Written]) -> None:
        timer.cancel()
        self._metrics.writes(_outcome(answer)).inc()
        if not pending.sent:
            self.release(pending)


def _time_out(pending: PendingWrite, timeout_error: TimeoutErrorOf) -> None:
    if not pending.answer.done():
        pending.fail(timeout_error(pending))


def _outcome(answer: asyncio.Future[Written]) -> str:
    if answer.cancelled():
        return "cancelled"
    error = answer.exception()
    return "written" if error is None else _OUTCOMES.get(type(error), "refused")
