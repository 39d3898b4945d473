"""Of which topic the records of a fetch are.

Fetches go by name, so those after a topic was created again bring records of the new one. Each fetch is followed, on
its own connection, by the question which topic it is: a broker handles the requests of a connection in their order, so
the answer is no older than the records, and it is there almost with them, without a round trip of its own.
"""

import asyncio
from typing import Any

from aiokafka import AIOKafkaClient
from aiokafka.conn import CloseReason
from aiokafka.errors import NodeNotReadyError, RequestTimedOutError
from aiokafka.protocol.fetch import FetchRequest

from kvs_graphql.kafka.topic import TopicIdentity, identity_in, identity_request


class Origins:
    """Follows the fetches of one consumer's client, from when it is made."""

    def __init__(self, client: AIOKafkaClient, topic: str) -> None:
        self._client = client
        self._topic = topic
        self._send = client.send
        self._answers: dict[int, asyncio.Task[Any]] = {}
        client.send = self._followed

    async def identities(self) -> dict[int, TopicIdentity | None]:
        """By broker, the topic as it was after the last fetch that the broker has answered.

        Raises:
            KafkaError: A broker did not answer, or refused, or a partition has no leader.
        """
        answers = dict(self._answers)
        return {node: identity_in(await answer, self._topic) for node, answer in answers.items()}

    async def _followed(self, node: int, request: Any, **options: Any) -> Any:
        if not isinstance(request, FetchRequest):
            return await self._send(node, request, **options)
        if not await self._client.ready(node, **options):
            raise NodeNotReadyError(f"no connection to broker {node}")
        (connection,) = (c for (n, _), c in self._client._conns.items() if n == node)
        # Written in this order before anything is awaited.
        fetched = connection.send(request)
        asked = asyncio.ensure_future(connection.send(identity_request(self._topic)))
        # Nobody may ask for it any more when it fails.
        asked.add_done_callback(lambda answer: answer.cancelled() or answer.exception())
        try:
            response = await fetched
        except TimeoutError as error:
            connection.close(reason=CloseReason.CONNECTION_TIMEOUT)
            raise RequestTimedOutError from error
        # Whoever gets these records finds the question behind them. An older answer has nothing to add to a newer one.
        self._answers[node] = asked
        return response
