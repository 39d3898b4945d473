"""A table that catches up gives way to the short commits of others, and to none for long."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from kvs_graphql.feed import Feed, LogBudget
from kvs_graphql.kafka.connection import KafkaConnection
from kvs_graphql.kafka.consumer import Consumer
from kvs_graphql.kafka.consumer_limits import ConsumerLimits
from kvs_graphql.kafka.ingest import BatchLimits
from kvs_graphql.kafka.precedence import Precedence
from kvs_graphql.metrics import Metrics
from kvs_graphql.records import Batch, Commit
from kvs_graphql.state import Lifecycle, State
from kvs_graphql.store import WindowLimits
from tests.simulation.cluster import TOPIC, Cluster
from tests.simulation.world import InlineStore, in_virtual_time, open_inline_store

LIMITS = ConsumerLimits(BatchLimits(1, 1_000), 1, 1_000.0, 1.0, 1_000.0, clock_difference_seconds_max=1.0)
ROOMY = replace(LIMITS, batch=BatchLimits(5_000, 1_000_000))
GIVING_WAY_SECONDS = 0.02
COMMIT_SECONDS = 0.019
NEAR_SECONDS = 1.0
HUNG_SECONDS = 5.0
RECORDS = 200


def now() -> float:
    return asyncio.get_running_loop().time()


async def until(found: Callable[[], bool]) -> None:
    """Wait in virtual time."""
    while not found():  # noqa: ASYNC110 - no event tells of what a store has committed
        await asyncio.sleep(0.001)


@in_virtual_time
async def test_nobody_waits_while_no_short_commit_is_under_way() -> None:
    precedence = Precedence()
    await precedence.give_way()
    with precedence.short_commit(object()):
        pass
    await precedence.give_way()
    assert now() == 0


@in_virtual_time
async def test_short_commit_is_waited_for_until_it_ends() -> None:
    precedence, order = Precedence(), []

    async def others() -> None:
        await precedence.give_way()
        order.append("others")

    with precedence.short_commit(object()):
        waiting = asyncio.create_task(others())
        await asyncio.sleep(COMMIT_SECONDS)
        order.append("short")
    await waiting
    assert order == ["short", "others"]


@in_virtual_time
async def test_of_several_short_commits_one_is_waited_for() -> None:
    precedence = Precedence()
    with precedence.short_commit(object()):
        with precedence.short_commit(object()):
            waiting = asyncio.create_task(precedence.give_way())
            await asyncio.sleep(0.001)
        await waiting
        assert now() == 0.001


@in_virtual_time
async def test_commit_that_hangs_is_waited_for_once_and_not_for_long() -> None:
    precedence = Precedence()
    with precedence.short_commit(object()):
        for _ in range(RECORDS):
            await precedence.give_way()
        assert now() == GIVING_WAY_SECONDS


@in_virtual_time
async def test_a_process_is_shared_with_tables_that_committed_a_few_records_of_late() -> None:
    precedence, one, other = Precedence(), object(), object()

    def shared() -> list[bool]:
        return [precedence.is_shared(table) for table in (one, other, object())]

    assert shared() == [False, False, False]
    for expected in ([False, True, True], [False, True, True]):
        with precedence.short_commit(one):
            pass
        assert shared() == expected
    await asyncio.sleep(NEAR_SECONDS / 2)
    with precedence.short_commit(other):
        pass
    with precedence.short_commit(other):
        pass
    assert shared() == [True, True, True]
    await asyncio.sleep(NEAR_SECONDS / 2)
    assert shared() == [True, False, True]
    await asyncio.sleep(NEAR_SECONDS / 2)
    assert shared() == [False, False, False]


class Beside:
    """Two tables of one process: one commits a record now and then, slowly; the other one catches up meanwhile."""

    def __init__(self, commit_seconds: float) -> None:
        self.clusters = {name: Cluster(Random(1)) for name in ("slow", "behind")}
        self.read_during_commits: list[int] = []
        self._commit_seconds = commit_seconds
        self._read = 0
        self.asked_for: list[int] = []
        """How many records the second table wanted at most by each fetch."""

    @asynccontextmanager
    async def open_session(self, connection: KafkaConnection, name: str, **limits: Any) -> AsyncIterator[Any]:
        """Replaces `consumer_session.open_session`, and counts what the second table reads."""
        async with self.clusters[connection.bootstrap_servers].open_session(connection, name, **limits) as session:
            if connection.bootstrap_servers == "behind":
                self._count(session.consumer)
            yield session

    def _count(self, consumer: Any) -> None:
        getmany = consumer.getmany

        async def counted(*partitions: Any, **options: Any) -> Any:
            fetched = await getmany(*partitions, **options)
            self._read += sum(map(len, fetched.values()))
            self.asked_for.append(options["max_records"])
            return fetched

        consumer.getmany = counted

    def slow_down(self, store: InlineStore) -> None:
        """Let the table's commits take a while."""
        apply = store.apply

        async def slowly(batch: Batch) -> Commit:
            before = self._read
            await asyncio.sleep(self._commit_seconds)
            self.read_during_commits.append(self._read - before)
            return await apply(batch)

        store.apply = slowly  # type: ignore[method-assign]


