"""The consumer waits for Kafka as long as it takes, and ends when it is cancelled."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest
from aiokafka.errors import KafkaConnectionError

from kvs_graphql.cursor import NO_TOPIC_ID, Cursor
from kvs_graphql.errors import Unwritable
from kvs_graphql.feed import Feed, LogBudget
from kvs_graphql.kafka.connection import KafkaConnection
from kvs_graphql.kafka.consumer import Consumer
from kvs_graphql.kafka.consumer_limits import ConsumerLimits
from kvs_graphql.kafka.consumer_session import ConsumerSession, TopicChanged
from kvs_graphql.kafka.ingest import BatchLimits
from kvs_graphql.kafka.precedence import Precedence
from kvs_graphql.metrics import Metrics
from kvs_graphql.state import Lifecycle, State
from kvs_graphql.store import WindowLimits, open_store
from tests.deadline import SECONDS_MAX

ATTEMPTS = 10


@asynccontextmanager
async def consuming(directory: Path) -> AsyncIterator[tuple[asyncio.Task[None], Lifecycle]]:
    """Run a consumer that no broker answers."""
    lifecycle = Lifecycle()
    async with open_store(directory / "kvs.db", WindowLimits(1, 1, 1), readers=1) as store:
        feed = Feed(Cursor(NO_TOPIC_ID, ()), LogBudget(changes_max=1, bytes_max=1))
        limits = ConsumerLimits(BatchLimits(1, 1), 1, 1.0, 0.001, 1.0, clock_difference_seconds_max=1.0)
        consumer = Consumer(
            KafkaConnection("127.0.0.1:1"),
            "topic",
            store,
            feed,
            lifecycle,
            Metrics().of_table(""),
            limits,
            Precedence(),
        )
        running = asyncio.create_task(consumer.run())
        async with asyncio.timeout(SECONDS_MAX):
            yield running, lifecycle
            running.cancel()
            await asyncio.wait([running])


async def test_consumer_keeps_trying_while_no_broker_answers(tmp_path: Path) -> None:
    async with consuming(tmp_path) as (running, lifecycle):
        while lifecycle.refreshes.begun < ATTEMPTS:  # noqa: ASYNC110 - a failed attempt wakes nobody
            await asyncio.sleep(0)
        assert not running.done()
        assert lifecycle.moment.state is State.WAITING_FOR_BROKER
        assert lifecycle.moment.reason == "127.0.0.1:1: connection refused"


@pytest.mark.parametrize("failure", [KafkaConnectionError("lost"), TopicChanged("a new leader"), Unwritable("full")])
async def test_consumer_ends_though_its_session_fails_as_it_is_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    opened = asyncio.Event()

    @asynccontextmanager
    async def failing(*_: object, **__: object) -> AsyncIterator[ConsumerSession]:
        try:
            opened.set()
            await asyncio.Event().wait()
            yield cast("ConsumerSession", None)
        finally:
            raise failure

    monkeypatch.setattr("kvs_graphql.kafka.consumer.open_session", failing)
    async with consuming(tmp_path) as (running, _):
        await opened.wait()
    assert running.cancelled()
