"""The feed: bounded, never waiting, waking whom a change concerns."""

import asyncio

import pytest

from kvs_graphql.cursor import Cursor
from kvs_graphql.errors import Unavailable
from kvs_graphql.feed import Feed, Watcher, WatcherState
from kvs_graphql.records import Commit, Interest, Positions, Record, advance, position_in

EVERYTHING = Interest()


class Source:
    """Publishes commits to a feed, as a consumer would."""

    def __init__(self, *, changes_max: int = 1000, bytes_max: int = 10**6, positions: Positions = (0, 0)) -> None:
        self.feed = Feed(Cursor(bytes(16), positions), changes_max=changes_max, bytes_max=bytes_max)

    def publish(self, *changes: tuple[int, bytes, bytes | None]) -> None:
        """One commit of (partition, key, value)."""
        before = after = self.feed.positions
        records = []
        for partition, key, value in sorted(changes, key=lambda change: change[0]):
            offset = position_in(after, partition)
            records.append(Record(key, value, partition, offset, None, None))
            after = advance(after, partition, offset + 1)
        self.feed.publish(Commit(before, after, records, sum(r.size_bytes for r in records)))

    def move(self, positions: Positions) -> None:
        """A commit of positions alone."""
        self.feed.publish(Commit(self.feed.positions, positions, [], 0))


def taken(watcher: Watcher, limit: int = 100) -> list[tuple[bytes, Positions]]:
    found = []
    for update in watcher.take(limit):
        assert update.record is not None
        found.append((update.record.key, update.cursor.positions))
    return found


async def test_a_watcher_gets_every_change_with_the_positions_just_after_it() -> None:
    source = Source()
    with source.feed.watch(EVERYTHING, (0, 0)) as watcher:
        source.publish((0, b"a", b"1"), (0, b"a", b"2"), (1, b"b", b"3"))
        source.publish((1, b"c", None))
        await watcher.wait()
        assert taken(watcher) == [(b"a", (1, 0)), (b"a", (2, 0)), (b"b", (2, 1)), (b"c", (2, 2))]
        assert taken(watcher) == []


async def test_taking_a_few_at_a_time_is_the_same_as_taking_all() -> None:
    source = Source()
    with source.feed.watch(EVERYTHING, (0, 0)) as one, source.feed.watch(EVERYTHING, (0, 0)) as other:
        for number in range(5):
            source.publish(*[(p, b"k%d" % number, b"v") for p in (0, 1, 0)])
        piecewise = []
        while page := taken(one, limit=2):
            assert len(page) <= 2
            piecewise += page
        assert piecewise == taken(other)
        assert len(piecewise) == 15


@pytest.mark.parametrize(
    ("interest", "keys"),
    [
        (Interest(keys=frozenset({b"a", b"q"})), [b"a", b"a"]),
        (Interest(prefix=b"p/"), [b"p/1", b"p/2"]),
        (Interest(prefix=b""), [b"a", b"p/1", b"b", b"a", b"p/2"]),
        (Interest(keys=frozenset({b"b"}), prefix=b"p/2"), [b"b", b"p/2"]),
        (Interest(keys=frozenset({b"z"})), []),
    ],
)
async def test_a_watcher_gets_what_it_is_interested_in(interest: Interest, keys: list[bytes]) -> None:
    source = Source()
    with source.feed.watch(interest, (0, 0)) as watcher:
        source.publish(*[(0, key, b"v") for key in (b"a", b"p/1", b"b")])
        source.publish(*[(0, key, b"v") for key in (b"a", b"p/2")])
        assert [key for key, _ in taken(watcher)] == keys
        assert watcher.positions == (5, 0)


async def test_a_change_of_another_key_wakes_nobody() -> None:
    source = Source()
    with source.feed.watch(Interest(keys=frozenset({b"a"})), (0, 0)) as watcher:
        waiting = asyncio.create_task(watcher.wait())
        source.publish((0, b"b", b"v"))
        await asyncio.sleep(0)
        assert not waiting.done()
        source.publish((0, b"a", b"v"))
        await waiting


