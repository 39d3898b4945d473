"""Which topic the fetched records belong to.

A fetch names its topic, so after the topic was deleted and created again it returns records of the new one. Each fetch
is followed, on the same connection, by a request for the topic's metadata. A broker handles the requests of one
connection in order, so this response is no older than the records. It arrives with them and costs no extra round trip.
"""

import asyncio
from collections import defaultdict
from typing import Any

from aiokafka import AIOKafkaClient

from kvs_graphql.compat.aiokafka import fetched_batches, intercept_send, is_fetch, send_pair, set_fetch_wait
from kvs_graphql.compat.aiokafka_requests import topic_metadata_request
from kvs_graphql.kafka.epochs import FetchedEpochs
from kvs_graphql.kafka.fetch_waits import FetchWaits
from kvs_graphql.kafka.topic import TopicIdentity, identity_in


class TopicIdTracker:
    """Asks for the topic's identity behind every fetch of a client, from the tracker's creation on.

    It sets how long these fetches wait, too: `idle_wait_ms` while there is nothing to read.
    """

    def __init__(self, client: AIOKafkaClient, topic: str, epochs: FetchedEpochs, idle_wait_ms: int) -> None:
        self._client = client
        self._topic = topic
        self._epochs = epochs
        self._waits = defaultdict[int, FetchWaits](lambda: FetchWaits(idle_wait_ms))
        """By broker."""
        self._responses: dict[int, asyncio.Future[Any]] = {}
        self._send = intercept_send(client, self._send_tracked)

    async def identities(self) -> dict[int, TopicIdentity | None]:
        """Return, by broker, the topic's identity just after the latest fetch that the broker answered.

        Raises:
            KafkaError: A broker did not answer or refused, or a partition has no leader.
        """
        responses = dict(self._responses)
        return {node: identity_in(await response, self._topic) for node, response in responses.items()}

    async def _send_tracked(self, node: int, request: Any, **options: Any) -> Any:
        if not is_fetch(request):
            return await self._send(node, request, **options)
        waits, empty = self._waits[node], True
        set_fetch_wait(request, waits.next_ms)
        question = topic_metadata_request(self._topic)
        fetched, identity = await send_pair(self._client, node, request, question, **options)
        # Stored before the records are handed out, so their reader finds it. It replaces an older response.
        self._responses[node] = identity
        for partition, batches in fetched_batches(fetched):
            self._epochs.add(partition, batches)
            empty = False
        waits.answered(empty=empty)
        return fetched
