"""Waits for positions end once everything below them is published; a reader that gave up leaves none behind."""

import asyncio

import pytest

from kvs_graphql.cursor import NO_TOPIC_ID, Cursor
from kvs_graphql.errors import Unavailable
from kvs_graphql.feed import Feed, LogBudget
from kvs_graphql.feed.waits import PositionWaits
from kvs_graphql.records import Commit, Interest
from tests.feed.source import Source


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


async def test_wait_for_positions_already_reached_returns_at_once() -> None:
    await Source(positions=(5, 5)).feed.reached((5,))


async def test_cancelled_wait_leaves_the_others_alone() -> None:
    waits = PositionWaits()
    cancelled, other = waits.add((0,), (3,)), waits.add((0,), (3,))
    cancelled.cancel()
    waits.reached((2,))
    assert not other.done()
    waits.reached((3,))
    await other


async def test_wait_for_several_partitions_ends_with_the_last_of_them() -> None:
    waits = PositionWaits()
    waiting = waits.add((0, 0, 0), (1, 2, 3))
    for positions in ((1, 0, 0), (1, 0, 3), (1, 1, 3)):
        waits.reached(positions)
        assert not waiting.done()
    waits.reached((1, 2, 3))
    await waiting


async def test_closing_ends_every_wait_with_an_error() -> None:
    waits = PositionWaits()
    waiting = [waits.add((0, 0), wanted) for wanted in ((1,), (0, 9))]
    waits.close()
    for wait in waiting:
        with pytest.raises(Unavailable):
            await wait


async def give_up(wait: "asyncio.Future[None]") -> None:
    wait.cancel()
    await asyncio.wait([wait])


async def test_waits_that_were_given_up_are_dropped_though_nothing_is_published() -> None:
    waits = PositionWaits()
    kept = [waits.add((0, 0), (5, 0)), waits.add((0, 0), (0, 7))]
    for number in range(1_000):
        await give_up(waits.add((0, 0), (0, 10**9 + number)))
    assert len(waits) < 200
    waits.reached((5, 7))
    assert all(wait.done() for wait in kept)


async def test_waits_that_last_are_kept_in_order_among_those_given_up() -> None:
    waits = PositionWaits()
    lasting = []
    for number in range(500):
        lasting.append(waits.add((0,), (1_000 - number,)))
        await give_up(waits.add((0,), (number + 1,)))
    for position in range(1, 1_001):
        waits.reached((position,))
        assert sum(wait.done() for wait in lasting) == max(0, position - 500)


async def test_watcher_of_a_closed_feed_stays_closed_when_the_feed_starts_over() -> None:
    feed = Feed(Cursor(NO_TOPIC_ID, (0,)), LogBudget(changes_max=10, bytes_max=1_000))
    feed.publish(Commit((0,), (1,), [], 0))
    with feed.watch(Interest(), feed.positions) as watcher:
        feed.close()
        feed.reset(Cursor(NO_TOPIC_ID, (0,)))
        with pytest.raises(Unavailable):
            watcher.skip()
