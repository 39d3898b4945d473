"""Waits for positions: none is left behind by a reader that gave up."""

import asyncio

import pytest

from kvs_graphql.cursor import NO_TOPIC_ID, Cursor
from kvs_graphql.errors import Unavailable
from kvs_graphql.feed import Feed
from kvs_graphql.feed.waits import PositionWaits
from kvs_graphql.records import Commit, Interest


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
    feed = Feed(Cursor(NO_TOPIC_ID, (0,)), changes_max=10, bytes_max=1_000)
    feed.publish(Commit((0,), (1,), [], 0))
    with feed.watch(Interest(), feed.positions) as watcher:
        feed.close()
        feed.reset(Cursor(NO_TOPIC_ID, (0,)))
        with pytest.raises(Unavailable):
            watcher.skip()
