"""What a reader of the topic sees of the figures, and how the producer behaves while Kafka is away."""

import asyncio
import logging
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.partitioner import DefaultPartitioner
from confluent_kafka import KafkaException

from kvs_graphql.demo import figures, producer
from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.demo.producer import publish_figures

INTERVAL_SECONDS = 0.05
SECONDS_MAX = 20.0
PARTITIONS = 4
BUSY = "while True: pass"


@pytest.fixture(scope="module")
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as broker:
        yield broker


@pytest.fixture
async def topic(broker: EmbeddedBroker, request: pytest.FixtureRequest) -> str:
    name: str = request.node.name
    broker.create_topic(name, PARTITIONS)
    return name


def python(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, *arguments])


@asynccontextmanager
async def published(bootstrap_servers: str, topic: str) -> AsyncIterator[asyncio.Task[None]]:
    """The figures are being published inside; a failure of theirs is raised, the cancellation at the end is not."""
    task = asyncio.create_task(publish_figures(bootstrap_servers, topic, INTERVAL_SECONDS))
    try:
        async with asyncio.timeout(SECONDS_MAX):
            yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()


@asynccontextmanager
async def records_of(bootstrap_servers: str, topic: str) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    async with consumer:
        consumer.assign([TopicPartition(topic, partition) for partition in range(PARTITIONS)])
        yield consumer


async def next_of(consumer: AIOKafkaConsumer, key: str) -> ConsumerRecord[bytes, bytes]:
    async for record in consumer:
        if record.key == key.encode():
            return record
    raise AssertionError("the consumer ended")


class Warned(logging.Handler):
    """Sets an event when a warning is logged, in whichever thread."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.event = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno == logging.WARNING:
            self._loop.call_soon_threadsafe(self.event.set)


@asynccontextmanager
async def warned() -> AsyncIterator[asyncio.Event]:
    logger, handler = logging.getLogger(producer.__name__), Warned()
    logger.addHandler(handler)
    try:
        yield handler.event
    finally:
        logger.removeHandler(handler)


async def test_a_reader_of_the_topic_sees_the_figures_as_json(broker: EmbeddedBroker, topic: str) -> None:
    keys = {"cpu/0", "memory", "load", "uptime", "filesystem/"}
    async with published(broker.bootstrap_servers, topic), records_of(broker.bootstrap_servers, topic) as consumer:
        async for record in consumer:
            assert record.key is not None
            keys.discard(record.key.decode())
            assert record.value is None or isinstance(orjson.loads(record.value), dict)
            if not keys:
                break


async def test_a_key_is_in_the_partition_where_other_clients_put_it(broker: EmbeddedBroker, topic: str) -> None:
    partitions, partition_of = list(range(PARTITIONS)), DefaultPartitioner()
    seen = set()
    async with published(broker.bootstrap_servers, topic), records_of(broker.bootstrap_servers, topic) as consumer:
        async for record in consumer:
            assert record.partition == partition_of(record.key, partitions, partitions)
            seen.add(record.partition)
            if len(seen) > 1:
                break


async def test_a_process_that_ends_becomes_a_tombstone(
    broker: EmbeddedBroker, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "PROCESS_INTERVAL_SECONDS", 0.0)
    with python("-c", BUSY) as process:
        key = f"process/{process.pid}"
        try:
            async with (
                published(broker.bootstrap_servers, topic),
                records_of(broker.bootstrap_servers, topic) as consumer,
            ):
                assert (await next_of(consumer, key)).value is not None
                process.kill()
                while (await next_of(consumer, key)).value is not None:
                    continue
        finally:
            process.kill()


async def test_what_an_outage_kept_back_is_written_after_it(topic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(producer, "DELIVERY_SECONDS_MAX", 0.2)
    async with EmbeddedBroker() as broker:
        broker.create_topic(topic, PARTITIONS)
        broker.go_down()
        async with warned() as warning, published(broker.bootstrap_servers, topic):
            await warning.wait()
            broker.come_up()
            async with records_of(broker.bootstrap_servers, topic) as consumer:
                # It does not change for ten seconds: only because it failed is it written again.
                await next_of(consumer, "filesystem/")


async def test_unchanged_figures_are_written_again_in_time(
    broker: EmbeddedBroker, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(producer, "REFRESH_SECONDS", 0.5)
    async with published(broker.bootstrap_servers, topic), records_of(broker.bootstrap_servers, topic) as consumer:
        first = await next_of(consumer, "uptime")
        assert (await next_of(consumer, "uptime")).value == first.value


async def test_an_end_while_kafka_is_away_does_not_wait_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(producer, "DELIVERY_SECONDS_MAX", 600.0)
    async with EmbeddedBroker() as broker:
        gone = broker.bootstrap_servers
    async with published(gone, "topic") as task:
        await asyncio.sleep(4 * INTERVAL_SECONDS)
        task.cancel()
        await asyncio.wait([task])


async def test_a_setting_that_librdkafka_refuses_ends_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(producer, "DELIVERY_SECONDS_MAX", -1.0)
    with pytest.raises(KafkaException, match=r"message\.timeout\.ms"):
        await publish_figures("localhost:9092", "topic")


async def test_by_hand_it_publishes_until_interrupted(broker: EmbeddedBroker, topic: str) -> None:
    arguments = [broker.bootstrap_servers, topic, "--interval", "0.1"]
    with python("-m", "kvs_graphql.demo.producer", *arguments) as process:
        async with asyncio.timeout(SECONDS_MAX), records_of(broker.bootstrap_servers, topic) as consumer:
            await next_of(consumer, "memory")
            process.send_signal(signal.SIGINT)
    assert process.returncode == 0