@asynccontextmanager
async def consuming(
    path: Path, precedence: Precedence, limits: ConsumerLimits = LIMITS
) -> AsyncIterator[tuple[InlineStore, Lifecycle]]:
    """Run a consumer; by default, it takes one record at a time."""
    async with open_inline_store(path, WindowLimits(10, 1_000, 10)) as store:
        feed, lifecycle = Feed(store.cursor, LogBudget(changes_max=10, bytes_max=1_000)), Lifecycle()
        connection, metrics = KafkaConnection(path.stem), Metrics().of_table("")
        consumer = Consumer(connection, TOPIC, store, feed, lifecycle, metrics, limits, precedence)
        running = asyncio.create_task(consumer.run())
        yield store, lifecycle
        running.cancel()
        await asyncio.wait([running])


@pytest.mark.parametrize("commit_seconds", [COMMIT_SECONDS, HUNG_SECONDS])
@in_virtual_time
async def test_table_that_catches_up_reads_nothing_while_another_one_commits_a_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, commit_seconds: float
) -> None:
    beside, precedence = Beside(commit_seconds), Precedence()
    monkeypatch.setattr("kvs_graphql.kafka.consumer.open_session", beside.open_session)
    slow, behind = beside.clusters.values()
    async with (
        consuming(tmp_path / "slow", precedence) as (store, lifecycle),
        consuming(tmp_path / "behind", precedence) as (large, _),
    ):
        await until(lambda: lifecycle.moment.state is State.LIVE)
        beside.slow_down(store)
        behind.write(RECORDS)
        slow.write(1)
        await until(lambda: large.positions == behind.log.end and store.positions == slow.log.end)
    (read,) = beside.read_during_commits
    # What was on its way may still arrive. A commit that hangs is soon waited for no more.
    assert read <= 2 if commit_seconds == COMMIT_SECONDS else read == RECORDS


@pytest.mark.parametrize(("changes", "most"), [(0, 1_000), (1, 250)])
@in_virtual_time
async def test_table_that_catches_up_takes_fewer_records_at_once_while_others_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: int, most: int
) -> None:
    beside, precedence = Beside(0), Precedence()
    monkeypatch.setattr("kvs_graphql.kafka.consumer.open_session", beside.open_session)
    slow, behind = beside.clusters.values()
    behind.write(RECORDS)
    async with consuming(tmp_path / "slow", precedence) as (store, lifecycle):
        await until(lambda: lifecycle.moment.state is State.LIVE)
        await asyncio.sleep(NEAR_SECONDS)
        slow.write(changes)
        await until(lambda: store.positions == slow.log.end)
        async with consuming(tmp_path / "behind", precedence, ROOMY) as (large, _):
            await until(lambda: large.positions == behind.log.end)
    assert beside.asked_for[0] == most
