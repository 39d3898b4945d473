"""The store: what is durable, what is remembered, and what every limit keeps to."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kvs_graphql.cursor import Cursor
from kvs_graphql.errors import DatabaseError, Unwritable
from kvs_graphql.records import Batch, Interest, Positions, Record
from kvs_graphql.store import (
    Store,
    WindowLimits,
    changes_after,
    count_entries,
    coverage,
    get_many,
    log_order,
    open_store,
    page,
    sizes,
)

TOPIC_ID = b"0123456789abcdef"
ROOMY = WindowLimits(changes_max=1000, bytes_max=1_000_000, deletes_max=1000)
EVERYTHING = Interest()


def record(key: bytes, value: bytes | None, offset: int, partition: int = 0, timestamp: int | None = None) -> Record:
    return Record(key, value, partition, offset, timestamp, None)


def batch(*records: Record, positions: Positions | None = None, remaining: int = 0) -> Batch:
    partitions = sorted({r.partition for r in records})
    runs = tuple([r for r in records if r.partition == p] for p in partitions)
    reached = {run[0].partition: run[-1].offset + 1 for run in runs}
    filled = tuple(reached.get(p, 0) for p in range(max(partitions, default=-1) + 1))
    return Batch(runs, positions or filled, sum(r.size_bytes for r in records), remaining)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kvs.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[Store]:
    async with open_store(path, ROOMY, readers=2) as store:
        await store.begin("topic", TOPIC_ID, (0, 0))
        await store.caught_up(1)
        yield store


async def values(store: Store, *keys: bytes) -> list[bytes | None]:
    (records,) = (await store.read(get_many(keys))).results
    return [None if r is None else r.value for r in records]


async def test_an_applied_batch_is_there_with_its_positions_after_reopening(path: Path) -> None:
    async with open_store(path, ROOMY, readers=1) as store:
        await store.begin("topic", TOPIC_ID, (0, 0))
        await store.apply(batch(record(b"a", b"1", 4), record(b"b", b"2", 7, partition=1), positions=(6, 9)))
    async with open_store(path, ROOMY, readers=1) as store:
        assert store.positions == (6, 9)
        assert store.source is not None
        assert (store.source.topic, store.source.topic_id) == ("topic", TOPIC_ID)
        assert await values(store, b"b", b"a", b"c") == [b"2", b"1", None]
        assert (await store.read()).cursor == Cursor(TOPIC_ID, (6, 9))


async def test_the_last_record_of_a_key_in_a_batch_wins_and_every_record_is_a_change(store: Store) -> None:
    records = [record(b"a", b"%d" % n, n) for n in range(1000)]
    commit = await store.apply(batch(*records))
    assert commit.changes == records
    assert await values(store, b"a") == [b"999"]
    (changes,) = (await store.read(changes_after(EVERYTHING, (), 0, limit=2000, bytes_max=10**6))).results
    assert changes.records == records


async def test_a_tombstone_hides_the_key_and_is_remembered(store: Store) -> None:
    await store.apply(batch(record(b"a", b"1", 0), record(b"b", b"", 1)))
    await store.apply(batch(record(b"a", None, 2)))
    assert await values(store, b"a", b"b") == [None, b""]
    snapshot = await store.read(
        count_entries(), log_order(EVERYTHING, 0, 0, 9, deletes=True, limit=9, bytes_max=10**6), page(10)
    )
    count, remembered, entries = snapshot.results
    assert count == 1
    assert remembered.records == [record(b"b", b"", 1), record(b"a", None, 2)]
    assert [r.key for r in entries.records] == [b"b"]


async def test_a_full_disk_refuses_a_batch_whole_and_reads_go_on(store: Store) -> None:
    await store.apply(batch(record(b"a", b"1", 0)))
    await limit_pages(store, 1)
    with pytest.raises(Unwritable, match="full"):
        await store.apply(batch(record(b"a", b"2", 1), record(b"b", bytes(100_000), 2)))
    assert store.positions == (1,)
    assert (await store.read()).cursor.positions == (1, 0)
    assert await values(store, b"a", b"b") == [b"1", None]
    await limit_pages(store, 1_000_000)
    await store.apply(batch(record(b"a", b"2", 1)))
    assert await values(store, b"a") == [b"2"]


async def test_a_file_that_became_read_only_refuses_a_batch_and_reads_go_on(store: Store) -> None:
    await store.apply(batch(record(b"a", b"1", 0)))
    await store._database.transaction(lambda connection: connection.execute("PRAGMA query_only=ON"))
    with pytest.raises(Unwritable, match="readonly"):
        await store.apply(batch(record(b"a", b"2", 1)))
    assert await values(store, b"a") == [b"1"]


async def limit_pages(store: Store, pages: int) -> None:
    """Let the file grow no further: SQLite then says that the disk is full."""
    await store._database.transaction(lambda connection: connection.execute(f"PRAGMA max_page_count={pages}"))


async def test_one_more_record_costs_the_same_however_many_changes_and_deletes_are_held(store: Store) -> None:
    costs = []
    for first in (0, 900):
        for offset in range(first, first + 5):
            await store.apply(batch(record(b"first %d" % offset, b"v", offset), record(b"gone", None, offset + 1)))
        costs.append(await steps_of(store, batch(record(b"one more", b"v", first + 10))))
        held = [record(b"k%d" % n, None if n % 2 else b"v", n) for n in range(first + 11, 900)]
        await store.apply(batch(*held, positions=(900, 0)))
    few, many = costs
    assert few <= many < few * 1.2


async def steps_of(store: Store, batch: Batch) -> int:
    """How many steps SQLite's machine takes for a batch."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    await store._database.transaction(lambda connection: connection.set_progress_handler(count, 1))
    await store.apply(batch)
    await store._database.transaction(lambda connection: connection.set_progress_handler(None, 1))
    return steps


