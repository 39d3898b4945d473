"""What a producer session says about a batch is true: refused ones are never in the log, lost answers are unknown.

A proxy in front of the broker loses or changes its answers.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka.errors import MessageSizeTooLargeError

from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.kafka.connection import KafkaConnection
from kvs_graphql.kafka.producer_session import Acknowledged, ProducerSession, Refused, Unanswered
from kvs_graphql.records import Outgoing
from kvs_graphql.state import State
from tests.deadline import SECONDS_MAX
from tests.kafka.broker import KafkaBroker
from tests.kafka.proxy import ProduceResponse, proxied
from tests.kafka.truth import read_log
from tests.serving import serving

NO_ERROR, MESSAGE_TOO_LARGE, DUPLICATE_SEQUENCE_NUMBER = 0, 10, 46
VALUE = bytes(5_000)
LESS_THAN_VALUE = "1000"
SET = 'mutation ($value: String!) { set(key: "key", value: $value) { offset } }'


@asynccontextmanager
async def connected(servers: str, topic: str) -> AsyncIterator[ProducerSession]:
    """A session that is ready to send to partition 0."""
    session = ProducerSession(KafkaConnection(servers), topic, batch_bytes_max=100_000)
    try:
        async with asyncio.timeout(SECONDS_MAX):
            await session.open()
            while not await session.ready(0):
                pass
            yield session
    finally:
        await session.close()


async def send(session: ProducerSession) -> Acknowledged:
    return await session.send(session.batch([Outgoing(b"key", VALUE, (), 0, 1_000)]), 0)


def values(broker: KafkaBroker, topic: str) -> list[bytes | None]:
    return [record.value for record in read_log(broker.bootstrap_servers, topic)[0]]


class Loser:
    """Loses the answer to the first Produce request, once the broker has handled it."""

    def __init__(self) -> None:
        self.error_codes: list[int] = []
        """Those of all answers of the broker."""

    async def answer(self, response: ProduceResponse) -> bytes | None:
        self.error_codes.append(response.error_code)
        if len(self.error_codes) > 1:
            return response.frame
        await self.after_first()
        return None

    async def after_first(self) -> None:
        """Called before the connection of the lost answer is closed."""


class ShrinkingLoser(Loser):
    """Have the broker refuse the second attempt, although it has the batch from the first one."""

    def __init__(self, broker: KafkaBroker, topic: str) -> None:
        super().__init__()
        self._broker = broker
        self._topic = topic

    async def after_first(self) -> None:
        await asyncio.to_thread(self._broker.alter_topic, self._topic, max_message_bytes=LESS_THAN_VALUE)


@pytest.mark.kafka
async def test_refusal_of_the_first_attempt_is_refused_and_never_in_the_log(
    kafka_broker: KafkaBroker, topic: str
) -> None:
    kafka_broker.create_topic(topic, 1, max_message_bytes=LESS_THAN_VALUE)
    async with connected(kafka_broker.bootstrap_servers, topic) as session:
        with pytest.raises(Refused) as refused:
            await send(session)
        assert isinstance(refused.value.error, MessageSizeTooLargeError)
        assert session.failed
    # If aiokafka still retried the refused batch, it would be written now.
    kafka_broker.alter_topic(topic, max_message_bytes="1000000")
    async with connected(kafka_broker.bootstrap_servers, topic) as session:
        assert (await send(session)).base_offset == 0
    assert values(kafka_broker, topic) == [VALUE]


@pytest.mark.kafka
async def test_refusal_of_a_later_attempt_is_unanswered_because_the_first_was_written(
    kafka_broker: KafkaBroker, topic: str
) -> None:
    kafka_broker.create_topic(topic, 1)
    loser = ShrinkingLoser(kafka_broker, topic)
    async with (
        proxied(kafka_broker.bootstrap_servers, loser.answer) as servers,
        connected(servers, topic) as session,
    ):
        with pytest.raises(Unanswered):
            await send(session)
        assert session.failed
    assert loser.error_codes == [NO_ERROR, MESSAGE_TOO_LARGE]
    assert values(kafka_broker, topic) == [VALUE]


@pytest.mark.kafka
async def test_lost_answer_is_asked_for_again_and_the_batch_is_in_the_log_once(
    kafka_broker: KafkaBroker, topic: str
) -> None:
    kafka_broker.create_topic(topic, 1)
    loser = Loser()
    async with (
        proxied(kafka_broker.bootstrap_servers, loser.answer) as servers,
        connected(servers, topic) as session,
    ):
        assert (await send(session)).base_offset == 0
        assert (await send(session)).base_offset == 1
    assert loser.error_codes == [NO_ERROR] * 3
    assert values(kafka_broker, topic) == [VALUE, VALUE]


@pytest.mark.kafka
async def test_client_is_told_that_a_write_refused_on_its_second_attempt_may_be_in_kafka(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    kafka_broker.create_topic(topic, 1)
    loser = ShrinkingLoser(kafka_broker, topic)
    limits = {"enable_writes": True, "write_seconds_max": 60}
    async with (
        proxied(kafka_broker.bootstrap_servers, loser.answer) as servers,
        serving(servers, topic, tmp_path, **limits) as served,
    ):
        async with asyncio.timeout(SECONDS_MAX):
            await served.state(State.LIVE)
        assert await served.code(SET, value=VALUE.decode()) == "WRITE_OUTCOME_UNKNOWN"
        assert await served.code(SET, value=VALUE.decode()) == "VALUE_TOO_LARGE"
    assert loser.error_codes == [NO_ERROR, MESSAGE_TOO_LARGE, MESSAGE_TOO_LARGE]
    assert values(kafka_broker, topic) == [VALUE]


async def test_duplicate_without_an_offset_is_unanswered(embedded_broker: EmbeddedBroker, embedded_topic: str) -> None:
    async def forget_offset(response: ProduceResponse) -> bytes:
        return response.changed(DUPLICATE_SEQUENCE_NUMBER, -1)

    async with (
        proxied(embedded_broker.bootstrap_servers, forget_offset) as servers,
        connected(servers, embedded_topic) as session,
    ):
        with pytest.raises(Unanswered, match="no longer knows its offset"):
            await send(session)
        assert session.failed
