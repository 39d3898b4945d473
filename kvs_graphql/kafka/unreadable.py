"""Records that cannot be read: a corrupt batch, one too large, one compressed in a way that nobody here knows.

Leaving one out silently would make the table another than the log. So the place is found, and told; then the
service stops, or, where its operator has said so, goes on past it.
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


class Unreadable:
    """Finds the record that made a fetch fail, and deals with it."""

    def __init__(
        self, consumer: AIOKafkaConsumer, partitions: list[TopicPartition], metrics: Metrics, *, skip: bool
    ) -> None:
        self._consumer = consumer
        self._partitions = partitions
        self._metrics = metrics
        self._skip = skip

    async def approach(self) -> Fetched:
        """What can still be read before the record, a record at a time; then stop at it, or go past it.

        Raises:
            UnreadableRecord: It was reached, and is not to be skipped.
        """
        for partition in self._partitions:
            try:
                fetched: Fetched = await self._consumer.getmany(partition, timeout_ms=_WAIT_MS, max_records=1)
            except UNREADABLE as error:
                await self._reached(partition, error)
                return {}
            if fetched:
                return fetched
        return {}

    async def _reached(self, partition: TopicPartition, error: Exception) -> None:
        position: int = await self._consumer.position(partition)
        # aiokafka has stepped over a record too large by itself.
        offset = position - 1 if isinstance(error, RecordTooLargeError) else position
        place = f"topic {partition.topic!r}, partition {partition.partition}, offset {offset}"
        reason = re.sub(r"\s+", " ", str(error))
        if not self._skip:
            raise UnreadableRecord(
                f"Unreadable record at {place}: {reason}. KVS_UNREADABLE=skip goes on without it."
            ) from error
        log.error("unreadable record skipped", topic=partition.topic, partition=partition.partition, offset=offset)
        self._metrics.records_skipped.labels("unreadable").inc()
        self._consumer.seek(partition, offset + 1)