async def test_a_cancelled_apply_is_whole_or_not_there(store: Store) -> None:
    records = [record(b"k%d" % n, b"v", n) for n in range(5000)]
    applying = asyncio.create_task(store.apply(batch(*records)))
    await asyncio.sleep(0)
    applying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await applying
    await store.reload()
    count = (await store.read(count_entries())).results[0]
    assert (store.positions, count) in [((5000, 0), 5000), ((0, 0), 0)]


async def test_positions_move_without_records(store: Store) -> None:
    commit = await store.apply(batch(positions=(3, 8)))
    assert (commit.before, commit.after, commit.changes) == ((0, 0), (3, 8), [])
    assert (await store.read()).cursor.positions == (3, 8)


async def test_a_partition_that_was_added_starts_where_it_begins(store: Store) -> None:
    await store.apply(batch(record(b"a", b"1", 0), positions=(1, 0)))
    await store.apply(batch(record(b"c", b"3", 0, partition=2), positions=(1, 0, 1)))
    known = (await store.read(coverage())).results[0]
    assert known.positions == (1, 0, 1)
    assert known.window_start == (0, 0, 0)


async def test_reads_of_one_call_are_one_snapshot(store: Store) -> None:
    stop = asyncio.Event()

    async def keep_writing() -> None:
        offset = 0
        while not stop.is_set():
            await store.apply(batch(record(b"a", b"%d" % offset, offset)))
            offset += 1

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(keep_writing())
        for _ in range(50):
            snapshot = await store.read(get_many([b"a"]), get_many([b"a"]))
            first, second = (found[0] for found in snapshot.results)
            assert first == second
            if first is not None:
                assert snapshot.cursor.positions[0] == first.offset + 1
        stop.set()


