"""What ends the reading of a topic, and what the table's state then names."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import pytest

from kvs_graphql.state import State
from kvs_graphql.store import WindowLimits
from tests.simulation.cluster import RETENTION_MS, Cluster
from tests.simulation.replicas import REFRESH_SECONDS, JumpingClock, Replica
from tests.simulation.world import in_virtual_time


@asynccontextmanager
async def replicating(monkeypatch: pytest.MonkeyPatch, directory: Path) -> AsyncIterator[tuple[Cluster, Replica]]:
    """Run a replica that has caught up, and whose clock is right."""
    cluster = Cluster(Random(1))
    monkeypatch.setattr("kvs_graphql.kafka.consumer.open_session", cluster.open_session)
    monkeypatch.setattr(JumpingClock, "jump", lambda clock: setattr(clock, "_ahead_ms", 0.0))
    replica = Replica(Random(1), cluster, directory / "kvs.db", WindowLimits(10, 1_000, 10))
    await replica.start()
    await until(replica, State.LIVE)
    yield cluster, replica
    await replica.stop()


async def until(replica: Replica, *states: State) -> State:
    """Wait for one of these states; return it."""
    entered: asyncio.Future[State] = asyncio.get_running_loop().create_future()
    replica.lifecycle.listen(
        lambda moment: None if entered.done() or moment.state not in states else entered.set_result(moment.state)
    )
    return await entered


@in_virtual_time
async def test_connection_that_is_lost_while_records_are_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with replicating(monkeypatch, tmp_path) as (cluster, replica):
        cluster.reachable = False
        await until(replica, State.WAITING_FOR_BROKER)
        assert replica.lifecycle.moment.reason == "kvs: the brokers are away"


@pytest.mark.parametrize(("away_seconds", "state"), [(30, State.LIVE), (50, State.REBUILDING)])
@in_virtual_time
async def test_table_is_rebuilt_if_its_reading_ends_later_than_tombstones_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, away_seconds: int, state: State
) -> None:
    async with replicating(monkeypatch, tmp_path) as (cluster, replica):
        await replica.stop()
        cluster.write(5)
        await asyncio.sleep(away_seconds)
        cluster.halted.add(replica.name)
        await replica.start()
        await until(replica, State.CATCHING_UP)
        await asyncio.sleep(REFRESH_SECONDS - 5)
        assert replica.lifecycle.moment.state is State.CATCHING_UP, "it may still go on"
        assert away_seconds < RETENTION_MS / 1000
        cluster.halted.clear()
        cluster.tell()
        assert await until(replica, State.LIVE, State.REBUILDING) is state
