"""The embedded broker: what real clients can read and write, and how it starts and stops."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from confluent_kafka import Producer

from kvs_graphql.demo.broker import AUTO_CREATED_PARTITIONS, PARTITION_BYTES_MAX, EmbeddedBroker
from tests.deadline import SECONDS_MAX

OWNER = """
import sys
from kvs_graphql.demo.broker import EmbeddedBroker

with EmbeddedBroker() as broker:
    try:
        print(broker.bootstrap_servers, flush=True)
        sys.stdin.read()
    except KeyboardInterrupt:
        broker.create_topic("after-ctrl-c")
        print("the broker still answers", flush=True)
"""


@pytest.fixture(scope="module")
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as broker:
        yield broker


async def send(
    broker: EmbeddedBroker, topic: str, *values: bytes | None, compression: str | None = None, key: bytes = b"key"
) -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=broker.bootstrap_servers, enable_idempotence=True, compression_type=compression
    )
    async with producer:
        for value in values:
            await producer.send_and_wait(topic, value, key, 0, timestamp_ms=1_000, headers=[("origin", b"\xff")])


async def read(broker: EmbeddedBroker, topic: str, count: int) -> list[ConsumerRecord[bytes, bytes]]:
    partition = TopicPartition(topic, 0)
    records: list[ConsumerRecord[bytes, bytes]] = []
    async with asyncio.timeout(SECONDS_MAX), reader(broker) as consumer:
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        while len(records) < count:
            records.append(await consumer.getone(partition))
    return records


def reader(broker: EmbeddedBroker) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(bootstrap_servers=broker.bootstrap_servers, enable_auto_commit=False)


@contextlib.contextmanager
def python(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A Python process in a session of its own; it is killed where the test fails."""
    with subprocess.Popen(
        [sys.executable, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        except BaseException:
            process.kill()
            raise


async def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(SECONDS_MAX):
        return (await asyncio.to_thread(process.stdout.readline)).strip()


async def connection_to(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = address.split(":")
    return await asyncio.open_connection(host, int(port))


async def end_of(reader: asyncio.StreamReader) -> None:
    """Wait until the other end closes the connection."""
    async with asyncio.timeout(SECONDS_MAX):
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""


@pytest.fixture
def no_process_left() -> Iterator[None]:
    before = psutil.Process().children()
    yield
    assert psutil.Process().children() == before


@pytest.mark.parametrize("compression", [None, "gzip", "snappy", "lz4", "zstd"])
async def test_records_are_read_as_they_were_sent(broker: EmbeddedBroker, compression: str | None) -> None:
    topic = f"round-trip-{compression}"
    broker.create_topic(topic)
    await send(broker, topic, b"x" * 1_000, None, compression=compression)
    value, tombstone = await read(broker, topic, 2)
    assert (value.key, value.value, tombstone.value) == (b"key", b"x" * 1_000, None)
    assert (value.offset, tombstone.offset) == (0, 1)
    assert (value.timestamp, value.headers) == (1_000, (("origin", b"\xff"),))


async def test_a_topic_has_the_requested_number_of_partitions(broker: EmbeddedBroker) -> None:
    broker.create_topic("seven", partitions=7)
    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap_servers)
    async with producer:
        assert await producer.partitions_for("seven") == set(range(7))
    # A producer of librdkafka lets the broker create what it asks about; clients of this project do not.
    other = Producer({"bootstrap.servers": broker.bootstrap_servers})
    found = other.list_topics("never-created", timeout=SECONDS_MAX).topics["never-created"]
    assert set(found.partitions) == set(range(AUTO_CREATED_PARTITIONS))


async def test_a_topic_that_is_created_again_is_empty(broker: EmbeddedBroker) -> None:
    broker.create_topic("again")
    await send(broker, "again", b"old")
    broker.delete_topic("again")
    broker.create_topic("again")
    await send(broker, "again", b"new")
    assert [record.value for record in await read(broker, "again", 1)] == [b"new"]


async def test_deleted_records_are_removed_from_the_start_of_the_partition(broker: EmbeddedBroker) -> None:
    broker.create_topic("shortened")
    await send(broker, "shortened", b"0", b"1", b"2")
    broker.delete_records("shortened", 0, before_offset=2)
    assert [record.offset for record in await read(broker, "shortened", 1)] == [2]


async def test_a_full_partition_drops_its_oldest_records(broker: EmbeddedBroker) -> None:
    broker.create_topic("full")
    value_bytes, partition = 100_000, TopicPartition("full", 0)
    count = 2 * PARTITION_BYTES_MAX // value_bytes
    await send(broker, "full", *[os.urandom(value_bytes)] * count)
    async with reader(broker) as consumer:
        start = (await consumer.beginning_offsets([partition]))[partition]
        end = (await consumer.end_offsets([partition]))[partition]
    assert end == count
    assert PARTITION_BYTES_MAX - 2 * value_bytes < (end - start) * value_bytes <= PARTITION_BYTES_MAX


async def test_a_record_sent_during_an_outage_arrives_afterwards(broker: EmbeddedBroker) -> None:
    broker.create_topic("outage")
    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap_servers, enable_idempotence=True)
    async with asyncio.timeout(SECONDS_MAX), producer:
        await producer.send_and_wait("outage", b"before")
        _, writer = await connection_to(broker.bootstrap_servers)
        broker.go_down()
        writer.close()
        with pytest.raises(ConnectionRefusedError):
            await connection_to(broker.bootstrap_servers)
        sent = await producer.send("outage", b"during")
        broker.come_up()
        await sent
    assert [record.value for record in await read(broker, "outage", 2)] == [b"before", b"during"]


def test_a_failed_command_reports_the_reason(broker: EmbeddedBroker) -> None:
    broker.create_topic("twice")
    with pytest.raises(RuntimeError, match="already exists"):
        broker.create_topic("twice")
    with pytest.raises(RuntimeError, match="Unknown topic"):
        broker.delete_topic("never-created-either")
    with pytest.raises(RuntimeError, match="out of range"):
        broker.delete_records("twice", 0, before_offset=1)
    with pytest.raises(ValueError, match="one word"):
        broker.create_topic("two words")
    with pytest.raises(ValueError, match="at least one partition"):
        broker.create_topic("none", partitions=0)


@pytest.mark.usefixtures("no_process_left")
def test_the_broker_can_be_restarted() -> None:
    broker = EmbeddedBroker()
    with pytest.raises(RuntimeError, match="not started"):
        _ = broker.bootstrap_servers
    for _ in range(2):
        broker.start()
        with pytest.raises(RuntimeError, match="already running"):
            broker.start()
        broker.create_topic("topic")
        broker.stop()
        broker.stop()


@pytest.mark.usefixtures("no_process_left")
def test_a_start_that_takes_too_long_leaves_no_process() -> None:
    with pytest.raises(TimeoutError):
        EmbeddedBroker(start_seconds_max=0.0).start()


@pytest.mark.usefixtures("no_process_left")
async def test_a_cancelled_start_leaves_no_process() -> None:
    starting = asyncio.create_task(EmbeddedBroker().__aenter__())
    await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting


async def test_commands_to_a_killed_broker_fail_until_it_is_restarted() -> None:
    others = psutil.Process().children()
    async with EmbeddedBroker() as broker:
        (process,) = (child for child in psutil.Process().children() if child not in others)
        reader, writer = await connection_to(broker.bootstrap_servers)
        process.kill()
        await end_of(reader)
        writer.close()
        with pytest.raises(RuntimeError, match="has ended unexpectedly"):
            broker.create_topic("topic")
        broker.stop()
        broker.start()
        broker.create_topic("topic")


async def test_the_broker_ends_when_its_owner_is_killed() -> None:
    with python("-c", OWNER) as process:
        reader, writer = await connection_to(await line_of(process))
        process.kill()
        await end_of(reader)
        writer.close()


async def test_ctrl_c_does_not_reach_the_broker() -> None:
    with python("-c", OWNER) as process:
        reader, writer = await connection_to(await line_of(process))
        os.killpg(process.pid, signal.SIGINT)
        assert await line_of(process) == "the broker still answers"
        await end_of(reader)
        writer.close()
    assert process.returncode == 0


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
async def test_the_module_prints_its_address_accepts_commands_and_exits_on_a_signal(ending: signal.Signals) -> None:
    with python("-m", "kvs_graphql.demo.broker") as process:
        _, writer = await connection_to(await line_of(process))
        writer.close()
        assert process.stdin is not None
        for line, answer in {
            "create a-topic 3": "ok",
            "create a-topic three": "not a number",
            "dance": "no such command",
        }.items():
            print(line, file=process.stdin, flush=True)
            assert await line_of(process) == answer
        process.send_signal(ending)
    assert process.returncode == 0