@pytest.mark.parametrize(
    ("limits", "kept"),
    [
        (WindowLimits(1, 10**9, 10), [9]),
        (WindowLimits(8, 10**9, 10), [2, 3, 4, 5, 6, 7, 8, 9]),
        (WindowLimits(10**9, 1, 10), []),
        (WindowLimits(10**9, 8, 10), [6, 7, 8, 9]),
    ],
)
async def test_the_window_keeps_to_its_limits(path: Path, limits: WindowLimits, kept: list[int]) -> None:
    async with open_store(path, limits, readers=1) as store:
        await store.begin("topic", TOPIC_ID, (0,))
        for offset in range(10):
            await store.apply(batch(record(b"k", b"v", offset)))
        snapshot = await store.read(changes_after(EVERYTHING, (), 0, limit=100, bytes_max=10**6), coverage(), sizes())
        changes, known, stored = snapshot.results
        assert [r.offset for r in changes.records] == kept
        assert known.window_start == (kept[0] if kept else 10,)
        assert stored.window_changes == len(kept)
        await store.apply(batch(record(b"k", b"v", 10)))
        assert (await store.read(sizes())).results[0].window_changes <= limits.changes_max


async def test_changes_far_behind_the_end_are_not_written_to_the_window(path: Path) -> None:
    async with open_store(path, WindowLimits(100, 10**6, 10), readers=1) as store:
        await store.begin("topic", TOPIC_ID, (0, 0))
        await store.apply(batch(record(b"a", b"1", 0), positions=(1, 0), remaining=100))
        await store.apply(batch(record(b"b", b"2", 1), positions=(2, 0), remaining=99))
        changes, known = (
            await store.read(changes_after(EVERYTHING, (), 0, limit=9, bytes_max=10**6), coverage())
        ).results
        assert [r.key for r in changes.records] == [b"b"]
        assert known.window_start == (1, 0)


@pytest.mark.parametrize("deletes_max", [1, 3, 16])
async def test_remembered_deletes_keep_to_their_limit_and_say_from_where(path: Path, deletes_max: int) -> None:
    async with open_store(path, WindowLimits(1, 1, deletes_max), readers=1) as store:
        await store.begin("topic", TOPIC_ID, (0,))
        await store.caught_up(1)
        for offset in range(40):
            await store.apply(batch(record(b"k%d" % offset, None, offset)))
            remembered, known = (
                await store.read(log_order(EVERYTHING, 0, 0, 99, deletes=True, limit=99, bytes_max=10**6), coverage())
            ).results
            assert len(remembered.records) <= deletes_max
            assert [r.offset for r in remembered.records] == list(range(known.deletes_known_from[0], offset + 1))


async def test_deletes_of_the_first_read_keep_to_their_limit_once_it_is_over(path: Path) -> None:
    async with open_store(path, WindowLimits(1, 1, 2), readers=1) as store:
        await store.begin("topic", TOPIC_ID, (0,))
        await store.apply(batch(*(record(b"k%d" % n, None, n) for n in range(20))))
        assert not (await store.read(coverage())).results[0].indexed
        await store.caught_up(1)
        known = (await store.read(coverage())).results[0]
        assert known.indexed
        assert known.deletes_known_from == (18,)


@pytest.mark.parametrize(
    ("interest", "offsets"),
    [
        (EVERYTHING, [0, 1, 2, 4]),
        (Interest(keys=frozenset({b"b", b"nope"})), [1, 4]),
        (Interest(prefix=b"a"), [0, 2]),
        (Interest(prefix=b"\xff"), []),
        (Interest(prefix=b""), [0, 1, 2, 4]),
        (Interest(keys=frozenset({b"b"}), prefix=b"aa"), [1, 2, 4]),
    ],
)
async def test_changes_and_log_order_tell_what_is_of_interest(
    store: Store, interest: Interest, offsets: list[int]
) -> None:
    await store.apply(
        batch(record(b"a", b"1", 0), record(b"b", b"2", 1), record(b"aa", b"3", 2), record(b"b", b"4", 4))
    )
    changes, latest = (
        await store.read(
            changes_after(interest, (), 0, limit=9, bytes_max=10**6),
            log_order(interest, 0, 0, 9, deletes=True, limit=9, bytes_max=10**6),
        )
    ).results
    assert [r.offset for r in changes.records] == offsets
    assert [r.offset for r in latest.records] == [o for o in offsets if o != 1]


