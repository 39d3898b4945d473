"""Records that cannot be read: a corrupt batch, a record too large, an unknown compression.

Skipping one silently would make the table differ from the log. So the service names its offset and stops, or skips it
if the operator has allowed that.
"""

import re
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import RecordTooLargeError

from kvs_graphql.errors import UnreadableRecord
from kvs_graphql.kafka.connection import UNREADABLE
from kvs_graphql.metrics import Metrics

log = structlog.get_logger(__name__)

_WAIT_MS = 500

Fetched = dict[TopicPartition, list[Any]]


class UnreadableRecordHandler:
    """Finds the record that made a fetch fail, and stops at it or skips it."""

    def __init__(
        self, consumer: AIOKafkaConsumer, partitions: list[TopicPartition], metrics: Metrics, *, skip: bool
    ) -> None:
        self._consumer = consumer
        self._partitions = partitions
        self._metrics = metrics
        self._skip = skip

    async def advance(self) -> Fetched:
        """Return one readable record before the unreadable one; nothing once it was skipped.

        Raises:
            UnreadableRecord: The next record cannot be read and must not be skipped.
        """
        for partition in self._partitions:
            try:
                fetched: Fetched = await self._consumer.getmany(partition, timeout_ms=_WAIT_MS, max_records=1)
            except UNREADABLE as error:
                await self._stop_or_skip(partition, error)
                return {}
            if fetched:
                return fetched
        return {}

    async def _stop_or_skip(self, partition: TopicPartition, error: Exception) -> None:
        position: int = await self._consumer.position(partition)
        # aiokafka itself steps over a record that is too large.
        offset = position - 1 if isinstance(error, RecordTooLargeError) else position
        if not self._skip:
            reason = re.sub(r"\s+", " ", str(error))
            raise UnreadableRecord(
                f"Unreadable record in topic {partition.topic!r}, partition {partition.partition}, offset {offset}: "
                f"{reason}. Set KVS_UNREADABLE=skip to skip it."
            ) from error
        log.error("skipped unreadable record", topic=partition.topic, partition=partition.partition, offset=offset)
        self._metrics.records_skipped.labels("unreadable").inc()
        self._consumer.seek(partition, offset + 1)
