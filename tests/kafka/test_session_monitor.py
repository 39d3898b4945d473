"""What is noticed beside reading, by a table that is read from a log that always grows."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from kvs_graphql.kafka.clock import CaughtUp, Clock
from kvs_graphql.kafka.consumer_limits import ConsumerLimits
from kvs_graphql.kafka.consumer_session import TopicChanged
from kvs_graphql.kafka.ingest import BatchLimits
from kvs_graphql.kafka.recovery import LogBounds
from kvs_graphql.kafka.session_monitor import SessionMonitor
from kvs_graphql.kafka.topic import TopicConfiguration, TopicIdentity
from kvs_graphql.records import Batch, Positions
from kvs_graphql.state import Lifecycle
from kvs_graphql.store import Store, WindowLimits
from tests.simulation.world import in_virtual_time, open_inline_store

REFRESH_SECONDS = 30.0
RETENTION_MS = 200_000
PASSES = 20


class VirtualClock(Clock):
    """Clocks that go with the virtual time."""

    def now_ms(self) -> int:
        return int(self.elapsed_ms())

    def elapsed_ms(self) -> float:
        return asyncio.get_running_loop().time() * 1000


class GrowingLog:
    """A session with a log that has grown whenever somebody looks."""

    identity = TopicIdentity(bytes(16), 1)
    configuration = TopicConfiguration(compacted=True, delete_retention_ms=RETENTION_MS)
    bounds = LogBounds((0,), (10,))

    def __init__(self, growth: int) -> None:
        (self.end,) = self.bounds.end
        self.looks = 0
        self._growth = growth

    async def answer(self, questions: object) -> None:
        """Nobody asks."""

    async def verify_topic(self) -> None:
        """The topic stays."""

    async def end_offsets(self) -> Positions:
        self.looks += 1
        self.end += self._growth
        return (self.end,)


async def monitored(directory: Path, *, lag: int, growth: int = 10) -> tuple[Store, GrowingLog]:
    """Watch over a table that is so much behind whenever somebody looks; return it after many looks.

    Raises:
        TopicChanged: The table is judged anew.
    """
    log: Any = GrowingLog(growth)
    async with open_inline_store(directory / "kvs.db", WindowLimits(10, 10, 10)) as store:
        clock = VirtualClock()
        caught_up = CaughtUp(clock)
        await store.begin("topic", bytes(16), (0,))
        await store.caught_up(0)
        caught_up.begin((0,), clock.now())
        limits = ConsumerLimits(BatchLimits(1, 1), 1, REFRESH_SECONDS, 1.0, REFRESH_SECONDS * PASSES, 5.0)
        monitor = SessionMonitor(log, store, Lifecycle(), clock, caught_up, limits)
        watching = asyncio.create_task(monitor.run())
        while log.looks < PASSES and not watching.done():
            await asyncio.sleep(REFRESH_SECONDS / 3)
            if lag < log.end:
                await store.apply(Batch((), (log.end - lag,), 0, 0))
                caught_up.reached(store.positions)
        watching.cancel()
        await asyncio.wait([watching])
        if not watching.cancelled():
            watching.result()
        return store, log


@pytest.mark.parametrize("lag", [0, 5, 15])
@in_virtual_time
async def test_table_that_is_always_a_little_behind_caught_up_lately(tmp_path: Path, lag: int) -> None:
    store, _ = await monitored(tmp_path, lag=lag)
    assert store.source is not None
    now_ms = asyncio.get_running_loop().time() * 1000
    assert now_ms - store.source.caught_up_at < RETENTION_MS


@in_virtual_time
async def test_table_that_is_behind_for_longer_than_tombstones_are_kept_is_judged_anew(tmp_path: Path) -> None:
    with pytest.raises(TopicChanged, match="missed deletes"):
        await monitored(tmp_path, lag=150)


@in_virtual_time
async def test_log_that_ends_before_the_end_that_is_awaited_is_looked_at_anew(tmp_path: Path) -> None:
    """Brokers that name no leader epochs tell nobody otherwise."""
    with pytest.raises(TopicChanged, match="cut short"):
        await monitored(tmp_path, lag=2, growth=-1)
