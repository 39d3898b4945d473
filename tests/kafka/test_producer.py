"""What waits in the producer's queue, with a state machine that the test moves, and the embedded broker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import RecordMetadata

from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.errors import KafkaUnavailable, LimitExceeded, Unavailable, WriteOutcomeUnknown
from kvs_graphql.kafka.connection import KafkaConnection
from kvs_graphql.kafka.handover import Handover, Unanswered
from kvs_graphql.kafka.producer import Producer, ProducerLimits
from kvs_graphql.metrics import Metrics
from kvs_graphql.records import Outgoing
from kvs_graphql.state import Lifecycle, State

SECONDS_MAX = 20.0


@dataclass(frozen=True)
class Bench:
    """A running producer, and the state that it goes by."""

    producer: Producer
    lifecycle: Lifecycle
    topic: str
    servers: str

    def kafka_is_there(self) -> None:
        self.lifecycle.move(State.CATCHING_UP, "there")

    def kafka_is_away(self) -> None:
        self.lifecycle.move(State.WAITING_FOR_BROKER, "away")

    async def values(self, number: int) -> list[bytes]:
        """The values of partition 0, of which there are so many, by an independent reader."""
        place = TopicPartition(self.topic, 0)
        consumer = AIOKafkaConsumer(bootstrap_servers=self.servers, auto_offset_reset="earliest")
        consumer.assign([place])
        async with asyncio.timeout(SECONDS_MAX), consumer:
            await consumer.seek_to_beginning(place)
            found = [(await consumer.getone()).value for _ in range(number)]
            assert (await consumer.end_offsets([place]))[place] == number
        return found


@asynccontextmanager
async def producing(broker: EmbeddedBroker, topic: str, **limits: Any) -> AsyncIterator[Bench]:
    """A producer that finds Kafka away."""
    lifecycle = Lifecycle()
    lifecycle.end_offsets = (0, 0, 0)
    found = {"writes_max": 100, "bytes_max": 10_000, "write_seconds_max": SECONDS_MAX, "retry_seconds_max": 1.0}
    connection = KafkaConnection(broker.bootstrap_servers)
    producer = Producer(connection, topic, lifecycle, Metrics(), ProducerLimits(**{**found, **limits}))
    bench = Bench(producer, lifecycle, topic, broker.bootstrap_servers)
    bench.kafka_is_away()
    running = asyncio.create_task(producer.run())
    await asyncio.sleep(0)
    try:
        yield bench
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def write(value: bytes, partition: int = 0) -> Outgoing:
    return Outgoing(b"key", value, (), partition, 1_000)


async def test_what_waits_goes_in_order_once_kafka_is_there(
    embedded_broker: EmbeddedBroker, embedded_topic: str
) -> None:
    async with producing(embedded_broker, embedded_topic) as bench:
        answers = [answer for n in range(9) for answer in bench.producer.send([write(b"%d" % n)])]
        bench.kafka_is_there()
        assert [(await answer).offset for answer in answers] == list(range(9))
        assert await bench.values(9) == [b"%d" % n for n in range(9)]


async def test_a_write_whose_time_is_up_is_never_sent(embedded_broker: EmbeddedBroker, embedded_topic: str) -> None:
    async with producing(embedded_broker, embedded_topic, write_seconds_max=0.05) as bench:
        (answer,) = bench.producer.send([write(b"late")])
        with pytest.raises(KafkaUnavailable, match="away"):
            await answer
        bench.kafka_is_there()
        async with asyncio.timeout(SECONDS_MAX):
            while True:
                (next_one,) = bench.producer.send([write(b"next")])
                try:
                    assert (await next_one).offset == 0
                    break
                except KafkaUnavailable:
                    continue
        assert await bench.values(1) == [b"next"]


async def test_a_write_whose_writer_has_gone_is_never_sent(
    embedded_broker: EmbeddedBroker, embedded_topic: str
) -> None:
    async with producing(embedded_broker, embedded_topic) as bench:
        (waits,) = bench.producer.send([write(b"waits")])
        waits.cancel()
        bench.kafka_is_there()
        await bench.producer.send([write(b"first")])[0]
        # Gone in the very turn in which it would have been handed over.
        gone, stays = bench.producer.send([write(b"gone"), write(b"stays")])
        gone.cancel()
        assert (await stays).offset == 1
        assert await bench.values(2) == [b"first", b"stays"]


async def test_what_is_taken_back_makes_room(embedded_broker: EmbeddedBroker, embedded_topic: str) -> None:
    async with producing(embedded_broker, embedded_topic, writes_max=1, write_seconds_max=0.05) as bench:
        (first,) = bench.producer.send([write(b"1")])
        with pytest.raises(LimitExceeded, match="1 writes"):
            bench.producer.send([write(b"2")])
        first.cancel()
        await asyncio.sleep(0)
        (third,) = bench.producer.send([write(b"3")])
        with pytest.raises(KafkaUnavailable):
            await third
        await asyncio.sleep(0)
        bench.producer.send([write(b"4")])[0].cancel()


async def test_several_writes_are_taken_whole_or_not_at_all(
    embedded_broker: EmbeddedBroker, embedded_topic: str
) -> None:
    async with producing(embedded_broker, embedded_topic, writes_max=2) as bench:
        with pytest.raises(LimitExceeded):
            bench.producer.send([write(b"1"), write(b"2", 1), write(b"3", 2)])
        bench.kafka_is_there()
        answers = bench.producer.send([write(b"1"), write(b"2", 1)])
        assert [(await answer).offset for answer in answers] == [0, 0]


async def test_flushing_takes_nothing_new_and_waits_for_what_was_taken(
    embedded_broker: EmbeddedBroker, embedded_topic: str
) -> None:
    async with producing(embedded_broker, embedded_topic) as bench:
        (answer,) = bench.producer.send([write(b"taken")])
        flushing = asyncio.create_task(bench.producer.flush(SECONDS_MAX))
        await asyncio.sleep(0)
        with pytest.raises(Unavailable):
            bench.producer.send([write(b"too late")])
        assert not flushing.done()
        bench.kafka_is_there()
        await flushing
        assert answer.result().offset == 0


async def test_flushing_is_bounded_and_the_end_answers_whoever_waits(
    embedded_broker: EmbeddedBroker, embedded_topic: str
) -> None:
    async with producing(embedded_broker, embedded_topic) as bench:
        (answer,) = bench.producer.send([write(b"never")])
        await bench.producer.flush(0.05)
        assert not answer.done()
    with pytest.raises(KafkaUnavailable):
        await answer


async def test_a_write_that_kafka_was_handed_is_unknown_when_the_producer_ends(
    embedded_broker: EmbeddedBroker, embedded_topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed_over = asyncio.Event()

    async def silence(*_: object) -> None:
        handed_over.set()
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(Handover, "send", silence)
    async with producing(embedded_broker, embedded_topic) as bench:
        bench.kafka_is_there()
        (answer,) = bench.producer.send([write(b"maybe")])
        await handed_over.wait()
    with pytest.raises(WriteOutcomeUnknown):
        await answer


async def test_a_duplicate_without_an_offset_is_no_success(
    embedded_broker: EmbeddedBroker, embedded_topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No broker at hand gives this answer, so the one that came is changed on its way."""
    handover = Handover(KafkaConnection(embedded_broker.bootstrap_servers), embedded_topic, batch_bytes_max=100)
    try:
        await handover.open()
        send_batch = handover._producer.send_batch

        async def without_offset(*arguments: Any, **named: Any) -> asyncio.Future[RecordMetadata]:
            answer = await send_batch(*arguments, **named)

            async def changed() -> RecordMetadata:
                return (await answer)._replace(offset=-1)

            return asyncio.ensure_future(changed())

        monkeypatch.setattr(handover._producer, "send_batch", without_offset)
        with pytest.raises(Unanswered, match="no longer knows where"):
            await handover.send(handover.batch([write(b"twice")]), 0)
        assert handover.spent
    finally:
        await handover.close()


async def test_without_a_known_topic_there_is_no_partition(
    embedded_broker: EmbeddedBroker, embedded_topic: str
) -> None:
    async with producing(embedded_broker, embedded_topic) as bench:
        bench.lifecycle.end_offsets = ()
        with pytest.raises(KafkaUnavailable, match="away"):
            bench.producer.partition_of(b"key")
