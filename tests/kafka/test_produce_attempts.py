"""Every attempt of a batch is counted, whether or not the broker's answer arrives."""

import asyncio

from aiokafka import AIOKafkaProducer, TopicPartition

from kvs_graphql.compat.aiokafka import producer_client
from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.kafka.produce_attempts import ProduceAttempts
from tests.deadline import SECONDS_MAX
from tests.kafka.proxy import ProduceResponse, proxied

LOST_ANSWERS = 2


async def test_attempts_are_counted_for_each_batch(embedded_broker: EmbeddedBroker, embedded_topic: str) -> None:
    answers = 0

    async def lose_first(response: ProduceResponse) -> bytes | None:
        nonlocal answers
        answers += 1
        return None if answers <= LOST_ANSWERS else response.frame

    partition = TopicPartition(embedded_topic, 0)
    async with (
        asyncio.timeout(SECONDS_MAX),
        proxied(embedded_broker.bootstrap_servers, lose_first) as servers,
        AIOKafkaProducer(bootstrap_servers=servers, enable_idempotence=True) as producer,
    ):
        attempts = ProduceAttempts(producer_client(producer))
        assert attempts.count(partition) == 0
        await producer.send_and_wait(embedded_topic, b"value", partition=0)
        assert attempts.count(partition) == LOST_ANSWERS + 1
        attempts.begin(partition)
        await producer.send_and_wait(embedded_topic, b"value", partition=0)
        assert attempts.count(partition) == 1
        assert attempts.count(TopicPartition(embedded_topic, 1)) == 0
