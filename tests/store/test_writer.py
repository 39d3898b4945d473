"""Writing batches: what each one costs, and the limits of the change window and of remembered deletes."""

from pathlib import Path

import pytest

from kvs_graphql.database import Database
from kvs_graphql.records import Batch, Interest
from kvs_graphql.store import Store, WindowLimits, changes_after, get_many, log_order, open_store, page, sizes
from tests.store.batches import TOPIC_ID, batch, enough, record

EVERYTHING = Interest()
MANY = 1_000_000


async def test_last_record_of_a_key_in_a_batch_wins_and_every_record_is_a_change(store: Store) -> None:
    records = [record(b"a", b"%d" % n, n) for n in range(1000)]
    commit = await store.apply(batch(*records))
    assert commit.changes == records
    changes, entries = (
        await store.read(changes_after(EVERYTHING, (), 0, limit=2000, bytes_max=MANY, rows_max=MANY), page(9, enough()))
    ).results
    assert changes.records == records
    assert entries.records == [records[-1]]


async def test_batch_far_behind_the_end_writes_the_last_record_of_each_key(store: Store) -> None:
    records = [record(b"%d" % (n % 3_000), b"%d" % n, n) for n in range(7_000)]
    commit = await store.apply(batch(*records, remaining=MANY))
    assert commit.changes == records
    keys = [b"%d" % n for n in range(3_000)]
    (found,) = (await store.read(get_many(keys, enough()))).results
    latest = {r.key: r for r in records}
    assert found == [latest[key] for key in keys]


async def test_tombstone_hides_the_key_and_an_empty_value_does_not(store: Store) -> None:
    await store.apply(batch(record(b"a", b"1", 0), record(b"b", b"", 1)))
    await store.apply(batch(record(b"a", None, 2)))
    found, entries = (await store.read(get_many([b"a", b"b"], enough()), page(10, enough()))).results
    assert found == [None, record(b"b", b"", 1)]
    assert entries.records == [record(b"b", b"", 1)]


async def test_positions_move_without_records(store: Store) -> None:
    commit = await store.apply(batch(positions=(3, 8)))
    assert (commit.before, commit.after, commit.changes) == ((0, 0), (3, 8), [])
    assert (await store.read()).cursor.positions == (3, 8)


async def test_window_of_an_added_partition_starts_at_its_beginning(store: Store) -> None:
    await store.apply(batch(record(b"a", b"1", 0), positions=(1, 0)))
    await store.apply(batch(record(b"c", b"3", 0, partition=2), positions=(1, 0, 1)))
    known = (await store.read()).coverage
    assert known.positions == (1, 0, 1)
    assert known.window_start == (0, 0, 0)


async def test_cost_of_a_record_does_not_grow_with_the_changes_and_deletes_held(
    store: Store, database: Database
) -> None:
    costs = []
    for first in (0, 900):
        for offset in range(first, first + 5):
            await store.apply(batch(record(b"first %d" % offset, b"v", offset), record(b"gone", None, offset + 1)))
        costs.append(await steps_of(store, database, batch(record(b"one more", b"v", first + 10))))
        held = [record(b"k%d" % n, None if n % 2 else b"v", n) for n in range(first + 11, 900)]
        await store.apply(batch(*held, positions=(900, 0)))
    few, many = costs
    assert few <= many < few * 1.2


async def steps_of(store: Store, database: Database, batch: Batch) -> int:
    """The number of steps that SQLite's virtual machine takes for a batch."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    await database.transaction(lambda connection: connection.set_progress_handler(count, 1))
    await store.apply(batch)
    await database.transaction(lambda connection: connection.set_progress_handler(None, 1))
    return steps


@pytest.mark.parametrize(
    ("limits", "kept"),
    [
        (WindowLimits(1, 10**9, 10), [9]),
        (WindowLimits(8, 10**9, 10), [2, 3, 4, 5, 6, 7, 8, 9]),
        (WindowLimits(10**9, 1, 10), []),
        (WindowLimits(10**9, 8, 10), [6, 7, 8, 9]),
    ],
)
async def test_window_keeps_within_its_limits(path: Path, limits: WindowLimits, kept: list[int]) -> None:
    async with open_store(path, limits, readers=1) as store:
        await store.begin("topic", TOPIC_ID, (0,))
        for offset in range(10):
            await store.apply(batch(record(b"k", b"v", offset)))
            assert (await store.read(sizes())).results[0].window_changes <= limits.changes_max
        snapshot = await store.read(changes_after(EVERYTHING, (), 0, limit=100, bytes_max=MANY, rows_max=MANY), sizes())
        changes, stored = snapshot.results
        known = snapshot.coverage
        assert [r.offset for r in changes.records] == kept
        assert known.window_start == (kept[0] if kept else 10,)
        assert stored.window_changes == len(kept)


async def test_changes_far_behind_the_end_are_not_written_to_the_window(path: Path) -> None:
    async with open_store(path, WindowLimits(100, 10**6, 10), readers=1) as store:
        await store.begin("topic", TOPIC_ID, (0, 0))
        await store.apply(batch(record(b"a", b"1", 0), positions=(1, 0), remaining=100))
        await store.apply(batch(record(b"b", b"2", 1), positions=(2, 0), remaining=99))
        snapshot = await store.read(changes_after(EVERYTHING, (), 0, limit=9, bytes_max=MANY, rows_max=MANY))
        assert [r.key for r in snapshot.results[0].records] == [b"b"]
        assert snapshot.coverage.window_start == (1, 0)


@pytest.mark.parametrize("deletes_max", [1, 3, 16])
async def test_remembered_deletes_keep_within_their_limit(path: Path, deletes_max: int) -> None:
    async with open_store(path, WindowLimits(1, 1, deletes_max), readers=1) as store:
        await store.begin("topic", TOPIC_ID, (0,))
        await store.caught_up(1)
        for offset in range(40):
            await store.apply(batch(record(b"k%d" % offset, None, offset)))
            snapshot = await store.read(
                log_order(EVERYTHING, 0, 0, 99, deletes=True, limit=99, bytes_max=MANY, rows_max=MANY)
            )
            (remembered,), known = snapshot.results, snapshot.coverage
            assert len(remembered.records) <= deletes_max
            assert [r.offset for r in remembered.records] == list(range(known.deletes_known_from[0], offset + 1))


async def test_deletes_of_the_first_read_are_limited_once_it_is_over(path: Path) -> None:
    async with open_store(path, WindowLimits(1, 1, 2), readers=1) as store:
        await store.begin("topic", TOPIC_ID, (0,))
        await store.apply(batch(*(record(b"k%d" % n, None, n) for n in range(20))))
        assert not (await store.read()).coverage.indexed
        await store.caught_up(1)
        known = (await store.read()).coverage
        assert known.indexed
        assert known.deletes_known_from == (18,)
