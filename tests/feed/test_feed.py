"""The feed wakes the watchers that a change concerns, and ends them all when it closes."""

import asyncio

import pytest

from kvs_graphql.cursor import Cursor
from kvs_graphql.errors import Unavailable
from kvs_graphql.records import Interest
from tests.feed.source import EVERYTHING, MANY, Source


async def test_change_of_another_key_wakes_no_watcher() -> None:
    source = Source()
    with source.feed.watch(Interest(keys=frozenset({b"a"})), (0, 0)) as watcher:
        waiting = asyncio.create_task(watcher.wait())
        source.publish((0, b"b", b"v"))
        await asyncio.sleep(0)
        assert not waiting.done()
        source.publish((0, b"a", b"v"))
        await waiting


async def test_closing_ends_watchers_and_waits_and_refuses_new_ones() -> None:
    source = Source()
    with source.feed.watch(EVERYTHING, (0, 0)) as watcher:
        waiting = asyncio.create_task(source.feed.reached((1, 0)))
        await asyncio.sleep(0)
        source.feed.close()
        await watcher.wait()
        with pytest.raises(Unavailable):
            watcher.take(1, MANY)
        with pytest.raises(Unavailable):
            await waiting
    with pytest.raises(Unavailable), source.feed.watch(EVERYTHING, (0, 0)):
        pass
    with pytest.raises(Unavailable):
        await source.feed.reached((0, 0))


async def test_first_of_returns_as_its_first_wait_does_and_cancels_the_others() -> None:
    source = Source()
    never = asyncio.Event()
    cancelled = asyncio.Event()

    async def wait_forever() -> None:
        try:
            await never.wait()
        finally:
            cancelled.set()

    waiting = asyncio.create_task(source.feed.first_of(source.feed.reached((1, 0)), wait_forever()))
    await asyncio.sleep(0)
    source.move((1, 0))
    await waiting
    await cancelled.wait()


async def test_first_of_raises_what_its_first_wait_raises() -> None:
    async def fail() -> None:
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - raised here
        await Source().feed.first_of(fail(), asyncio.Event().wait())


async def test_closing_ends_a_rest() -> None:
    source = Source()
    resting = asyncio.create_task(source.feed.rest(3_600))
    await asyncio.sleep(0)
    source.feed.close()
    with pytest.raises(Unavailable):
        await resting


async def test_waits_for_a_reset_end_with_the_next_one() -> None:
    source = Source()
    for number in range(2):
        waiting = asyncio.create_task(source.feed.was_reset())
        await asyncio.sleep(0)
        assert not waiting.done()
        source.feed.reset(Cursor(bytes(16), (number, 0)))
        await waiting


async def test_open_watchers_are_counted() -> None:
    source = Source()
    with source.feed.watch(EVERYTHING, (0, 0)), source.feed.watch(Interest(keys=frozenset({b"a"})), (0, 0)):
        assert source.feed.watchers == 2
    assert source.feed.watchers == 0
