"""The producer as a whole: a state machine that the test moves, and the embedded broker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.errors import KafkaUnavailable, LimitExceeded, Unavailable, WriteOutcomeUnknown
from kvs_graphql.kafka.connection import KafkaConnection
from kvs_graphql.kafka.producer import Producer, ProducerLimits
from kvs_graphql.metrics import Metrics
from kvs_graphql.records import Written
from kvs_graphql.state import Lifecycle, State
from tests.deadline import NEVER_SECONDS, SECONDS_MAX
from tests.kafka.proxy import ProduceResponse, proxied
from tests.kafka.writes import outgoing

TOO_LARGE = 10
"""Kafka's error code for a batch that is too large; its records may not be."""


@dataclass(frozen=True)
class Running:
    """A running producer, and the state that it goes by."""

    producer: Producer
    lifecycle: Lifecycle

    def connect(self) -> None:
        self.lifecycle.move(State.CATCHING_UP, "there")

    def disconnect(self) -> None:
        self.lifecycle.move(State.WAITING_FOR_BROKER, "away")

    def send(self, *values: bytes) -> list[asyncio.Future[Written]]:
        """Send values to partition 0."""
        return self.producer.send([outgoing(value) for value in values])


@asynccontextmanager
async def producing(servers: str, topic: str, **limits: Any) -> AsyncIterator[Running]:
    """A producer that waits for Kafka."""
    lifecycle = Lifecycle()
    lifecycle.end_offsets = (0, 0, 0)
    found = {"writes_max": 100, "bytes_max": 10_000, "write_seconds_max": SECONDS_MAX, "retry_seconds_max": 1.0}
    producer = Producer(
        KafkaConnection(servers), topic, lifecycle, Metrics().of_table(""), ProducerLimits(**{**found, **limits})
    )
    running = Running(producer, lifecycle)
    running.disconnect()
    task = asyncio.create_task(producer.run())
    await asyncio.sleep(0)
    try:
        yield running
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def values(servers: str, topic: str) -> list[bytes]:
    """The values of partition 0, by an independent reader."""
    partition = TopicPartition(topic, 0)
    consumer = AIOKafkaConsumer(bootstrap_servers=servers, auto_offset_reset="earliest")
    consumer.assign([partition])
    async with asyncio.timeout(SECONDS_MAX), consumer:
        await consumer.seek_to_beginning(partition)
        end = (await consumer.end_offsets([partition]))[partition]
        return [(await consumer.getone()).value for _ in range(end)]


@pytest.fixture
def servers(embedded_broker: EmbeddedBroker) -> str:
    return embedded_broker.bootstrap_servers


async def test_queued_writes_are_sent_in_order_once_kafka_is_connected(servers: str, embedded_topic: str) -> None:
    async with producing(servers, embedded_topic) as running:
        answers = [answer for n in range(9) for answer in running.send(b"%d" % n)]
        running.connect()
        assert [(await answer).offset for answer in answers] == list(range(9))
    assert await values(servers, embedded_topic) == [b"%d" % n for n in range(9)]


async def test_timed_out_write_is_never_sent(servers: str, embedded_topic: str) -> None:
    async with producing(servers, embedded_topic, write_seconds_max=0.5) as running:
        (late,) = running.send(b"late")
        with pytest.raises(KafkaUnavailable, match="away"):
            await late
        running.connect()
        written = None
        async with asyncio.timeout(SECONDS_MAX):
            while written is None:
                (answer,) = running.send(b"next")
                try:
                    written = await answer
                except (KafkaUnavailable, WriteOutcomeUnknown):
                    continue
    assert set(await values(servers, embedded_topic)) == {b"next"}


async def test_cancelled_write_is_never_sent(servers: str, embedded_topic: str) -> None:
    async with producing(servers, embedded_topic) as running:
        (waits,) = running.send(b"waits")
        waits.cancel()
        running.connect()
        await running.send(b"first")[0]
        # Cancelled in the turn of the event loop in which it would be sent.
        cancelled, stays = running.send(b"cancelled", b"stays")
        cancelled.cancel()
        assert (await stays).offset == 1
    assert await values(servers, embedded_topic) == [b"first", b"stays"]


