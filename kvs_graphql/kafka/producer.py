"""The producer: writes wait in a bounded queue of our own, and go to Kafka one batch a partition at a time.

What waits here can still be taken back, what was handed to aiokafka cannot: it keeps trying for ever. So a write is
handed over only while the consumer knows the broker to be there and the partition's leader is connected, and after
the batch before it was answered. A write whose time is up while it waits was never sent, and never will be; one that
was handed over may arrive whenever Kafka can be reached again.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any

import structlog
from aiokafka.partitioner import murmur2

from kvs_graphql.errors import (
    Forbidden,
    KafkaUnavailable,
    KvsError,
    LimitExceeded,
    Unavailable,
    ValueTooLarge,
    WriteOutcomeUnknown,
)
from kvs_graphql.kafka.connection import REFUSALS, TRANSIENT, KafkaConnection
from kvs_graphql.kafka.handover import FORBIDDEN, TOO_LARGE, Handover, NotHandedOver, Refused, Unanswered
from kvs_graphql.kafka.queue import Pending, Queue
from kvs_graphql.metrics import Metrics
from kvs_graphql.records import Outgoing, Written
from kvs_graphql.state import Lifecycle, Moment, State

log = structlog.get_logger(__name__)

_BATCH_BYTES_MAX = 64 * 1024
_RETRY_SECONDS_MIN = 0.05
_KAFKA_IS_THERE = (State.CATCHING_UP, State.LIVE, State.REBUILDING)
_OUTCOMES: dict[type[BaseException], str] = {KafkaUnavailable: "unavailable", WriteOutcomeUnknown: "unknown"}


@dataclass(frozen=True, slots=True)
class ProducerLimits:
    """What is held at most, how long a write is waited for, and the longest pause between two attempts."""

    writes_max: int
    bytes_max: int
    write_seconds_max: float
    retry_seconds_max: float


class Producer:
    """Writes to one topic, for as long as `run` runs. Not thread-safe: everything happens on one event loop."""

    def __init__(
        self, connection: KafkaConnection, topic: str, lifecycle: Lifecycle, metrics: Metrics, limits: ProducerLimits
    ) -> None:
        self._connection = connection
        self._topic = topic
        self._lifecycle = lifecycle
        self._metrics = metrics
        self._limits = limits
        self._batch_bytes_max = _BATCH_BYTES_MAX
        self._queues: dict[int, Queue] = {}
        self._held: dict[int, Pending] = {}
        self._held_bytes = 0
        self._numbers = count()
        self._nothing_held = asyncio.Event()
        self._nothing_held.set()
        self._kafka_is_there = asyncio.Event()
        self._tasks: asyncio.TaskGroup | None = None
        self._closing = False
        self._handover: Handover | None = None
        self._handovers: set[Handover] = set()
        self._opening = asyncio.Lock()
        self._failure = ""

    def partition_of(self, key: bytes) -> int:
        """The partition that Kafka's default partitioner gives a key: murmur2, as all Java clients have it.

        Raises:
            KafkaUnavailable: How many partitions the topic has is not known yet.
        """
        partitions = len(self._lifecycle.end_offsets)
        if not partitions:
            raise _unavailable(self._lifecycle.moment.reason, self._lifecycle.moment)
        hashed: int = murmur2(key)
        return (hashed & 0x7FFFFFFF) % partitions

    def send(self, writes: Sequence[Outgoing]) -> list[asyncio.Future[Written]]:
        """Take all of the writes or none; each goes to its partition after what was taken before it.

        Returns at once. Each answer comes within `write_seconds_max`: where the record is, or `KafkaUnavailable`
        (it is not in Kafka and will not be), `WriteOutcomeUnknown`, `ValueTooLarge`, `Forbidden`. Cancelling an
        answer takes a write back that was not handed over yet.

        Raises:
            LimitExceeded: More is being written than the limits allow.
            Unavailable: The service is stopping.
        """
        if self._tasks is None or self._closing:
            raise Unavailable("The service is stopping.")
        self._check_room(writes)
        return [self._enqueue(write, self._tasks) for write in writes]

    async def flush(self, seconds_max: float) -> None:
        """Take no more writes, and wait until what was taken is answered, but no longer than that."""
        self._closing = True
        try:
            async with asyncio.timeout(seconds_max):
                await self._nothing_held.wait()
        except TimeoutError:
            log.warning("writes without an answer at shutdown", writes=len(self._held))

    async def run(self) -> None:
        """Write until cancelled. Then whoever still waits is answered, and connections are closed in bounded time."""
        self._lifecycle.listen(self._on_moment)
        try:
            async with asyncio.TaskGroup() as self._tasks:
                await asyncio.get_running_loop().create_future()
        finally:
            self._closing = True
            for pending in list(self._held.values()):
                self._fail(pending, self._too_late(pending))
            await asyncio.gather(*(handover.close() for handover in self._handovers))

    def _on_moment(self, moment: Moment) -> None:
        if moment.state in _KAFKA_IS_THERE:
            self._kafka_is_there.set()
        else:
            self._kafka_is_there.clear()

    def _check_room(self, writes: Sequence[Outgoing]) -> None:
        limits = self._limits
        if len(self._held) + len(writes) > limits.writes_max:
            raise LimitExceeded(f"{limits.writes_max} writes at once are allowed.", limit=limits.writes_max)
        if self._held_bytes + sum(write.size_bytes for write in writes) > limits.bytes_max:
            raise LimitExceeded(f"{limits.bytes_max} bytes being written are allowed.", limit=limits.bytes_max)

    def _enqueue(self, write: Outgoing, tasks: asyncio.TaskGroup) -> asyncio.Future[Written]:
        loop = asyncio.get_running_loop()
        pending = Pending(next(self._numbers), write, loop.create_future())
        pending.timer = loop.call_later(self._limits.write_seconds_max, self._expire, pending)
        pending.answer.add_done_callback(partial(self._answered, pending))
        self._held[pending.number] = pending
        self._held_bytes += write.size_bytes
        self._metrics.writes_in_flight.set(len(self._held))
        self._nothing_held.clear()
        queue = self._queues.get(write.partition)
        if queue is None:
            queue = self._queues[write.partition] = Queue(write.partition)
            tasks.create_task(self._empty(queue))
        queue.add(pending)
        return pending.answer

    def _expire(self, pending: Pending) -> None:
        """The time of a write is up."""
        if not pending.answer.done():
            pending.answer.set_exception(self._too_late(pending))

    def _answered(self, pending: Pending, answer: asyncio.Future[Written]) -> None:
        """However a write ended for its writer: what was not handed over is taken back."""
        pending.timer.cancel()
        self._metrics.writes.labels(_outcome(answer)).inc()
        if not pending.handed_over:
            self._queues[pending.write.partition].remove(pending)
            self._release(pending)

    def _release(self, pending: Pending) -> None:
        if self._held.pop(pending.number, None) is not None:
            self._held_bytes -= pending.write.size_bytes
            self._metrics.writes_in_flight.set(len(self._held))
        if not self._held:
            self._nothing_held.set()

    async def _empty(self, queue: Queue) -> None:
        """Hand over what is queued for a partition, batch after batch, for ever."""
        while True:
            await queue.filled.wait()
            handover = await self._ready_handover(queue.partition)
            # No await between these two: nobody's time can run out in between.
            batch, taken = queue.take(handover)
            if taken:
                await self._deliver(handover, batch, taken, queue)

    async def _deliver(self, handover: Handover, batch: Any, taken: list[Pending], queue: Queue) -> None:
        for pending in taken:
            pending.handed_over = True
        queue.unanswered = True
        try:
            acknowledged = await handover.send(batch, queue.partition)
        except NotHandedOver as reason:
            self._failure = str(reason)
            self._put_back(queue, taken)
        except Refused as refusal:
            if len(taken) > 1 and isinstance(refusal.error, TOO_LARGE):
                # Maybe none of them is too large for the topic alone: the next batches are smaller.
                self._batch_bytes_max = max(1, self._batch_bytes_max // 2)
                self._put_back(queue, taken)
            else:
                for pending in taken:
                    self._fail(pending, _error_of(refusal))
        except Unanswered as reason:
            log.warning("writes without an answer", reason=str(reason), writes=len(taken))
            for pending in taken:
                self._fail(pending, _unknown(str(reason)))
        else:
            for index, pending in enumerate(taken):
                timestamp = acknowledged.timestamp_ms
                offset = acknowledged.base_offset + index
                self._succeed(pending, offset, pending.write.timestamp_ms if timestamp is None else timestamp)
        queue.unanswered = False
        await self._retire_spent()

    def _succeed(self, pending: Pending, offset: int, timestamp_ms: int) -> None:
        self._release(pending)
        if not pending.answer.done():
            pending.answer.set_result(Written(pending.write.partition, offset, timestamp_ms))

    def _fail(self, pending: Pending, error: KvsError) -> None:
        self._release(pending)
        if not pending.answer.done():
            pending.answer.set_exception(error)

    def _put_back(self, queue: Queue, taken: list[Pending]) -> None:
        """What was not written after all is next again, unless its writer has gone."""
        for pending in reversed(taken):
            pending.handed_over = False
            if pending.answer.done():
                self._release(pending)
            else:
                queue.add(pending, first=True)

    async def _ready_handover(self, partition: int) -> Handover:
        """Wait until the partition can be written to."""
        pause = _RETRY_SECONDS_MIN
        while True:
            await self._kafka_is_there.wait()
            handover = await self._open_handover()
            if await handover.ready(partition) and not handover.spent and self._kafka_is_there.is_set():
                return handover
            await asyncio.sleep(pause)
            pause = min(2 * pause, 1.0, self._limits.retry_seconds_max)

    async def _open_handover(self) -> Handover:
        """The handover in use; another where there is none, or it is spent."""
        async with self._opening:
            pause = _RETRY_SECONDS_MIN
            while self._handover is None or self._handover.spent:
                self._handover = await self._try_to_open()
                if self._handover is None:
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, self._limits.retry_seconds_max)
            return self._handover

    async def _try_to_open(self) -> Handover | None:
        handover = Handover(self._connection, self._topic, batch_bytes_max=self._batch_bytes_max)
        self._handovers.add(handover)
        try:
            await handover.open()
        except TRANSIENT as error:
            self._handovers.discard(handover)
            await handover.close()
            self._failure = str(error) or type(error).__name__
            log.warning("no way to write", reason=self._failure)
            if isinstance(error, REFUSALS):
                for pending in [pending for queue in self._queues.values() for pending in queue]:
                    self._fail(pending, Forbidden(f"Kafka refuses: {self._failure}."))
            return None
        self._failure = ""
        return handover

    async def _retire_spent(self) -> None:
        """Close the handovers that failed, once all that they were given is answered."""
        for handover in [h for h in self._handovers if h.spent and not h.in_use]:
            self._handovers.discard(handover)
            await handover.close()

    def _too_late(self, pending: Pending) -> KvsError:
        """The error of a write that nobody waits for any longer."""
        if pending.handed_over:
            return _unknown("it did not answer in time")
        moment = self._lifecycle.moment
        if moment.state not in _KAFKA_IS_THERE:
            reason = moment.reason
        elif self._queues[pending.write.partition].unanswered:
            reason = "it has not answered the writes before this one"
        else:
            reason = self._failure or "no leader of the partition can be reached"
        return _unavailable(reason, moment)


def _unavailable(reason: str, moment: Moment) -> KafkaUnavailable:
    return KafkaUnavailable(
        f"Kafka did not get the write, and will not: {reason}.", state=moment.state.value, reason=reason
    )


def _unknown(reason: str) -> WriteOutcomeUnknown:
    return WriteOutcomeUnknown(f"Kafka was given the write, and may have it or get it later: {reason}.", reason=reason)


def _error_of(refusal: Refused) -> KvsError:
    if isinstance(refusal.error, TOO_LARGE):
        return ValueTooLarge("The record is larger than the topic takes.")
    if isinstance(refusal.error, FORBIDDEN):
        return Forbidden("Kafka does not allow this service to write to the topic.")
    return KafkaUnavailable(f"Kafka did not take the write: {refusal.error}.", reason=str(refusal.error))


def _outcome(answer: asyncio.Future[Written]) -> str:
    if answer.cancelled():
        return "cancelled"
    error = answer.exception()
    return "written" if error is None else _OUTCOMES.get(type(error), "refused")
