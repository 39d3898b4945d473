"""A watch that conflates, beside one that loses nothing; and places that nobody can have been at."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from kvs_graphql.cursor import NO_TOPIC_ID, Cursor
from kvs_graphql.cursor_validation import CursorValidator
from kvs_graphql.feed import Feed, Kind, Update
from kvs_graphql.records import Batch, Interest, Record
from kvs_graphql.state import MetadataRefreshes, TopicSnapshot
from kvs_graphql.store import Store, WindowLimits, open_store
from kvs_graphql.watch import Start, Watch, WatchLimits

_INTERVAL_SECONDS = 0.01
_LIMITS = WatchLimits(page_max=7, page_bytes_max=10_000, progress_seconds=60)


class Table:
    """A store and its feed, at the live end of a topic of one partition."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.feed = Feed(Cursor(NO_TOPIC_ID, (0,)), changes_max=10_000, bytes_max=1_000_000)
        self.refreshes = MetadataRefreshes()

    async def change(self, *pairs: tuple[bytes, bytes]) -> None:
        """All of them in one batch."""
        (position,) = self.feed.positions
        run = [Record(key, value, 0, position + n, None, None) for n, (key, value) in enumerate(pairs)]
        batch = Batch((run,), (position + len(run),), sum(r.size_bytes for r in run), 0)
        self.feed.publish(await self.store.apply(batch))

    async def watch(self, interval: float | None, after: Cursor | None = None) -> AsyncIterator[Update]:
        watch = Watch(self.store, self.feed, Interest(), _LIMITS, CursorValidator(self.feed, self.refreshes))
        start = Start(after or Cursor(NO_TOPIC_ID, self.feed.positions), interval=interval)
        async with aclosing(watch.updates(start)) as pages:
            async for page in pages:
                for update in page:
                    yield update


@pytest.fixture
async def table(tmp_path: Path) -> AsyncIterator[Table]:
    async with open_store(tmp_path / "kvs.db", WindowLimits(10_000, 1_000_000, 10_000), readers=1) as store:
        await store.begin("topic", NO_TOPIC_ID, (0,))
        await store.caught_up(0)
        yield Table(store)


async def until_live(updates: AsyncIterator[Update]) -> list[tuple[Kind, bytes | None]]:
    """Kind and value of each update until a run ends."""
    told = []
    async for update in updates:
        told.append((update.kind, update.record and update.record.value))
        if update.kind is Kind.LIVE:
            break
    return told


async def test_a_thousand_changes_in_one_batch_are_all_told_or_conflated_as_the_watcher_asked(table: Table) -> None:
    async with (
        asyncio.timeout(10),
        aclosing(table.watch(None)) as lossless,  # type: ignore[type-var]
        aclosing(table.watch(_INTERVAL_SECONDS)) as conflating,  # type: ignore[type-var]
    ):
        assert await until_live(lossless) == await until_live(conflating) == [(Kind.LIVE, None)]
        await table.change(*((b"key", b"%d" % n) for n in range(1_000)))
        assert [(await anext(lossless)).record.value for _ in range(1_000)] == [b"%d" % n for n in range(1_000)]  # type: ignore[union-attr]
        assert await until_live(conflating) == [(Kind.CONFLATED, None), (Kind.SET, b"999"), (Kind.LIVE, None)]


async def test_where_nothing_is_left_out_a_conflating_watcher_is_told_plain_changes(table: Table) -> None:
    async with asyncio.timeout(10), aclosing(table.watch(_INTERVAL_SECONDS)) as updates:  # type: ignore[type-var]
        await until_live(updates)
        await table.change((b"a", b"1"), (b"b", b"1"))
        assert [((u := await anext(updates)).kind, u.record and u.record.key) for _ in range(2)] == [
            (Kind.SET, b"a"),
            (Kind.SET, b"b"),
        ]


async def test_who_leaves_within_a_conflated_run_goes_on_without_a_loss(table: Table) -> None:
    async with asyncio.timeout(10):
        async with aclosing(table.watch(_INTERVAL_SECONDS)) as updates:  # type: ignore[type-var]
            await until_live(updates)
            await table.change((b"a", b"1"), (b"b", b"1"), (b"a", b"2"))
            assert (await anext(updates)).kind is Kind.CONFLATED
            within = await anext(updates)
            assert within.record is not None
            assert within.record.key == b"b"
        async with aclosing(table.watch(None, within.cursor)) as updates:  # type: ignore[type-var]
            assert await until_live(updates) == [(Kind.SET, b"2"), (Kind.LIVE, None)]


