"""The producer of the figures: the records in the topic, and outages of Kafka."""

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
from tests.deadline import SECONDS_MAX

INTERVAL_SECONDS = 0.05
PARTITIONS = 4
BUSY = "while True: pass"
NEVER_SECONDS = 1e9


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
    """Publish figures while the context is open, and check that only the cancellation ends it."""
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


class LevelHandler(logging.Handler):
    """Sets an event when a line of exactly this level is logged, from any thread."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self.event = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno == self.level:
            self._loop.call_soon_threadsafe(self.event.set)


@asynccontextmanager
async def logged(level: int) -> AsyncIterator[asyncio.Event]:
    """Yield an event that is set when the producer logs at this level."""
    logger, handler = logging.getLogger(producer.__name__), LevelHandler(level)
    logger.addHandler(handler)
    try:
        yield handler.event
    finally:
        logger.removeHandler(handler)


async def test_the_topic_contains_the_figures_as_json(broker: EmbeddedBroker, topic: str) -> None:
    keys = {"cpu/0", "memory", "load", "uptime", "filesystem/"}
    async with published(broker.bootstrap_servers, topic), records_of(broker.bootstrap_servers, topic) as consumer:
        async for record in consumer:
            assert record.key is not None
            keys.discard(record.key.decode())
            assert record.value is None or isinstance(orjson.loads(record.value), dict)
            if not keys:
                break


async def test_keys_are_partitioned_as_by_other_clients(broker: EmbeddedBroker, topic: str) -> None:
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


async def test_figures_refused_during_an_outage_are_written_afterwards(
    topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(producer, "DELIVERY_SECONDS_MAX", 0.2)
    # Then only the failed delivery makes the producer write this figure again.
    monkeypatch.setattr(figures, "SLOW_INTERVAL_SECONDS", NEVER_SECONDS)
    monkeypatch.setattr(producer, "REFRESH_SECONDS", NEVER_SECONDS)
    async with EmbeddedBroker() as broker:
        broker.create_topic(topic, PARTITIONS)
        broker.go_down()
        async with logged(logging.WARNING) as warning, published(broker.bootstrap_servers, topic):
            await warning.wait()
            broker.come_up()
            async with records_of(broker.bootstrap_servers, topic) as consumer:
                await next_of(consumer, "filesystem/")


async def test_unchanged_figures_are_written_again_periodically(
    broker: EmbeddedBroker, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "SLOW_INTERVAL_SECONDS", NEVER_SECONDS)
    monkeypatch.setattr(producer, "REFRESH_SECONDS", 0.5)
    async with published(broker.bootstrap_servers, topic), records_of(broker.bootstrap_servers, topic) as consumer:
        first = await next_of(consumer, "uptime")
        assert (await next_of(consumer, "uptime")).value == first.value


async def test_cancelling_during_an_outage_does_not_wait_for_kafka(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(producer, "DELIVERY_SECONDS_MAX", 600.0)
    async with EmbeddedBroker() as broker:
        stopped = broker.bootstrap_servers
    # librdkafka logs a refused connection as an error, while the producer waits for acknowledgements.
    async with logged(logging.ERROR) as refused, published(stopped, "topic") as task:
        await refused.wait()
        task.cancel()
        await asyncio.wait([task])


async def test_a_setting_that_librdkafka_refuses_raises_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(producer, "DELIVERY_SECONDS_MAX", -1.0)
    with pytest.raises(KafkaException, match=r"message\.timeout\.ms"):
        await publish_figures("localhost:9092", "topic")


async def test_the_module_publishes_until_ctrl_c(broker: EmbeddedBroker, topic: str) -> None:
    arguments = [broker.bootstrap_servers, topic, "--interval", "0.1"]
    with python("-m", "kvs_graphql.demo.producer", *arguments) as process:
        async with asyncio.timeout(SECONDS_MAX), records_of(broker.bootstrap_servers, topic) as consumer:
            await next_of(consumer, "memory")
            process.send_signal(signal.SIGINT)
    assert process.returncode == 0
