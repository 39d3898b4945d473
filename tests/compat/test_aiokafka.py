"""Canaries: each fails with one sentence when a new version of aiokafka breaks `kvs_graphql.compat.aiokafka`."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiokafka.client
import pytest
from aiokafka import AIOKafkaClient, AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import IncompatibleBrokerVersion, KafkaConnectionError, KafkaError, NodeNotReadyError
from aiokafka.protocol.fetch import FetchRequest, FetchRequest_v4
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.produce import ProduceRequest

from kvs_graphql.compat.aiokafka import (
    ask_any_broker,
    connect_to_leader,
    consumer_client,
    fetched_batches,
    intercept_send,
    is_fetch,
    partition_for_key,
    produced_partitions,
    producer_client,
    send_pair,
    set_fetch_wait,
    stop_consumer,
    stop_producer,
)
from kvs_graphql.compat.aiokafka_requests import topic_metadata, topic_metadata_request
from kvs_graphql.demo.broker import EmbeddedBroker
from tests.compat.canary import canary
from tests.deadline import SECONDS_MAX


@asynccontextmanager
async def consuming(broker: EmbeddedBroker, topic: str) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(bootstrap_servers=broker.bootstrap_servers, auto_offset_reset="earliest")
    consumer.assign([TopicPartition(topic, 0)])
    try:
        yield consumer
    finally:
        await consumer.stop()


@asynccontextmanager
async def producing(broker: EmbeddedBroker) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap_servers, enable_idempotence=True)
    async with asyncio.timeout(SECONDS_MAX), producer:
        yield producer


async def send_one(producer: AIOKafkaProducer, topic: str, partition: int = 0) -> int:
    """Send a batch of one record; return its offset."""
    batch = producer.create_batch()
    batch.append(timestamp=None, key=b"key", value=b"value")
    answer = await producer.send_batch(batch, topic, partition=partition)
    offset: int = (await answer).offset
    return offset


@pytest.mark.parametrize("version", [4, 5])
def test_metadata_requests_of_every_client_create_no_topic(version: int) -> None:
    with canary("AIOKafkaClient no longer refreshes its metadata by MetadataRequest, which is built by `build`."):
        assert aiokafka.client.MetadataRequest is MetadataRequest
        for request in (MetadataRequest(["topic"]), MetadataRequest(["topic"], True), MetadataRequest([])):
            built = request.prepare({3: (0, version)})
            assert version == built.API_VERSION
            assert built.to_object()["allow_auto_topic_creation"] is False
    with pytest.raises(IncompatibleBrokerVersion):
        MetadataRequest(["topic"]).prepare({3: (0, 3)})


def test_keys_are_partitioned_by_murmur2() -> None:
    with canary("aiokafka.partitioner.murmur2 no longer hashes as Kafka's Java clients do."):
        assert partition_for_key(b"21", 2**31) == -973932308 & 0x7FFFFFFF
        assert partition_for_key(b"foobar", 2**31) == -790332482 & 0x7FFFFFFF


async def test_consumer_has_a_client(embedded_broker: EmbeddedBroker, embedded_topic: str) -> None:
    async with consuming(embedded_broker, embedded_topic) as consumer:
        with canary("AIOKafkaConsumer no longer keeps its client in `_client`."):
            assert isinstance(consumer_client(consumer), AIOKafkaClient)


async def test_fetches_go_through_the_send_of_the_client(embedded_broker: EmbeddedBroker, embedded_topic: str) -> None:
    fetched = asyncio.Event()
    async with consuming(embedded_broker, embedded_topic) as consumer:

        async def watch(node: int, request: Any, **options: Any) -> Any:
            if is_fetch(request):
                fetched.set()
            return await send(node, request, **options)

        with canary("AIOKafkaConsumer no longer sends its fetches as FetchRequest through the `send` of its client."):
            send = intercept_send(consumer_client(consumer), watch)
            await consumer.start()
            async with asyncio.timeout(SECONDS_MAX):
                await fetched.wait()


def test_wait_of_a_fetch_can_be_set() -> None:
    with canary("FetchRequest no longer keeps its wait in `_max_wait_ms`."):
        request = FetchRequest(100, 1, 1, 0, [])
        set_fetch_wait(request, 700)
        assert request.build(FetchRequest_v4).max_wait_time == 700


def test_produce_request_shows_its_partitions() -> None:
    with canary("ProduceRequest no longer keeps its topics and partitions in `_topics`."):
        request = ProduceRequest(None, -1, 1_000, [("a", [(3, b""), (5, b"")])])
        assert produced_partitions(request) == [TopicPartition("a", 3), TopicPartition("a", 5)]
        assert produced_partitions(MetadataRequest([])) == []


async def test_every_attempt_to_produce_goes_through_the_send_of_the_client(
    embedded_broker: EmbeddedBroker, embedded_topic: str
) -> None:
    attempts: list[TopicPartition] = []

    async def fail_first(node: int, request: Any, **options: Any) -> Any:
        partitions = produced_partitions(request)
        attempts.extend(partitions)
        if partitions and len(attempts) == 1:
            raise KafkaConnectionError("the connection is lost")
        return await send(node, request, **options)

    async with producing(embedded_broker) as producer:
        with canary("AIOKafkaProducer no longer sends each attempt of a batch through the `send` of its `client`."):
            send = intercept_send(producer_client(producer), fail_first)
            assert await send_one(producer, embedded_topic) == 0
            assert attempts == [TopicPartition(embedded_topic, 0)] * 2


async def test_two_requests_go_over_one_connection(embedded_broker: EmbeddedBroker, embedded_topic: str) -> None:
    async with producing(embedded_broker) as producer:
        client = producer_client(producer)
        with canary("AIOKafkaClient no longer keeps its connections in `_conns`, or they no longer have `send`."):
            node = client.get_random_node()
            request = topic_metadata_request(embedded_topic)
            first, second = await send_pair(client, node, request, request)
            assert topic_metadata(first) == topic_metadata(await second)
        sentence = "AIOKafkaClient.ready no longer returns False for a broker that it does not know."
        with canary(sentence), pytest.raises(NodeNotReadyError):
            await send_pair(client, 1_000, request, request)


async def test_leader_is_found_and_connected(embedded_broker: EmbeddedBroker, embedded_topic: str) -> None:
    async with producing(embedded_broker) as producer:
        await producer.partitions_for(embedded_topic)
        with canary("AIOKafkaClient no longer has `cluster.leader_for_partition`, `ready` or `force_metadata_update`."):
            client = producer_client(producer)
            assert await connect_to_leader(client, TopicPartition(embedded_topic, 0))
            assert not await connect_to_leader(client, TopicPartition(embedded_topic, 1_000))


async def test_topic_metadata_is_asked_without_creating_the_topic(
    embedded_broker: EmbeddedBroker, embedded_topic: str
) -> None:
    async with producing(embedded_broker) as producer:
        client = producer_client(producer)
        with canary("AIOKafkaClient no longer has `get_random_node` or `send`, or changed its Metadata requests."):
            for _ in range(2):
                metadata = topic_metadata(await ask_any_broker(client, topic_metadata_request("never-created")))
                assert metadata["error_code"] == 3
            metadata = topic_metadata(await ask_any_broker(client, topic_metadata_request(embedded_topic)))
            assert sorted(partition["partition"] for partition in metadata["partitions"]) == [0, 1, 2]


async def test_batches_of_a_fetch_show_their_leader_epochs(embedded_broker: EmbeddedBroker) -> None:
    topic = "epochs-of-batches"
    embedded_broker.create_topic(topic)
    found: list[tuple[int, list[tuple[int, int]]]] = []
    async with producing(embedded_broker) as producer, consuming(embedded_broker, topic) as consumer:
        await send_one(producer, topic)
        await send_one(producer, topic)

        async def observed(node: int, request: Any, **options: Any) -> Any:
            response = await send(node, request, **options)
            if is_fetch(request):
                found.extend((partition, list(batches)) for partition, batches in fetched_batches(response))
            return response

        send = intercept_send(consumer_client(consumer), observed)
        with canary("Responses to a FetchRequest no longer end with each partition's records."):
            async with asyncio.timeout(SECONDS_MAX):
                await consumer.start()
                await consumer.getone()
                await consumer.getone()
            offsets = [offset for partition, batches in found for offset, epoch in batches if epoch >= 0]
            assert {partition for partition, _ in found} == {0}
            assert sorted({*offsets}) == [0, 1]


async def test_stopped_consumer_leaves_no_task_while_the_broker_is_away() -> None:
    with EmbeddedBroker() as broker:
        broker.create_topic("topic")
        before = asyncio.all_tasks()
        async with consuming(broker, "topic") as consumer:
            await consumer.start()
            broker.go_down()
            with canary("AIOKafkaConsumer no longer ends all of its tasks by `stop` and the `close` of its `_client`."):
                async with asyncio.timeout(SECONDS_MAX):
                    await stop_consumer(consumer)
                assert asyncio.all_tasks() == before


async def test_producer_stops_in_time_while_the_broker_is_away() -> None:
    with EmbeddedBroker() as broker:
        broker.create_topic("topic", 2)
        producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap_servers, enable_idempotence=True)
        await producer.start()
        errors: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
        assert await send_one(producer, "topic") == 0
        broker.go_down()
        unanswered, abandoned = (asyncio.create_task(send_one(producer, "topic", number)) for number in (0, 1))
        await asyncio.sleep(0)
        abandoned.cancel()
        others = asyncio.all_tasks() - {unanswered, abandoned}
        with canary("AIOKafkaProducer no longer has `_sender.close` or `_message_accumulator.fail_all`."):
            async with asyncio.timeout(SECONDS_MAX):
                await stop_producer(producer, 0.1)
                with pytest.raises(KafkaError):
                    await unanswered
            assert asyncio.all_tasks() <= others
        with canary("Batches of a stopped AIOKafkaProducer leave errors in `_pending_batches` or `_drain_waiter`."):
            del unanswered, abandoned, others
            gc.collect()
            assert errors == []
