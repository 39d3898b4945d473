"""The producer: writes wait in a bounded queue of our own and go to Kafka one batch at a time per partition.

A queued write can be taken back; one that was given to aiokafka cannot, because aiokafka tries forever. So a write is
sent only while the consumer is connected to Kafka, the partition's leader is reachable, and the batch before it was
answered. A write whose time runs out in the queue was never sent and never will be. One whose time runs out after it
was sent may still arrive once Kafka can be reached again.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from kvs_graphql.compat.aiokafka import partition_for_key
from kvs_graphql.kafka.admission import Admission
from kvs_graphql.kafka.connection import KafkaConnection
from kvs_graphql.kafka.delivery import Delivery
from kvs_graphql.kafka.write_errors import stopped, unavailable
from kvs_graphql.metrics import TableMetrics
from kvs_graphql.records import Outgoing, Written
from kvs_graphql.state import Lifecycle, State

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ProducerLimits:
    """How many writes and bytes may be under way, how long one may take, and the longest pause between attempts."""

    writes_max: int
    bytes_max: int
    write_seconds_max: float
    retry_seconds_max: float


class Producer:
    """Writes to one topic while `run` runs. Not thread-safe: all calls come from one event loop."""

    def __init__(
        self,
        connection: KafkaConnection,
        topic: str,
        lifecycle: Lifecycle,
        metrics: TableMetrics,
        limits: ProducerLimits,
    ) -> None:
        self._lifecycle = lifecycle
        self._admission = Admission(limits.writes_max, limits.bytes_max, limits.write_seconds_max, metrics)
        self._delivery = Delivery(
            connection, topic, lifecycle, self._admission, retry_seconds_max=limits.retry_seconds_max
        )

    def partition_of(self, key: bytes) -> int:
        """Return the partition that Kafka's default partitioner gives a key: murmur2, as in all Java clients.

        Raises:
            KafkaUnavailable: The number of partitions is not known yet.
            Unavailable: The table cannot go on.
        """
        self._check_goes_on()
        partitions = len(self._lifecycle.end_offsets)
        if not partitions:
            raise unavailable(self._lifecycle.moment.reason, self._lifecycle.moment)
        return partition_for_key(key, partitions)

    def send(self, writes: Sequence[Outgoing]) -> list[asyncio.Future[Written]]:
        """Accept all of the writes or none, and queue each behind the earlier writes of its partition.

        Returns at once, with one answer per write. Each answer comes within `write_seconds_max`: the record's place in
        the log, or KafkaUnavailable (the record is not in Kafka and never will be), WriteOutcomeUnknown, ValueTooLarge,
        Forbidden, or Unavailable (the table stopped, and the record is not in Kafka). Cancelling an answer takes the
        write back if it was not sent yet.

        Raises:
            LimitExceeded: With these writes, more would be under way than the limits allow.
            Unavailable: The service is stopping, or the table cannot go on.
        """
        self._check_goes_on()
        pending = self._admission.admit(writes, self._delivery.timeout_error)
        for write in pending:
            self._delivery.enqueue(write)
        return [write.answer for write in pending]

    async def flush(self, seconds_max: float) -> None:
        """Accept no more writes, and wait up to `seconds_max` until every accepted write is answered."""
        self._admission.close()
        try:
            async with asyncio.timeout(seconds_max):
                await self._admission.until_empty()
        except TimeoutError:
            log.warning("writes without an answer at shutdown", writes=len(self._admission))

    async def run(self) -> None:
        """Write until cancelled. Then answer all writes that still wait and close connections within a few seconds."""
        self._admission.open()
        try:
            await self._delivery.run()
        finally:
            self._admission.close()
            self._admission.fail_all(self._delivery.timeout_error)
            await self._delivery.close()

    def _check_goes_on(self) -> None:
        moment = self._lifecycle.moment
        if moment.state is State.STOPPED:
            raise stopped(moment)
