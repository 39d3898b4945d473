"""The consumer waits for Kafka, for however long it takes."""

import asyncio
from pathlib import Path

from kvs_graphql.cursor import NO_TOPIC_ID, Cursor
from kvs_graphql.feed import Feed, LogBudget
from kvs_graphql.kafka.connection import KafkaConnection
from kvs_graphql.kafka.consumer import Consumer
from kvs_graphql.kafka.consumer_limits import ConsumerLimits
from kvs_graphql.kafka.ingest import BatchLimits
from kvs_graphql.metrics import Metrics
from kvs_graphql.state import Lifecycle, State
from kvs_graphql.store import WindowLimits, open_store
from tests.deadline import SECONDS_MAX

ATTEMPTS = 10


async def test_consumer_keeps_trying_while_no_broker_answers(tmp_path: Path) -> None:
    lifecycle = Lifecycle()
    async with open_store(tmp_path / "kvs.db", WindowLimits(1, 1, 1), readers=1) as store:
        feed = Feed(Cursor(NO_TOPIC_ID, ()), LogBudget(changes_max=1, bytes_max=1))
        limits = ConsumerLimits(BatchLimits(1, 1), 1, 1.0, 0.001, 1.0, clock_difference_seconds_max=1.0)
        consumer = Consumer(
            KafkaConnection("127.0.0.1:1"), "topic", store, feed, lifecycle, Metrics().of_table(""), limits
        )
        consuming = asyncio.create_task(consumer.run())
        async with asyncio.timeout(SECONDS_MAX):
            while lifecycle.refreshes.begun < ATTEMPTS:  # noqa: ASYNC110 - a failed attempt wakes nobody
                await asyncio.sleep(0)
        assert not consuming.done()
        assert lifecycle.moment.state is State.WAITING_FOR_BROKER
        assert lifecycle.moment.reason == "127.0.0.1:1: connection refused"
        consuming.cancel()
        await asyncio.wait([consuming])
