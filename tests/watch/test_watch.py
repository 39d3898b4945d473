"""Watches that conflate or lose nothing, and cursors that the table does not know yet."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kvs_graphql.cursor import NO_TOPIC_ID, Cursor
from kvs_graphql.cursor_validation import CursorValidator
from kvs_graphql.errors import LimitExceeded
from kvs_graphql.feed import Feed, Kind, LogBudget, Update
from kvs_graphql.records import Batch, Interest, Record
from kvs_graphql.state import MetadataRefreshes, TopicSnapshot
from kvs_graphql.store import Query, Snapshot, Store, WindowLimits
from kvs_graphql.watch import Quotas, Start, Watch
from tests.simulation.world import everything_possible, in_virtual_time, open_inline_store
from tests.watch.table import LIMITS, open_table

INTERVAL_SECONDS = 0.01
LIVE = (Kind.LIVE, None)


async def until_live(updates: AsyncIterator[Update]) -> list[tuple[Kind, bytes | None]]:
    """Return kind and value of each update up to the next LIVE."""
    received = []
    async for update in updates:
        received.append((update.kind, update.record and update.record.value))
        if update.kind is Kind.LIVE:
            break
    return received


async def next_of(updates: AsyncIterator[Update], number: int) -> list[tuple[Kind, bytes, bytes | None]]:
    """Return kind, key and value of the next changes."""
    received = []
    for _ in range(number):
        update = await anext(updates)
        assert update.record is not None
        received.append((update.kind, update.record.key, update.record.value))
    return received


def cursor(offset: int, pending: int = 0) -> Cursor:
    return Cursor(NO_TOPIC_ID, (offset,), (pending,) if pending else ())


@in_virtual_time
async def test_batch_of_1000_changes_is_delivered_whole_or_conflated_as_requested(tmp_path: Path) -> None:
    async with (
        open_table(tmp_path) as table,
        table.watching() as lossless,
        table.watching(interval=INTERVAL_SECONDS) as conflating,
    ):
        assert await until_live(lossless) == await until_live(conflating) == [LIVE]
        await table.change(*((b"key", b"%d" % n) for n in range(1_000)))
        assert await next_of(lossless, 1_000) == [(Kind.SET, b"key", b"%d" % n) for n in range(1_000)]
        assert await until_live(conflating) == [(Kind.CONFLATED, None), (Kind.SET, b"999"), LIVE]


@in_virtual_time
async def test_conflating_watch_that_leaves_nothing_out_delivers_plain_changes(tmp_path: Path) -> None:
    async with open_table(tmp_path) as table, table.watching(interval=INTERVAL_SECONDS) as updates:
        await until_live(updates)
        await table.change((b"a", b"1"), (b"b", None))
        assert await next_of(updates, 2) == [(Kind.SET, b"a", b"1"), (Kind.DELETE, b"b", None)]


@in_virtual_time
async def test_interval_passes_between_two_deliveries(tmp_path: Path) -> None:
    async with open_table(tmp_path) as table, table.watching(interval=5.0) as updates:
        await until_live(updates)
        await table.change((b"a", b"1"))
        await next_of(updates, 1)
        loop = asyncio.get_running_loop()
        delivered_at = loop.time()
        reading = asyncio.create_task(next_of(updates, 1))
        await everything_possible()
        await table.change((b"a", b"2"))
        await reading
        assert loop.time() == pytest.approx(delivered_at + 5.0)


@in_virtual_time
async def test_interval_passes_though_a_change_arrives_before_the_client_asks_again(tmp_path: Path) -> None:
    async with open_table(tmp_path) as table, table.watching(interval=5.0) as updates:
        await until_live(updates)
        await table.change((b"a", b"1"))
        await next_of(updates, 1)
        delivered_at = asyncio.get_running_loop().time()
        await table.change((b"a", b"2"))
        await next_of(updates, 1)
        assert asyncio.get_running_loop().time() == pytest.approx(delivered_at + 5.0)


@in_virtual_time
async def test_watch_cut_off_within_a_conflated_run_resumes_without_loss(tmp_path: Path) -> None:
    async with open_table(tmp_path) as table:
        async with table.watching(interval=INTERVAL_SECONDS) as updates:
            await until_live(updates)
            await table.change((b"a", b"1"), (b"b", b"1"), (b"a", b"2"))
            assert (await anext(updates)).kind is Kind.CONFLATED
            within = await anext(updates)
            assert within.record is not None
            assert within.record.key == b"b"
        async with table.watching(within.cursor) as updates:
            assert await until_live(updates) == [(Kind.SET, b"2"), LIVE]


@pytest.mark.parametrize("ahead", [cursor(9), cursor(1, pending=9), Cursor(NO_TOPIC_ID, (3, 1))])
@in_virtual_time
async def test_cursor_past_the_end_of_kafka_is_reset(tmp_path: Path, ahead: Cursor) -> None:
    async with open_table(tmp_path) as table:
        await table.change((b"a", b"1"), (b"b", b"1"), (b"c", b"1"))
        async with table.watching(ahead) as updates:
            reading = asyncio.create_task(until_live(updates))
            await everything_possible()
            table.refresh(NO_TOPIC_ID, 3)
            kinds = [kind for kind, _ in await reading]
            assert kinds[-5:] == [Kind.RESET, Kind.SNAPSHOT, Kind.SNAPSHOT, Kind.SNAPSHOT, Kind.LIVE]


@in_virtual_time
async def test_metadata_from_before_the_watch_refutes_no_cursor(tmp_path: Path) -> None:
    async with open_table(tmp_path) as table:
        await table.change((b"a", b"1"))
        table.refresh(NO_TOPIC_ID, 1)
        under_way = table.refreshes.begin()
        async with table.watching(cursor(3)) as updates:
            reading = asyncio.create_task(until_live(updates))
            await everything_possible()
            table.refreshes.end(under_way, TopicSnapshot(NO_TOPIC_ID, (1,)))
            await everything_possible()
            await table.change((b"a", b"2"), (b"a", b"3"))
            assert await reading == [LIVE]


@in_virtual_time
async def test_cursor_that_kafka_has_waits_for_this_replica(tmp_path: Path) -> None:
    async with open_table(tmp_path) as table, table.watching(cursor(2)) as updates:
        reading = asyncio.create_task(until_live(updates))
        await everything_possible()
        table.refresh(NO_TOPIC_ID, 2)
        await everything_possible()
        assert not reading.done()
        await table.change((b"a", b"1"), (b"a", b"2"))
        assert await reading == [LIVE]


@in_virtual_time
async def test_cursor_ahead_is_neither_accepted_nor_refused_while_kafka_is_away(tmp_path: Path) -> None:
    async with open_table(tmp_path) as table, table.watching(cursor(2)) as updates:
        reading = asyncio.create_task(until_live(updates))
        await everything_possible()
        table.refreshes.begin()
        await everything_possible()
        assert not reading.done()
        table.refresh(NO_TOPIC_ID, 0)
        assert await reading == [(Kind.RESET, None), LIVE]


@in_virtual_time
async def test_cursor_of_another_topic_is_reset_after_the_next_metadata_refresh(tmp_path: Path) -> None:
    async with open_table(tmp_path) as table:
        await table.change((b"a", b"1"))
        async with table.watching(Cursor(bytes(range(16)), (1,))) as updates:
            reading = asyncio.create_task(until_live(updates))
            await everything_possible()
            assert not reading.done()
            table.refresh(NO_TOPIC_ID, 1)
            assert await reading == [(Kind.RESET, None), (Kind.SNAPSHOT, b"1"), LIVE]


@in_virtual_time
async def test_watch_that_fell_behind_replays_from_the_store_and_follows_again(tmp_path: Path) -> None:
    async with open_table(tmp_path, changes_max=1) as table, table.watching() as updates:
        await until_live(updates)
        await table.change((b"a", b"1"), (b"a", b"2"))
        await table.change((b"a", b"3"))
        assert await next_of(updates, 3) == [(Kind.SET, b"a", b"%d" % n) for n in (1, 2, 3)]
        await table.change((b"a", b"4"))
        assert await next_of(updates, 1) == [(Kind.SET, b"a", b"4")]


KEYS = [b"%02d" % n for n in range(40)]
SNAPSHOT = Start(snapshot=True)


async def keys_until_live(pages: AsyncGenerator[Iterable[Update], None]) -> list[bytes]:
    """Return the keys of all updates up to the next LIVE."""
    keys: list[bytes] = []
    async for page in pages:
        for update in page:
            if update.kind is Kind.LIVE:
                return keys
            assert update.record is not None
            keys.append(update.record.key)
    raise AssertionError("it ended")


@in_virtual_time
async def test_pages_of_clients_that_do_not_read_are_dropped_for_others_and_read_anew(tmp_path: Path) -> None:
    limits = replace(LIMITS, pages_bytes_max=3_000)
    async with open_table(tmp_path, limits=limits) as table, AsyncExitStack() as stack:
        await table.change(*((key, b"1") for key in KEYS))
        unread, rests = [], []
        for _ in range(20):
            unread.append(await stack.enter_async_context(aclosing(table.new_watch().updates(SNAPSHOT))))
            rests.append(iter(await anext(unread[-1])))
            first = next(rests[-1])
            assert first.record is not None
            assert first.record.key == KEYS[0]
            assert table.quotas.pages.size <= limits.pages_bytes_max
        async with aclosing(table.new_watch().updates(SNAPSHOT)) as other:
            assert await keys_until_live(other) == KEYS
        for pages, rest in zip(unread, rests, strict=True):
            left = [update.record.key for update in rest if update.record is not None]
            assert [*left, *await keys_until_live(pages)] == KEYS[1:]
    assert table.quotas.pages.size == 0


@in_virtual_time
async def test_updates_from_the_log_that_nobody_reads_are_dropped_and_come_again(tmp_path: Path) -> None:
    limits = replace(LIMITS, pages_bytes_max=3_000)
    async with open_table(tmp_path, limits=limits) as table, AsyncExitStack() as stack:
        unread = [
            await stack.enter_async_context(aclosing(table.new_watch().updates(Start(progress=True))))
            for _ in range(20)
        ]
        for pages in unread:
            assert await keys_until_live(pages) == []
        await table.change(*((key, b"1") for key in KEYS))
        rests = []
        for pages in unread:
            rests.append(iter(await anext(pages)))
            next(rests[-1])
            assert table.quotas.pages.size <= limits.pages_bytes_max
        for pages, rest in zip(unread, rests, strict=True):
            keys = [update.record.key for update in rest if update.record is not None]
            while len(keys) < len(KEYS) - 1:
                keys += [update.record.key for update in await anext(pages) if update.record is not None]
            assert keys == KEYS[1:]


@in_virtual_time
async def test_page_that_was_read_is_kept_by_nobody(tmp_path: Path) -> None:
    async with open_table(tmp_path) as table:
        await table.change(*((key, b"1") for key in KEYS))
        async with aclosing(table.new_watch().updates(SNAPSHOT)) as pages:
            page = await anext(pages)
            assert len(list(page)) == LIMITS.page_max
            assert list(page) == []


@in_virtual_time
async def test_scans_that_match_nothing_read_in_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    course = []
    read = Store.read

    async def observed(store: Store, *queries: Query[Any], **options: Any) -> Snapshot:
        course.append(asyncio.current_task())
        return await read(store, *queries, **options)

    async with open_table(tmp_path, changes_max=1, limits=replace(LIMITS, rows_max=4)) as table:
        await table.change(*((key, b"1") for key in KEYS))
        for start in (SNAPSHOT, Start(cursor(1))):
            course.clear()
            monkeypatch.setattr(Store, "read", observed)
            async with (
                aclosing(table.new_watch(Interest(prefix=b"nothing")).updates(start)) as one,
                aclosing(table.new_watch(Interest(prefix=b"nothing either")).updates(start)) as other,
            ):
                tasks = [asyncio.create_task(keys_until_live(pages)) for pages in (one, other)]
                assert await asyncio.gather(*tasks) == [[], []]
            assert course == tasks * (len(KEYS) // 4 + 1)
            monkeypatch.undo()


@in_virtual_time
async def test_keys_that_are_missing_are_looked_up_in_one_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_table(tmp_path, limits=replace(LIMITS, rows_max=4)) as table:
        await table.change(*((key, b"1") for key in KEYS))
        reads = 0
        read = Store.read

        async def counted(store: Store, *queries: Query[Any], **options: Any) -> Snapshot:
            nonlocal reads
            reads += 1
            return await read(store, *queries, **options)

        monkeypatch.setattr(Store, "read", counted)
        interest = Interest(frozenset({b"missing", KEYS[-1]}))
        async with aclosing(table.new_watch(interest).updates(SNAPSHOT)) as pages:
            assert await keys_until_live(pages) == KEYS[-1:]
    assert reads == 2


@in_virtual_time
async def test_watch_whose_arguments_find_no_room_is_refused(tmp_path: Path) -> None:
    async with open_table(tmp_path, limits=replace(LIMITS, arguments_bytes_max=1_000)) as table:
        interest = Interest(frozenset({b"k" * 500}))
        async with aclosing(table.new_watch(interest).updates(SNAPSHOT)) as first:
            await anext(first)
            for _ in range(2):
                with pytest.raises(LimitExceeded, match="1000 bytes"):
                    await anext(table.new_watch(Interest(prefix=b"p")).updates(SNAPSHOT))
            after = Start(Cursor(NO_TOPIC_ID, (0,) * 1_000))
            with pytest.raises(LimitExceeded, match="1000 bytes"):
                await anext(table.new_watch(Interest()).updates(after))
        async with aclosing(table.new_watch(interest).updates(SNAPSHOT)) as again:
            await anext(again)


async def _reads_of_a_snapshot(directory: Path, partitions: int, keys: dict[bytes, int]) -> int:
    """How often a watch of keys, each in its partition, and of a missing one reads the table until it is live."""
    async with open_inline_store(directory / f"{partitions}.db", WindowLimits(10_000, 1_000_000, 10_000)) as store:
        await store.begin("topic", NO_TOPIC_ID, (0,) * partitions)
        runs = tuple([Record(b"other-%d" % p, b"", p, 0, None, None)] for p in range(partitions))
        for key, partition in keys.items():
            runs[partition].append(Record(key, b"value", partition, len(runs[partition]), None, None))
        await store.apply(Batch(runs, tuple(map(len, runs)), 1, 0))
        await store.caught_up(0)
        feed = Feed(Cursor(NO_TOPIC_ID, store.positions), LogBudget(changes_max=10, bytes_max=1_000))
        validator = CursorValidator(feed, MetadataRefreshes())
        watch = Watch(store, feed, Interest(frozenset(keys) | {b"missing"}), Quotas(LIMITS), validator)
        reads, read = 0, store.read

        async def counted(*queries: Query[Any], **options: Any) -> Snapshot:
            nonlocal reads
            reads += 1
            return await read(*queries, **options)

        store.read = counted  # type: ignore[method-assign]
        received: dict[bytes, Kind] = {}
        async with aclosing(watch.updates(Start(snapshot=True))) as pages:
            async for page in pages:
                for update in page:
                    if update.kind is Kind.LIVE:
                        assert received == dict.fromkeys(keys, Kind.SNAPSHOT)
                        assert update.cursor.positions == store.positions
                        return reads
                    assert update.record is not None
                    received[update.record.key] = update.kind
    raise AssertionError("the watch ended")


@in_virtual_time
async def test_snapshot_of_keys_reads_as_often_however_many_partitions_there_are(tmp_path: Path) -> None:
    one = await _reads_of_a_snapshot(tmp_path, 1, {b"a": 0})
    assert await _reads_of_a_snapshot(tmp_path, 300, {b"a": 250}) <= one + 1
    assert await _reads_of_a_snapshot(tmp_path, 301, {b"a": 250, b"b": 250, b"c": 7}) <= one + 2
