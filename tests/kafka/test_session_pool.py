"""One session is in use, only while Kafka is connected, and a failed one is replaced."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiokafka.errors import KafkaConnectionError

from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.kafka.connection import KafkaConnection
from kvs_graphql.kafka.producer_session import NotSent, ProducerSession
from kvs_graphql.kafka.session_pool import SessionPool
from kvs_graphql.state import Lifecycle, State
from tests.deadline import SECONDS_MAX
from tests.kafka.writes import outgoing


@asynccontextmanager
async def pooling(broker: EmbeddedBroker, topic: str) -> AsyncIterator[tuple[SessionPool, Lifecycle]]:
    """A pool, and the state that it goes by."""
    lifecycle, refusals = Lifecycle(), list[str]()
    pool = SessionPool(KafkaConnection(broker.bootstrap_servers), topic, 1.0, refusals.append)
    lifecycle.listen(pool.on_moment)
    try:
        async with asyncio.timeout(SECONDS_MAX):
            yield pool, lifecycle
    finally:
        await pool.close()
    assert refusals == []


async def test_partitions_share_one_session(embedded_broker: EmbeddedBroker, embedded_topic: str) -> None:
    async with pooling(embedded_broker, embedded_topic) as (pool, lifecycle):
        lifecycle.move(State.CATCHING_UP, "there")
        first, second, third = await asyncio.gather(*(pool.ready(partition) for partition in range(3)))
        assert first is second is third


async def test_session_is_handed_out_only_while_connected(embedded_broker: EmbeddedBroker, embedded_topic: str) -> None:
    async with pooling(embedded_broker, embedded_topic) as (pool, lifecycle):
        lifecycle.move(State.CATCHING_UP, "there")
        await pool.ready(0)
        lifecycle.move(State.WAITING_FOR_BROKER, "away")
        waiting = asyncio.ensure_future(pool.ready(0))
        for _ in range(100):
            await asyncio.sleep(0)
        assert not waiting.done()
        lifecycle.move(State.REBUILDING, "there again")
        await waiting


async def test_failed_session_is_replaced_and_closed_once_its_batches_have_outcomes(
    embedded_broker: EmbeddedBroker, embedded_topic: str
) -> None:
    async with pooling(embedded_broker, embedded_topic) as (pool, lifecycle):
        lifecycle.move(State.CATCHING_UP, "there")
        failed = await pool.ready(0)
        failed.failed = True
        failed.in_use += 1
        assert await pool.ready(0) is not failed
        await pool.close_failed()
        acknowledged = await failed.send(failed.batch([outgoing(b"still open")]), 0)
        assert acknowledged.base_offset == 0
        failed.in_use -= 1
        await pool.close_failed()
        with pytest.raises(NotSent):
            await failed.send(failed.batch([outgoing(b"closed")]), 0)


async def test_later_sessions_build_smaller_batches(embedded_broker: EmbeddedBroker, embedded_topic: str) -> None:
    writes = [outgoing(bytes(20_000))] * 3
    async with pooling(embedded_broker, embedded_topic) as (pool, lifecycle):
        lifecycle.move(State.CATCHING_UP, "there")
        session = await pool.ready(0)
        assert session.batch(writes).record_count() == 3
        pool.shrink_batches()
        assert session.batch(writes).record_count() == 3, "an open session keeps its size"
        session.failed = True
        assert (await pool.ready(0)).batch(writes).record_count() == 1


async def test_pool_that_opens_a_session_ends_though_that_fails_as_it_is_cancelled(
    monkeypatch: pytest.MonkeyPatch, embedded_broker: EmbeddedBroker, embedded_topic: str
) -> None:
    opening = asyncio.Event()

    async def fail(_: ProducerSession) -> None:
        try:
            opening.set()
            await asyncio.Event().wait()
        finally:
            raise KafkaConnectionError("lost")

    monkeypatch.setattr(ProducerSession, "open", fail)
    async with pooling(embedded_broker, embedded_topic) as (pool, lifecycle):
        lifecycle.move(State.CATCHING_UP, "there")
        waiting = asyncio.create_task(pool.ready(0))
        await opening.wait()
        waiting.cancel()
        await asyncio.wait([waiting])
        assert waiting.cancelled()
