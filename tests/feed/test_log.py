"""The log holds recent commits within its limits, and finds the index of any positions."""

import pytest

from kvs_graphql.feed import WatcherState
from kvs_graphql.feed.log import CommitLog
from kvs_graphql.records import Commit, Record
from tests.feed.source import EVERYTHING, MANY, Source

TOPIC_ID = bytes(16)


def log_of(*ends: int, changes_max: int = 100) -> CommitLog:
    """Return a log of one partition: a commit of one change up to each end, with gaps of offsets between them."""
    log = CommitLog((0,), changes_max=changes_max, bytes_max=1_000)
    before = 0
    for end in ends:
        log.append(TOPIC_ID, Commit((before,), (end,), [Record(b"k", b"v", 0, end - 1, None, None)], 2))
        before = end
    log.trim()
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