@pytest.mark.parametrize(
    ("bytes_max", "offsets"), [(1, [0]), (12, [0]), (13, [0, 1]), (24, [0, 1]), (10**6, [0, 1, 2])]
)
async def test_a_page_of_changes_or_entries_ends_where_it_weighs_enough_and_says_that_there_is_more(
    store: Store, bytes_max: int, offsets: list[int]
) -> None:
    await store.apply(batch(*(record(b"k%d" % n, b"0123456789", n) for n in range(3))))
    changes, run = (
        await store.read(
            changes_after(EVERYTHING, (), 0, limit=9, bytes_max=bytes_max),
            log_order(EVERYTHING, 0, 0, 9, deletes=True, limit=9, bytes_max=bytes_max),
        )
    ).results
    assert [r.offset for r in changes.records] == [r.offset for r in run.records] == offsets
    assert changes.complete == run.complete == (len(offsets) == 3)


async def test_pages_go_by_the_bytes_of_keys_both_ways(store: Store) -> None:
    keys = [b"", b"\x00", b"a", b"a\xff", b"b", "é".encode(), b"\xff", b"\xff\xff"]
    await store.apply(batch(*(record(key, b"v", n) for n, key in enumerate(keys))))
    everything, prefixed, after, last, top = (
        await store.read(
            page(100),
            page(100, prefix=b"a"),
            page(2, after=b"a", before=b"\xff"),
            page(2, before=b"b", last=True),
            page(100, prefix=b"\xff"),
        )
    ).results
    assert [r.key for r in everything.records] == sorted(keys)
    assert [r.key for r in prefixed.records] == [b"a", b"a\xff"]
    assert ([r.key for r in after.records], after.has_more) == ([b"a\xff", b"b"], True)
    assert ([r.key for r in last.records], last.has_more) == ([b"a", b"a\xff"], True)
    assert [r.key for r in top.records] == [b"\xff", b"\xff\xff"]


async def test_a_second_writer_on_the_same_file_is_refused(path: Path) -> None:
    async with open_store(path, ROOMY, readers=1):
        with pytest.raises(DatabaseError, match="in use by another"):
            async with open_store(path, ROOMY, readers=1):
                pass
    async with open_store(path, ROOMY, readers=1):
        pass


async def test_a_database_of_a_newer_version_is_refused_with_the_way_out(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(DatabaseError, match=r"version 99.*newer kvs-graphql"):
        async with open_store(path, ROOMY, readers=1):
            pass


async def test_a_file_that_is_no_database_is_put_aside(path: Path) -> None:
    path.write_bytes(b"not a database, but long enough to be looked at as one" * 100)
    async with open_store(path, ROOMY, readers=1) as store:
        assert store.source is None
    (aside,) = path.parent.glob("kvs.db.damaged-*")
    assert aside.read_bytes().startswith(b"not a database")


async def test_a_damaged_database_is_put_aside_and_one_begun_anew(path: Path) -> None:
    async with open_store(path, ROOMY, readers=1) as store:
        await store.begin("topic", TOPIC_ID, (0,))
        await store.apply(batch(*(record(b"k%04d" % n, bytes(100), n) for n in range(2000))))
    damaged = bytearray(path.read_bytes())
    damaged[20_000:60_000] = bytes(40_000)
    path.write_bytes(damaged)
    async with open_store(path, ROOMY, readers=1) as store:
        assert store.source is None
        assert (await store.read(count_entries())).results == [0]
    assert len(list(path.parent.glob("kvs.db.damaged-*"))) == 1


async def test_a_file_that_cannot_be_made_is_refused_and_nothing_is_put_aside(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DatabaseError, match="cannot be opened"):
        async with open_store(tmp_path / "file" / "kvs.db", ROOMY, readers=1):
            pass
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
