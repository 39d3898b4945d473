"""Every use of a private or undocumented name of aiokafka.

aiokafka documents its producer, its consumer and its admin client. It does not document the client that they share,
the classes of the wire protocol, or its murmur2 hash. `tests/compat/test_aiokafka.py` checks each function here against
the installed version. How that client connects is in `aiokafka_connections`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from struct import Struct
from typing import Any

from aiokafka import AIOKafkaClient, AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.client import ConnectionGroup
from aiokafka.conn import CloseReason
from aiokafka.errors import (
    IncompatibleBrokerVersion,
    KafkaConnectionError,
    NodeNotReadyError,
    RequestTimedOutError,
)
from aiokafka.partitioner import murmur2
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.produce import ProduceRequest

SendRequest = Callable[..., Awaitable[Any]]
"""`AIOKafkaClient.send`: takes a broker's id, a request and options, and returns the response."""

_FIRST_VERSION_WITHOUT_CREATION = 4
_SENDER_CLOSE_SECONDS_MAX = 1.0
_BATCH_HEAD = Struct(">qiib")
_LENGTH_END = 12
_FIRST_MAGIC_WITH_EPOCH = 2


def partition_for_key(key: bytes, partitions: int) -> int:
    """The partition that Kafka's default partitioner gives a key.

    Uses the undocumented `aiokafka.partitioner.murmur2`: the public partitioner takes lists of partitions.
    """
    hashed: int = murmur2(key)
    return (hashed & 0x7FFFFFFF) % partitions


def consumer_client(consumer: AIOKafkaConsumer) -> AIOKafkaClient:
    """The client that sends a consumer's requests.

    Uses the private `AIOKafkaConsumer._client`: the consumer has no public name for it.
    """
    return consumer._client


def producer_client(producer: AIOKafkaProducer) -> AIOKafkaClient:
    """The client that sends a producer's requests. Uses the undocumented `AIOKafkaProducer.client`."""
    return producer.client


def intercept_send(client: AIOKafkaClient, replacement: SendRequest) -> SendRequest:
    """Send the client's future requests through `replacement`; return the client's own `send`.

    Replaces the undocumented `AIOKafkaClient.send`, which carries every fetch of a consumer and every attempt of a
    producer: aiokafka has no hook for either.
    """
    send: SendRequest = client.send
    client.send = replacement
    return send


def is_fetch(request: Any) -> bool:
    """Whether a request fetches records. Uses the undocumented `aiokafka.protocol.fetch.FetchRequest`."""
    return isinstance(request, FetchRequest)


def set_fetch_wait(request: Any, wait_ms: int) -> None:
    """Let a fetch wait so long for records at the broker. Uses the private `FetchRequest._max_wait_ms`.

    aiokafka has one wait for all fetches of a consumer.
    """
    request._max_wait_ms = wait_ms


def fetched_batches(response: Any) -> Iterator[tuple[int, Iterator[tuple[int, int]]]]:
    """For each partition with records in a response to a fetch, the base offset and leader epoch of each batch.

    The epoch is -1 in batches of formats before magic 2. Uses the undocumented fields of the responses to
    `FetchRequest`, and reads Kafka's record batches (offset, length, leader epoch, magic): aiokafka drops the epochs.
    """
    for _, partitions in response.topics:
        for partition, _, _, *_, records in partitions:
            if records:
                yield partition, _batches(records)


def _batches(records: bytes) -> Iterator[tuple[int, int]]:
    at = 0
    while at + _BATCH_HEAD.size <= len(records):
        offset, length, epoch, magic = _BATCH_HEAD.unpack_from(records, at)
        yield offset, epoch if magic >= _FIRST_MAGIC_WITH_EPOCH else -1
        at += _LENGTH_END + length


def produced_partitions(request: Any) -> list[TopicPartition]:
    """The partitions that a request writes to; none if it is no Produce request.

    Uses the undocumented `ProduceRequest` and its private `_topics`: the request has no public name for them.
    """
    if not isinstance(request, ProduceRequest):
        return []
    return [TopicPartition(topic, number) for topic, batches in request._topics for number, _ in batches]


