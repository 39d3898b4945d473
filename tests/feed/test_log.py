"""The log holds recent commits within its limits, and finds the index of any positions."""

import asyncio
import tracemalloc
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvs_graphql.feed import Sink, WatcherState
from kvs_graphql.feed.log import CommitLog, LogBudget
from kvs_graphql.records import Commit, Interest, Record
from tests.feed.source import EVERYTHING, MANY, Source, taken

TOPIC_ID = bytes(16)


def log_of(*ends: int, changes_max: int = 100) -> CommitLog:
    """Return a log of one partition: a commit of one change up to each end, with gaps of offsets between them."""
    budget = LogBudget(changes_max=changes_max, bytes_max=10_000)
    log = CommitLog((0,), budget, lambda _: None)
    before = 0
    for end in ends:
        log.append(TOPIC_ID, Commit((before,), (end,), [Record(b"k", b"v", 0, end - 1, None, None)], 2))
        before = end
    budget.trim()
    return log


@pytest.mark.parametrize(("changes_max", "bytes_max"), [(1, 10**6), (10**6, 1)])
async def test_log_keeps_to_limits_of_one(changes_max: int, bytes_max: int) -> None:
    source = Source(changes_max=changes_max, bytes_max=bytes_max)
    with source.feed.watch(EVERYTHING, (0, 0)) as watcher:
        source.publish((0, b"a", b"1"), (0, b"b", b"2"))
        assert not watcher.take(10, MANY)
        assert watcher.state is WatcherState.FELL_BEHIND
        assert watcher.positions == (0, 0)
    assert not source.feed.holds((0, 0))
    assert source.feed.holds((2, 0))


@pytest.mark.parametrize(("position", "index"), [(0, 0), (1, 0), (2, 1), (4, 1), (5, 2), (9, 3), (12, 3)])
def test_index_is_that_of_the_first_commit_with_news(position: int, index: int) -> None:
    assert log_of(2, 5, 9).index_of((position,)) == index


def test_dropped_commits_keep_the_indexes_of_the_others() -> None:
    log = log_of(2, 5, 9, changes_max=1)
    assert (log.first, log.end) == (2, 3)
    newest = log.at(2)
    assert newest is not None
    assert newest.commit.after == (9,)
    assert log.at(3) is None
    assert not log.holds((4,))
    assert log.holds((5,))


def test_cleared_log_goes_on_from_new_positions_with_new_indexes() -> None:
    log = log_of(2, 5)
    log.clear((7,))
    assert (log.first, log.end, log.positions) == (2, 2, (7,))
    assert not log.holds((6,))
    assert log.holds((7,))


def test_synced_watchers_take_the_same_update_objects() -> None:
    source = Source()
    with source.feed.watch(EVERYTHING, (0, 0)) as one, source.feed.watch(EVERYTHING, (0, 0)) as other:
        source.publish((0, b"a", b"1"))
        assert one.state is WatcherState.UNREAD
        assert one.take(1, MANY)[0] is other.take(1, MANY)[0]


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize(("records", "value_bytes", "partitions"), [(2_000, 1, 1), (100, 100_000, 1), (300, 1, 1_000)])
async def test_all_that_the_feed_keeps_of_records_fits_into_its_bytes(
    records: int, value_bytes: int, partitions: int
) -> None:
    bytes_max = 500_000
    source = Source(changes_max=MANY, bytes_max=bytes_max, positions=(1_000,) * partitions)
    with source.feed.watch(EVERYTHING, source.feed.positions) as watcher:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(records):
            source.publish((number % partitions, b"k%d" % number, bytes(value_bytes)))
            # Updates that synced watchers share are kept with their commits.
            watcher.take(1, MANY)
        kept, _ = tracemalloc.get_traced_memory()
    assert bytes_max / 4 < kept - before < 1.5 * bytes_max


@pytest.mark.usefixtures("traced")
async def test_commits_without_changes_fit_into_the_bytes_of_the_feed() -> None:
    source = Source(bytes_max=100_000)
    before, _ = tracemalloc.get_traced_memory()
    for number in range(1_000):
        source.move((number, number))
    kept, _ = tracemalloc.get_traced_memory()
    assert kept - before < 150_000


@pytest.mark.usefixtures("traced")
async def test_watchers_keep_no_record_that_was_delivered_to_them() -> None:
    source = Source(bytes_max=200_000)
    keys = [b"k%d" % number for number in range(50)]
    with ExitStack() as watching:
        for key in keys:
            watcher = source.feed.watch(Interest(keys=frozenset({key})), (0, 0))
            watching.enter_context(watcher)
            watching.enter_context(watcher.direct(Sink(lambda update: update.kind, lambda _: lambda: None)))
        before, _ = tracemalloc.get_traced_memory()
        for key in keys:
            source.publish((0, key, bytes(100_000)))
            await asyncio.sleep(0)
        kept, _ = tracemalloc.get_traced_memory()
    assert kept - before < 500_000


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 30), st.integers(0, 3_000)), max_size=60),
    st.integers(1, 60),
    st.integers(1, 30_000),
)
def test_logs_keep_to_one_budget_and_a_log_within_its_share_keeps_everything(
    appended: list[tuple[int, int, int]], changes_max: int, bytes_max: int
) -> None:
    budget = LogBudget(changes_max=changes_max, bytes_max=bytes_max)
    logs = [CommitLog((0,), budget, lambda _: None) for _ in range(3)]
    alone = [CommitLog((0,), LogBudget(changes_max=MANY, bytes_max=MANY), lambda _: None) for _ in range(3)]
    for number, changes, size_bytes in appended:
        for log in (logs[number], alone[number]):
            (start,) = log.positions
            records = [Record(b"k", b"v", 0, start + n, None, None) for n in range(changes)]
            log.append(TOPIC_ID, Commit((start,), (start + changes,), records, size_bytes))
        budget.trim()
        assert budget.changes == sum(log.changes for log in logs) <= changes_max
        assert budget.bytes == sum(log.bytes for log in logs) <= bytes_max
        for log, whole in zip(logs, alone, strict=True):
            if whole.changes * 3 <= changes_max and whole.bytes * 3 <= bytes_max:
                assert (log.first, log.changes, log.bytes) == (0, whole.changes, whole.bytes)
    for log in logs:
        log.clear((0,))
    assert (budget.changes, budget.bytes) == (0, 0)


async def test_flood_in_one_table_drops_nothing_of_another() -> None:
    budget = LogBudget(changes_max=10, bytes_max=MANY)
    quiet, busy = Source(budget=budget), Source(budget=budget)
    with quiet.feed.watch(EVERYTHING, (0, 0)) as slow, busy.feed.watch(EVERYTHING, (0, 0)) as behind:
        quiet.publish((0, b"a", b"1"))
        quiet.publish((0, b"b", b"1"))
        for number in range(100):
            busy.publish((0, b"%d" % number, b"1"))
        assert [key for key, _ in taken(slow)] == [b"a", b"b"]
        assert not behind.take(10, MANY)
        assert behind.state is WatcherState.FELL_BEHIND
        assert budget.changes == 10