async def test_writes_are_accepted_all_or_none(servers: str, embedded_topic: str) -> None:
    async with producing(servers, embedded_topic, writes_max=2) as running:
        with pytest.raises(LimitExceeded):
            running.send(b"1", b"2", b"3")
        running.connect()
        answers = running.producer.send([outgoing(b"4"), outgoing(b"5", partition=1)])
        assert [(await answer).offset for answer in answers] == [0, 0]


async def test_flush_refuses_new_writes_and_waits_for_accepted_ones(servers: str, embedded_topic: str) -> None:
    async with producing(servers, embedded_topic) as running:
        (answer,) = running.send(b"accepted")
        flushing = asyncio.create_task(running.producer.flush(SECONDS_MAX))
        await asyncio.sleep(0)
        with pytest.raises(Unavailable):
            running.send(b"too late")
        assert not flushing.done()
        running.connect()
        await flushing
        assert answer.result().offset == 0


async def test_flush_ends_at_its_time_limit(servers: str, embedded_topic: str) -> None:
    async with producing(servers, embedded_topic) as running:
        (answer,) = running.send(b"never")
        await running.producer.flush(0.05)
        assert not answer.done()
        answer.cancel()


async def test_producer_that_ends_answers_waiting_writes(servers: str, embedded_topic: str) -> None:
    async with producing(servers, embedded_topic) as running:
        (answer,) = running.send(b"never")
    with pytest.raises(KafkaUnavailable):
        await answer


async def test_sent_write_is_unknown_when_the_producer_ends(servers: str, embedded_topic: str) -> None:
    sent = asyncio.Event()

    async def say_nothing(_: ProduceResponse) -> None:
        sent.set()
        await asyncio.get_running_loop().create_future()

    async with proxied(servers, say_nothing) as address, producing(address, embedded_topic) as running:
        running.connect()
        (answer,) = running.send(b"maybe")
        await sent.wait()
        (queued,) = running.send(b"queued")
    with pytest.raises(WriteOutcomeUnknown):
        await answer
    with pytest.raises(KafkaUnavailable, match="has not answered the writes before this one"):
        await queued
    assert await values(servers, embedded_topic) == [b"maybe"]


async def test_writes_to_a_table_that_cannot_go_on_are_refused_at_once_with_the_reason(
    servers: str, embedded_topic: str
) -> None:
    async with producing(servers, embedded_topic) as running, asyncio.timeout(SECONDS_MAX):
        (queued,) = running.send(b"queued")
        running.lifecycle.move(State.STOPPED, "offset 7 cannot be read")
        with pytest.raises(Unavailable, match="offset 7") as refused:
            await queued
        assert refused.value.details["state"] == "STOPPED"
        running.lifecycle.end_offsets = ()
        with pytest.raises(Unavailable, match="offset 7"):
            running.send(b"later")
        with pytest.raises(Unavailable, match="offset 7"):
            running.producer.partition_of(b"key")
        assert len(await values(servers, embedded_topic)) == 0


@pytest.mark.parametrize(("error_code", "error"), [(0, None), (TOO_LARGE, Unavailable)])
async def test_writes_that_were_sent_when_their_table_stopped_have_kafkas_answer_and_are_not_sent_again(
    servers: str, embedded_topic: str, error_code: int, error: type[Exception] | None
) -> None:
    async def stop(response: ProduceResponse) -> bytes:
        running.lifecycle.move(State.STOPPED, "offset 7 cannot be read")
        return response.changed(error_code, response.base_offset)

    async with (
        proxied(servers, stop) as address,
        producing(address, embedded_topic, write_seconds_max=NEVER_SECONDS) as running,
    ):
        running.connect()
        answers = running.send(b"one", b"batch")
        async with asyncio.timeout(SECONDS_MAX):
            results = await asyncio.gather(*answers, return_exceptions=True)
    assert [type(result) for result in results] == [error or Written] * 2


async def test_key_has_no_partition_while_the_topic_is_unknown(servers: str, embedded_topic: str) -> None:
    async with producing(servers, embedded_topic) as running:
        running.lifecycle.end_offsets = ()
        with pytest.raises(KafkaUnavailable, match="away"):
            running.producer.partition_of(b"key")