async def send_pair(
    client: AIOKafkaClient, node: int, first: Any, second: Any, group: int = ConnectionGroup.DEFAULT
) -> tuple[Any, asyncio.Future[Any]]:
    """Send two requests back to back on one connection; return the first response and the future of the second.

    Uses the private `AIOKafkaClient._conns` and the connection's undocumented `send` and `close`: the client's own
    `send` would let other requests in between, and hands out a response only.

    Raises:
        KafkaError: As `AIOKafkaClient.send` raises it for the first request.
    """
    if not await client.ready(node, group=group):
        raise NodeNotReadyError(f"no connection to broker {node}")
    connection = client._conns[node, group]
    # Both requests are written before anything is awaited.
    first_response = connection.send(first)
    second_response = asyncio.ensure_future(connection.send(second))
    # Retrieves a failure that nobody may ask for.
    second_response.add_done_callback(lambda response: response.cancelled() or response.exception())
    try:
        return await first_response, second_response
    except TimeoutError as error:
        connection.close(reason=CloseReason.CONNECTION_TIMEOUT)
        raise RequestTimedOutError from error


async def ask_any_broker(client: AIOKafkaClient, request: Any) -> Any:
    """The response of some broker of the cluster. Uses undocumented methods of `AIOKafkaClient`.

    Raises:
        KafkaError: No broker is known, or it does not answer.
    """
    node = client.get_random_node()
    if node is None:
        raise KafkaConnectionError("the cluster names no broker")
    return await client.send(node, request)


async def connect_to_leader(client: AIOKafkaClient, partition: TopicPartition) -> bool:
    """Connect to the partition's leader; False if there is no leader, or it cannot be reached, or it just changed.

    Refreshes the metadata if no leader is known. Uses undocumented methods of `AIOKafkaClient` and its `cluster`.
    """
    leader = client.cluster.leader_for_partition(partition)
    if leader is None or leader < 0:
        await client.force_metadata_update()
        return False
    return bool(await client.ready(leader)) and leader == client.cluster.leader_for_partition(partition)


async def stop_consumer(consumer: AIOKafkaConsumer) -> None:
    """Stop a consumer and close its connections.

    `AIOKafkaConsumer.stop` cancels a fetch that waits for its next attempt and lets that CancelledError escape,
    before it has closed the connections. Then the private `_client` closes them.
    """
    stopping = asyncio.ensure_future(consumer.stop())
    await asyncio.wait([stopping])
    if stopping.cancelled() or stopping.exception() is not None:
        await consumer._client.close()


async def stop_producer(producer: AIOKafkaProducer, seconds_max: float) -> None:
    """Stop a producer. Batches that are unanswered after `seconds_max` fail with KafkaConnectionError.

    `AIOKafkaProducer.stop` waits forever for a broker that is away. Then this function closes the connections and the
    private `_sender`, and fails the batches in the private `_message_accumulator`.
    """
    try:
        async with asyncio.timeout(seconds_max):
            await producer.stop()
    except TimeoutError:
        await producer.client.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(_SENDER_CLOSE_SECONDS_MAX):
                await producer._sender.close()
        _fail_batches(producer._message_accumulator, KafkaConnectionError("the producer was closed"))


def _fail_batches(accumulator: Any, error: Exception) -> None:
    """Fail every batch of a producer, and keep asyncio from logging errors that aiokafka leaves behind."""
    queued = [batch for batches in accumulator._batches.values() for batch in batches]
    # A callback of aiokafka removes each batch from here, and a batch that waits for its next attempt is not there.
    accumulator._pending_batches.update(queued)
    batches = [*accumulator._pending_batches]
    accumulator.fail_all(error)
    for batch in batches:
        batch.future.exception()
        batch._drain_waiter.exception()


def _build_without_creation(request: MetadataRequest, version: type[Any]) -> Any:
    """Build a metadata request that forbids the broker to create the topics that it names.

    Raises:
        IncompatibleBrokerVersion: The broker (older than Kafka 0.11) knows no such request.
    """
    if version.API_VERSION < _FIRST_VERSION_WITHOUT_CREATION:
        raise IncompatibleBrokerVersion("the broker is older than Kafka 0.11")
    return version(request._topics, False)


# aiokafka's own refreshes allow creation, so a deleted topic would be back at once with the broker's defaults. A client
# makes these requests in many places, and offers no setting for them: every client of this process gets this method.
MetadataRequest.build = _build_without_creation
