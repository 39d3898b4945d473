"""How often each batch was sent to a broker.

aiokafka sends a batch again when a broker does not answer, or answers with an error that may pass. Only the refusal of
a first attempt proves that the batch is not in the log: an earlier attempt may have been written without an answer.
"""

from collections import Counter
from typing import Any

from aiokafka import AIOKafkaClient, TopicPartition

from kvs_graphql.compat.aiokafka import intercept_send, produced_partitions


class ProduceAttempts:
    """Counts the Produce requests of a client for each partition. At most one batch per partition is under way."""

    def __init__(self, client: AIOKafkaClient) -> None:
        self._attempts: Counter[TopicPartition] = Counter()
        self._send = intercept_send(client, self._send_counted)

    def begin(self, partition: TopicPartition) -> None:
        """Start to count for a new batch."""
        self._attempts[partition] = 0

    def count(self, partition: TopicPartition) -> int:
        """How many times the partition's current batch was sent, whether or not it reached a broker."""
        return self._attempts[partition]

    async def _send_counted(self, node: int, request: Any, **options: Any) -> Any:
        self._attempts.update(produced_partitions(request))
        return await self._send(node, request, **options)
