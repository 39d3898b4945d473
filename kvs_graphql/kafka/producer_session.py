"""One idempotent aiokafka producer: sends one batch at a time per partition and reports the outcome.

aiokafka numbers the batches of a partition, and Kafka accepts them in that order only. A batch that fails leaves a gap
in the numbers, so Kafka would refuse all later ones. The session has failed then, and a new one replaces it. A batch
that was sent cannot be taken back: aiokafka sends it again until a broker answers.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    InvalidTimestampError,
    InvalidTopicError,
    KafkaError,
    MessageSizeTooLargeError,
    PolicyViolationError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)

from kvs_graphql.compat.aiokafka import connect_to_leader, producer_client, stop_producer
from kvs_graphql.kafka.connection import REQUEST_TIMEOUT_MS, KafkaConnection
from kvs_graphql.kafka.failures import words
from kvs_graphql.kafka.produce_attempts import ProduceAttempts
from kvs_graphql.records import Outgoing

TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)
FORBIDDEN = (ClusterAuthorizationFailedError, TopicAuthorizationFailedError)
_REFUSALS = (*TOO_LARGE, *FORBIDDEN, InvalidTimestampError, InvalidTopicError, PolicyViolationError)

_OPEN_SECONDS_MAX = REQUEST_TIMEOUT_MS / 1000
_CLOSE_SECONDS_MAX = 1.0
_NO_TIMESTAMP = -1


class NotSent(Exception):
    """aiokafka did not accept the batch: it is not in the log and never will be."""


class Refused(Exception):
    """Kafka refused the batch: it is not in the log and never will be. `error` is Kafka's."""

    def __init__(self, error: KafkaError) -> None:
        super().__init__(f"Kafka refuses: {words(error)}.")
        self.error = error


class Unanswered(Exception):
    """The batch may be in the log, or may still get there: nobody can tell."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """All in-sync replicas have the batch: the offset of its first record, and the timestamp that Kafka gave it."""

    base_offset: int
    timestamp_ms: int | None
    """None if the topic keeps the records' own timestamps."""


class ProducerSession:
    """One aiokafka producer on one topic."""

    def __init__(self, connection: KafkaConnection, topic: str, *, batch_bytes_max: int) -> None:
        self._topic = topic
        self._producer = AIOKafkaProducer(
            **connection.arguments(), enable_idempotence=True, acks="all", max_batch_size=batch_bytes_max
        )
        self._client = producer_client(self._producer)
        self._attempts = ProduceAttempts(self._client)
        self.failed = False
        """Whether a batch failed, so that Kafka would refuse later ones."""
        self.in_use = 0
        """How many calls of `ready` and `send` are under way."""

    async def open(self) -> None:
        """Connect, and read the topic's metadata. Call `close` if this fails.

        Raises:
            KafkaError, OSError, TimeoutError: No broker answers, or it refuses.
        """
        async with asyncio.timeout(_OPEN_SECONDS_MAX):
            await self._producer.start()
            await self._producer.partitions_for(self._topic)

    async def ready(self, partition: int) -> bool:
        """Connect to the partition's leader; False if it cannot be reached."""
        self.in_use += 1
        try:
            return await connect_to_leader(self._client, TopicPartition(self._topic, partition))
        finally:
            self.in_use -= 1

    def batch(self, writes: Iterable[Outgoing]) -> Any:
        """Return an aiokafka batch of the first writes, as many as fit and at least one."""
        batch = self._producer.create_batch()
        for write in writes:
            added = batch.append(
                timestamp=write.timestamp_ms, key=write.key, value=write.value, headers=list(write.headers)
            )
            if added is None:
                break
        return batch

    async def send(self, batch: Any, partition: int) -> Acknowledged:
        """Send a batch and wait for its outcome. The partition must be `ready` and have no batch under way.

        Cancelling does not take the batch back.

        Raises:
            NotSent, Refused, Unanswered: See there. The session has failed.
        """
        self.in_use += 1
        try:
            return await self._send(batch, TopicPartition(self._topic, partition))
        except (NotSent, Refused, Unanswered):
            self.failed = True
            raise
        finally:
            self.in_use -= 1

    async def _send(self, batch: Any, partition: TopicPartition) -> Acknowledged:
        self._attempts.begin(partition)
        try:
            answer = await self._producer.send_batch(batch, self._topic, partition=partition.partition)
        except KafkaError as error:
            raise NotSent(words(error)) from error
        try:
            written = await answer
        except KafkaError as error:
            # The refusal of a later attempt says nothing about the first, which may have been written.
            if isinstance(error, _REFUSALS) and self._attempts.count(partition) == 1:
                raise Refused(error) from error
            raise Unanswered(words(error)) from error
        if written is None or written.offset < 0:
            raise Unanswered("Kafka already had the batch and no longer knows its offset")
        return Acknowledged(written.offset, None if written.timestamp == _NO_TIMESTAMP else written.timestamp)

    async def close(self) -> None:
        """Close the connections within a few seconds. Batches that are still unanswered then stay unanswered."""
        await stop_producer(self._producer, _CLOSE_SECONDS_MAX)
