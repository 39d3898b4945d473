"""The producer of the figures: the records in the topic, and outages of Kafka."""

import asyncio
import logging
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Any

import fastavro
import orjson
import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.partitioner import DefaultPartitioner
from confluent_kafka import KafkaException

from kvs_graphql.demo import figures, producer
from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.demo.figures import TABLES, Place
from kvs_graphql.demo.producer import publish_figures, topic_of
from kvs_graphql.demo.values import SCHEMAS
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
async def prefix(broker: EmbeddedBroker, request: pytest.FixtureRequest) -> str:
    name: str = request.node.name
    create_topics(broker, name)
    return name


def create_topics(broker: EmbeddedBroker, prefix: str) -> None:
    for table in TABLES:
        broker.create_topic(topic_of(prefix, table), PARTITIONS)


def figure_of(record: ConsumerRecord) -> Any:
    """The value of a record, in the form of its table."""
    schema = SCHEMAS.get(record.topic.rpartition(".")[2])
    if schema is None:
        return orjson.loads(record.value)
    return fastavro.schemaless_reader(BytesIO(record.value), fastavro.schema.load_schema(str(schema)), None)


def python(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, *arguments])


@asynccontextmanager
async def published(bootstrap_servers: str, prefix: str) -> AsyncIterator[asyncio.Task[None]]:
    """Publish figures while the context is open, and check that only the cancellation ends it."""
    task = asyncio.create_task(publish_figures(bootstrap_servers, prefix, INTERVAL_SECONDS))
    try:
        async with asyncio.timeout(SECONDS_MAX):
            yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()


@asynccontextmanager
async def records_of(bootstrap_servers: str, prefix: str) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    async with consumer:
        topics = [topic_of(prefix, table) for table in TABLES]
        consumer.assign([TopicPartition(topic, partition) for topic in topics for partition in range(PARTITIONS)])
        yield consumer


async def next_of(consumer: AIOKafkaConsumer, table: str, key: str) -> ConsumerRecord[bytes, bytes]:
    async for record in consumer:
        if place_of(record) == (table, key):
            return record
    raise AssertionError("the consumer ended")


def place_of(record: ConsumerRecord[bytes, bytes]) -> Place:
    assert record.key is not None
    return Place(record.topic.rpartition(".")[2], record.key.decode())


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


async def test_the_topics_contain_the_figures_as_json_and_avro(broker: EmbeddedBroker, prefix: str) -> None:
    expected = {("cpu", "0"), ("filesystems", "/"), *(("system", key) for key in ("memory", "load", "uptime"))}
    async with published(broker.bootstrap_servers, prefix), records_of(broker.bootstrap_servers, prefix) as consumer:
        async for record in consumer:
            expected.discard(place_of(record))
            assert record.value is None or isinstance(figure_of(record), dict)
            if not expected:
                break


async def test_keys_are_partitioned_as_by_other_clients(broker: EmbeddedBroker, prefix: str) -> None:
    partitions, partition_of = list(range(PARTITIONS)), DefaultPartitioner()
    seen = set()
    async with published(broker.bootstrap_servers, prefix), records_of(broker.bootstrap_servers, prefix) as consumer:
        async for record in consumer:
            assert record.partition == partition_of(record.key, partitions, partitions)
            seen.add(record.partition)
            if len(seen) > 1:
                break


async def test_a_process_that_ends_becomes_a_tombstone(
    broker: EmbeddedBroker, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "PROCESS_INTERVAL_SECONDS", 0.0)
    with python("-c", BUSY) as process:
        key = str(process.pid)
        try:
            async with (
                published(broker.bootstrap_servers, prefix),
                records_of(broker.bootstrap_servers, prefix) as consumer,
            ):
                assert (await next_of(consumer, "processes", key)).value is not None
                process.kill()
                while (await next_of(consumer, "processes", key)).value is not None:
                    continue
        finally:
            process.kill()


async def test_figures_refused_during_an_outage_are_written_afterwards(
    prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(producer, "DELIVERY_SECONDS_MAX", 0.2)
    # Then only the failed delivery makes the producer write this figure again.
    monkeypatch.setattr(figures, "SLOW_INTERVAL_SECONDS", NEVER_SECONDS)
    monkeypatch.setattr(producer, "REFRESH_SECONDS", NEVER_SECONDS)
    async with EmbeddedBroker() as broker:
        create_topics(broker, prefix)
        broker.go_down()
        async with logged(logging.WARNING) as warning, published(broker.bootstrap_servers, prefix):
            await warning.wait()
            broker.come_up()
            async with records_of(broker.bootstrap_servers, prefix) as consumer:
                await next_of(consumer, "filesystems", "/")


async def test_unchanged_figures_are_written_again_periodically(
    broker: EmbeddedBroker, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "SLOW_INTERVAL_SECONDS", NEVER_SECONDS)
    monkeypatch.setattr(producer, "REFRESH_SECONDS", 0.5)
    async with published(broker.bootstrap_servers, prefix), records_of(broker.bootstrap_servers, prefix) as consumer:
        first = await next_of(consumer, "system", "uptime")
        assert (await next_of(consumer, "system", "uptime")).value == first.value


async def test_cancelling_during_an_outage_does_not_wait_for_kafka(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(producer, "DELIVERY_SECONDS_MAX", 600.0)
    async with EmbeddedBroker() as broker:
        stopped = broker.bootstrap_servers
    # librdkafka logs a refused connection as an error, while the producer waits for acknowledgements.
    async with logged(logging.ERROR) as refused, published(stopped, "prefix") as task:
        await refused.wait()
        task.cancel()
        await asyncio.wait([task])


async def test_a_setting_that_librdkafka_refuses_raises_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(producer, "DELIVERY_SECONDS_MAX", -1.0)
    with pytest.raises(KafkaException, match=r"message\.timeout\.ms"):
        await publish_figures("localhost:9092", "prefix")


async def test_the_module_publishes_until_ctrl_c(broker: EmbeddedBroker, prefix: str) -> None:
    arguments = [broker.bootstrap_servers, prefix, "--interval", "0.1"]
    with python("-m", "kvs_graphql.demo.producer", *arguments) as process:
        async with asyncio.timeout(SECONDS_MAX), records_of(broker.bootstrap_servers, prefix) as consumer:
            await next_of(consumer, "system", "memory")
            process.send_signal(signal.SIGINT)
    assert process.returncode == 0
