"""Records that cannot be read: a corrupt batch, a record too large, an unknown compression, whatever fails to decode.

Skipping one silently would make the table differ from the log. So the service names its offset and stops, or skips it
if the operator has allowed that.
"""

import re
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import RecordTooLargeError

from kvs_graphql.errors import UnreadableRecord
from kvs_graphql.kafka.connection import TRANSIENT, UNREADABLE
from kvs_graphql.metrics import TableMetrics

log = structlog.get_logger(__name__)

_WAIT_MS = 500

Fetched = dict[TopicPartition, list[Any]]


def is_unreadable(error: Exception) -> bool:
    """Whether a fetch failed because of what it fetched: any error but those of brokers and connections."""
    return isinstance(error, UNREADABLE) or not isinstance(error, TRANSIENT)


class UnreadableRecordHandler:
    """Finds the record that made a fetch fail, and stops at it or skips it."""

    def __init__(
        self, consumer: AIOKafkaConsumer, partitions: list[TopicPartition], metrics: TableMetrics, *, skip: bool
    ) -> None:
        self._consumer = consumer
        self._partitions = partitions
        self._metrics = metrics
        self._skip = skip

    async def advance(self) -> Fetched:
        """Return a readable record of each partition up to the one with the unreadable record, which is skipped.

        Raises:
            UnreadableRecord: The next record cannot be read and must not be skipped.
        """
        fetched: Fetched = {}
        wait_ms = max(1, _WAIT_MS // len(self._partitions))
        for partition in self._partitions:
            try:
                fetched |= await self._consumer.getmany(partition, timeout_ms=wait_ms, max_records=1)
            except Exception as error:
                if not is_unreadable(error):
                    raise
                position: int = await self._consumer.position(partition)
                # aiokafka itself steps over a record that is too large.
                self.stop_or_skip(partition, position - isinstance(error, RecordTooLargeError), error)
                break
        return fetched

    def stop_or_skip(self, partition: TopicPartition, offset: int, error: Exception) -> None:
        """Skip the record at this offset, if the operator has allowed that.

        Raises:
            UnreadableRecord: It must not be skipped.
        """
        reason = re.sub(r"\s+", " ", str(error)) or "it cannot be decoded"
        if not self._skip:
            raise UnreadableRecord(
                f"Unreadable record in topic {partition.topic!r}, partition {partition.partition}, offset {offset}: "
                f"{reason}. Set KVS_UNREADABLE=skip to skip it."
            ) from error
        place = {"topic": partition.topic, "partition": partition.partition, "offset": offset}
        log.error("skipped unreadable record", **place, reason=reason)
        self._metrics.records_skipped("unreadable").inc()
        self._consumer.seek(partition, offset + 1)