async def test_a_watcher_that_was_left_behind_is_told_and_knows_where_to_go_on() -> None:
    source = Source(changes_max=2)
    with source.feed.watch(EVERYTHING, (0, 0)) as watcher:
        source.publish((0, b"a", b"1"))
        source.publish((0, b"b", b"2"))
        assert taken(watcher, limit=1) == [(b"a", (1, 0))]
        source.publish((0, b"c", b"3"))
        source.publish((0, b"d", b"4"))
        assert not taken(watcher)
        assert watcher.state is WatcherState.FELL_BEHIND
        assert watcher.positions == (1, 0)


async def test_a_watcher_of_a_quiet_key_is_not_behind_however_much_else_happens() -> None:
    source = Source(changes_max=2)
    with source.feed.watch(Interest(keys=frozenset({b"quiet"})), (0, 0)) as watcher:
        for _ in range(50):
            source.publish((0, b"loud", b"v"))
        assert watcher.positions == (50, 0)
        source.publish((1, b"quiet", b"v"))
        assert taken(watcher) == [(b"quiet", (50, 1))]


@pytest.mark.parametrize(("changes_max", "bytes_max"), [(1, 10**6), (10**6, 1)])
async def test_the_log_keeps_to_its_limits_at_one(changes_max: int, bytes_max: int) -> None:
    source = Source(changes_max=changes_max, bytes_max=bytes_max)
    with source.feed.watch(EVERYTHING, (0, 0)) as watcher:
        source.publish((0, b"a", b"1"), (0, b"b", b"2"))
        assert not watcher.take(10)
        assert watcher.state is WatcherState.FELL_BEHIND
        assert watcher.positions == (0, 0)
    assert not source.feed.holds((0, 0))
    assert source.feed.holds((2, 0))


async def test_a_watcher_can_join_where_the_log_still_reaches_back_to() -> None:
    source = Source(changes_max=3)
    for number in range(5):
        source.publish((0, b"k%d" % number, b"v"))
    with source.feed.watch(EVERYTHING, (3, 0)) as watcher:
        assert taken(watcher) == [(b"k3", (4, 0)), (b"k4", (5, 0))]
    with source.feed.watch(EVERYTHING, (1, 0)) as watcher:
        assert watcher.state is WatcherState.FELL_BEHIND


async def test_a_watcher_ahead_of_the_feed_hears_of_nothing_below_its_place() -> None:
    source = Source()
    with source.feed.watch(EVERYTHING, (2, 0)) as watcher:
        source.publish((0, b"a", b"1"), (1, b"b", b"2"))
        source.publish((0, b"c", b"3"), (0, b"d", b"4"))
        assert taken(watcher) == [(b"b", (2, 1)), (b"d", (3, 1))]


async def test_an_unpublished_commit_is_never_skipped_silently() -> None:
    source = Source()
    with source.feed.watch(EVERYTHING, (0, 0)) as watcher:
        source.feed.reset(Cursor(bytes(16), (4, 0)))
        await watcher.wait()
        assert not watcher.take(1)
        assert watcher.state is WatcherState.FELL_BEHIND
        assert watcher.positions == (0, 0)


async def test_waits_end_when_their_positions_are_reached_even_without_changes() -> None:
    source = Source()
    far, near, both = (asyncio.create_task(source.feed.reached(positions)) for positions in ((0, 9), (3, 0), (2, 2)))
    await asyncio.sleep(0)
    source.move((3, 0))
    await near
    source.move((3, 2))
    await both
    assert not far.done()
    source.move((3, 9))
    await far


async def test_a_wait_for_what_is_there_returns_at_once_and_a_cancelled_one_is_forgotten() -> None:
    source = Source(positions=(5, 5))
    await source.feed.reached((5,))
    waiting = asyncio.create_task(source.feed.reached((9, 0)))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    source.move((9, 9))


async def test_closing_ends_watchers_and_waits_and_refuses_new_ones() -> None:
    source = Source()
    with source.feed.watch(EVERYTHING, (0, 0)) as watcher:
        waiting = asyncio.create_task(source.feed.reached((1, 0)))
        await asyncio.sleep(0)
        source.feed.close()
        await watcher.wait()
        with pytest.raises(Unavailable):
            watcher.take(1)
        with pytest.raises(Unavailable):
            await waiting
    with pytest.raises(Unavailable), source.feed.watch(EVERYTHING, (0, 0)):
        pass
    with pytest.raises(Unavailable):
        await source.feed.reached((0, 0))
