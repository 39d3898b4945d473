"""One idempotent aiokafka producer: takes a batch at a time for a partition, and tells how it ended.

aiokafka numbers the batches of a partition, and Kafka takes them in that order only. A batch that failed leaves a
gap in the numbers, so whatever comes after it would be refused too: such a handover is spent, and another takes its
place. What is handed over cannot be taken back: aiokafka tries it again for ever.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    InvalidTimestampError,
    InvalidTopicError,
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    PolicyViolationError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)

from kvs_graphql.kafka.connection import REQUEST_TIMEOUT_MS, KafkaConnection
from kvs_graphql.records import Outgoing

TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)
FORBIDDEN = (ClusterAuthorizationFailedError, TopicAuthorizationFailedError)
_REFUSALS = (*TOO_LARGE, *FORBIDDEN, InvalidTimestampError, InvalidTopicError, PolicyViolationError)

_OPEN_SECONDS_MAX = REQUEST_TIMEOUT_MS / 1000
_FIRST_ATTEMPT = 1
_NO_TIMESTAMP = -1
# What aiokafka's tasks get to end by themselves once their connections are gone.
_END_SECONDS_MAX = 1.0


class NotHandedOver(Exception):
    """aiokafka did not take the batch: nothing of it is, or will be, in the log."""


class Refused(Exception):
    """Kafka refused the batch: nothing of it is in the log. `error` is Kafka's."""

    def __init__(self, error: KafkaError) -> None:
        super().__init__(f"Kafka refuses: {error}.")
        self.error = error


class Unanswered(Exception):
    """Nobody can tell whether the batch is in the log."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A batch is in the log of all replicas in sync: the offset of its first record, and Kafka's time for it."""

    base_offset: int
    timestamp_ms: int | None
    """None where the topic keeps the records' own times."""


class Handover:
    """One aiokafka producer on one topic."""

    def __init__(self, connection: KafkaConnection, topic: str, *, batch_bytes_max: int) -> None:
        self._topic = topic
        self._producer = AIOKafkaProducer(
            **connection.arguments(), enable_idempotence=True, acks="all", max_batch_size=batch_bytes_max
        )
        self.spent = False
        """Whether a batch failed, so that Kafka would refuse the next ones."""
        self.in_use = 0
        """How many `ready` and `send` are under way."""

    async def open(self) -> None:
        """Connect, and learn of the topic. Where this fails, `close`.

        Raises:
            KafkaError, OSError, TimeoutError: As Kafka's, the system's and asyncio's own.
        """
        async with asyncio.timeout(_OPEN_SECONDS_MAX):
            await self._producer.start()
            await self._producer.partitions_for(self._topic)

    async def ready(self, partition: int) -> bool:
        """Whether the partition has a leader that can be reached; tries to."""
        client = self._producer.client
        leader = client.cluster.leader_for_partition(TopicPartition(self._topic, partition))
        self.in_use += 1
        try:
            if leader is None or leader < 0:
                await client.force_metadata_update()
                return False
            reached: bool = await client.ready(leader)
            return reached
        finally:
            self.in_use -= 1

    def batch(self, writes: Iterable[Outgoing]) -> Any:
        """aiokafka's batch of as many of the writes, in order, as it has room for: at least the first."""
        batch = self._producer.create_batch()
        for write in writes:
            added = batch.append(
                timestamp=write.timestamp_ms, key=write.key, value=write.value, headers=list(write.headers)
            )
            if added is None:
                break
        return batch

    async def send(self, batch: Any, partition: int) -> Acknowledged:
        """Hand a batch over for a partition that has none unanswered, without delay where it is `ready`; wait.

        Cancelling does not take the batch back.

        Raises:
            NotHandedOver, Refused, Unanswered: As their classes say; the handover is spent.
        """
        self.in_use += 1
        try:
            return await self._send(batch, TopicPartition(self._topic, partition))
        except (NotHandedOver, Refused, Unanswered):
            self.spent = True
            raise
        finally:
            self.in_use -= 1

    async def _send(self, batch: Any, place: TopicPartition) -> Acknowledged:
        try:
            answer = await self._producer.send_batch(batch, self._topic, partition=place.partition)
        except KafkaError as error:
            raise NotHandedOver(str(error)) from error
        (queued,) = self._producer._message_accumulator._batches[place]
        try:
            written = await answer
        except KafkaError as error:
            # A refusal of a second attempt says nothing of the first, which may have come through.
            if isinstance(error, _REFUSALS) and queued.retry_count == _FIRST_ATTEMPT:
                raise Refused(error) from error
            raise Unanswered(str(error)) from error
        if written is None or written.offset < 0:
            raise Unanswered("Kafka had the batch already, and no longer knows where")
        return Acknowledged(written.offset, None if written.timestamp == _NO_TIMESTAMP else written.timestamp)

    async def close(self, seconds_max: float = _END_SECONDS_MAX) -> None:
        """End all of it. What is still unanswered after that time is left to its fate."""
        try:
            async with asyncio.timeout(seconds_max):
                await self._producer.stop()
        except TimeoutError:
            await self._abandon()

    async def _abandon(self) -> None:
        """aiokafka's `stop` waits for ever for a broker that is away: here the connections are cut first."""
        await self._producer.client.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(_END_SECONDS_MAX):
                await self._producer._sender.close()
        self._producer._message_accumulator.fail_all(KafkaConnectionError("the producer was closed"))