async def told_until_live(updates: AsyncIterator[Update]) -> list[Kind]:
    return [kind for kind, _ in await until_live(updates)]


def place(offset: int, pending: int = 0) -> Cursor:
    return Cursor(NO_TOPIC_ID, (offset,), (pending,) if pending else ())


@pytest.mark.parametrize("claimed", [place(9), place(1, pending=9), Cursor(NO_TOPIC_ID, (3, 1))])
async def test_a_place_past_the_end_of_kafka_is_told_anew(table: Table, claimed: Cursor) -> None:
    await table.change((b"a", b"1"), (b"b", b"1"), (b"c", b"1"))
    async with asyncio.timeout(10), aclosing(table.watch(None, claimed)) as updates:  # type: ignore[type-var]
        told = asyncio.create_task(told_until_live(updates))
        await ticks()
        table.refreshes.end(table.refreshes.begin(), TopicSnapshot(NO_TOPIC_ID, (3,)))
        assert (await told)[-5:] == [Kind.RESET, Kind.SNAPSHOT, Kind.SNAPSHOT, Kind.SNAPSHOT, Kind.LIVE]


async def test_a_place_past_what_was_known_of_kafka_before_is_waited_for(table: Table) -> None:
    await table.change((b"a", b"1"))
    earlier = table.refreshes.begin()
    table.refreshes.end(earlier, TopicSnapshot(NO_TOPIC_ID, (1,)))
    under_way = table.refreshes.begin()
    async with asyncio.timeout(10), aclosing(table.watch(None, place(3))) as updates:  # type: ignore[type-var]
        told = asyncio.create_task(until_live(updates))
        await ticks()
        table.refreshes.end(under_way, TopicSnapshot(NO_TOPIC_ID, (1,)))
        await ticks()
        await table.change((b"a", b"2"), (b"a", b"3"))
        assert await told == [(Kind.LIVE, None)]


async def test_a_place_that_kafka_has_is_waited_for_however_far_this_replica_is_behind(table: Table) -> None:
    async with asyncio.timeout(10), aclosing(table.watch(None, place(2))) as updates:  # type: ignore[type-var]
        told = asyncio.create_task(until_live(updates))
        await ticks()
        table.refreshes.end(table.refreshes.begin(), TopicSnapshot(NO_TOPIC_ID, (2,)))
        await ticks()
        # As after the log was cut short: what was certain stays so.
        table.refreshes.end(table.refreshes.begin(), TopicSnapshot(NO_TOPIC_ID, (1,)))
        await ticks()
        await table.change((b"a", b"1"), (b"a", b"2"))
        assert await told == [(Kind.LIVE, None)]


async def test_while_kafka_is_away_a_place_ahead_is_neither_taken_nor_refused(table: Table) -> None:
    async with asyncio.timeout(10), aclosing(table.watch(None, place(2))) as updates:  # type: ignore[type-var]
        told = asyncio.create_task(until_live(updates))
        table.refreshes.begin()
        await ticks()
        assert not told.done()
        table.refreshes.end(table.refreshes.begin(), TopicSnapshot(NO_TOPIC_ID, (0,)))
        assert await told == [(Kind.RESET, None), (Kind.LIVE, None)]


async def test_a_cursor_of_another_topic_is_told_anew_only_after_another_look_at_kafka(table: Table) -> None:
    await table.change((b"a", b"1"))
    stranger = Cursor(bytes(range(16)), (1,))
    async with asyncio.timeout(10), aclosing(table.watch(None, stranger)) as updates:  # type: ignore[type-var]
        told = asyncio.create_task(until_live(updates))
        await ticks()
        assert not told.done()
        table.refreshes.end(table.refreshes.begin(), TopicSnapshot(NO_TOPIC_ID, (1,)))
        assert await told == [(Kind.RESET, None), (Kind.SNAPSHOT, b"1"), (Kind.LIVE, None)]


async def ticks() -> None:
    """Let every task do all that it can without news."""
    for _ in range(20):
        await asyncio.sleep(0.001)
