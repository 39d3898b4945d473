"""Watchers read the log at their own pace, in order, and know where they stand."""

import pytest

from kvs_graphql.cursor import Cursor
from kvs_graphql.feed import WatcherState
from kvs_graphql.records import Interest
from tests.feed.source import EVERYTHING, MANY, Source, taken


async def test_watcher_gets_every_change_with_the_positions_just_after_it() -> None:
    source = Source()
    with source.feed.watch(EVERYTHING, (0, 0)) as watcher:
        source.publish((0, b"a", b"1"), (0, b"a", b"2"), (1, b"b", b"3"))
        source.publish((1, b"c", None))
        await watcher.wait()
        assert taken(watcher) == [(b"a", (1, 0)), (b"a", (2, 0)), (b"b", (2, 1)), (b"c", (2, 2))]
        assert taken(watcher) == []


async def test_small_pages_hold_the_same_updates_as_one_large_page() -> None:
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
async def test_watcher_gets_only_what_matches_its_interest(interest: Interest, keys: list[bytes]) -> None:
    source = Source()
    with source.feed.watch(interest, (0, 0)) as watcher:
        source.publish(*[(0, key, b"v") for key in (b"a", b"p/1", b"b")])
        source.publish(*[(0, key, b"v") for key in (b"a", b"p/2")])
        assert [key for key, _ in taken(watcher)] == keys
        assert watcher.positions == (5, 0)


async def test_watcher_that_fell_behind_knows_the_positions_to_resume_from() -> None:
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


async def test_watcher_of_a_quiet_key_never_falls_behind() -> None:
    source = Source(changes_max=2)
    with source.feed.watch(Interest(keys=frozenset({b"quiet"})), (0, 0)) as watcher:
        for _ in range(50):
            source.publish((0, b"loud", b"v"))
        assert watcher.positions == (50, 0)
        source.publish((1, b"quiet", b"v"))
        assert taken(watcher) == [(b"quiet", (50, 1))]


async def test_watcher_can_join_wherever_the_log_reaches_back_to() -> None:
    source = Source(changes_max=3)
    for number in range(5):
        source.publish((0, b"k%d" % number, b"v"))
    with source.feed.watch(EVERYTHING, (3, 0)) as watcher:
        assert taken(watcher) == [(b"k3", (4, 0)), (b"k4", (5, 0))]
    with source.feed.watch(EVERYTHING, (1, 0)) as watcher:
        assert watcher.state is WatcherState.FELL_BEHIND


async def test_watcher_ahead_of_the_feed_gets_nothing_below_its_positions() -> None:
    source = Source()
    with source.feed.watch(EVERYTHING, (2, 0)) as watcher:
        source.publish((0, b"a", b"1"), (1, b"b", b"2"))
        source.publish((0, b"c", b"3"), (0, b"d", b"4"))
        assert taken(watcher) == [(b"b", (2, 1)), (b"d", (3, 1))]


async def test_watcher_falls_behind_if_the_feed_is_reset() -> None:
    source = Source()
    with source.feed.watch(EVERYTHING, (0, 0)) as watcher:
        source.feed.reset(Cursor(bytes(16), (4, 0)))
        await watcher.wait()
        assert not watcher.take(1, MANY)
        assert watcher.state is WatcherState.FELL_BEHIND
        assert watcher.positions == (0, 0)


async def test_skipping_leaves_out_everything_up_to_now() -> None:
    source = Source(changes_max=2)
    with source.feed.watch(EVERYTHING, (0, 0)) as watcher:
        for number in range(5):
            source.publish((0, b"k%d" % number, b"v"))
        watcher.skip()
        assert taken(watcher) == []
        source.publish((0, b"next", b"v"))
        assert taken(watcher) == [(b"next", (6, 0))]


async def test_watcher_passes_through_its_states() -> None:
    source = Source(changes_max=1)
    with source.feed.watch(EVERYTHING, (0, 0)) as watcher:
        states = [watcher.state]
        source.publish((0, b"a", b"v"))
        states.append(watcher.state)
        taken(watcher)
        states.append(watcher.state)
        source.publish((0, b"a", b"v"), (0, b"b", b"v"))
        taken(watcher)
        states.append(watcher.state)
        source.feed.close()
        states.append(watcher.state)
    assert states == [
        WatcherState.SYNCED,
        WatcherState.UNREAD,
        WatcherState.SYNCED,
        WatcherState.FELL_BEHIND,
        WatcherState.CLOSED,
    ]
