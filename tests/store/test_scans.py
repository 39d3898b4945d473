"""Scans read a bounded number of rows at a time, and all of them together every match once, in order."""

import sqlite3
from collections.abc import Callable

import pytest

from kvs_graphql.records import Interest, Record
from kvs_graphql.store import Store, changes_after, log_order
from tests.store.batches import batch, record

MANY = 1_000_000
KEYS = [b"%s%d" % (letter, n) for n in range(40) for letter in (b"a", b"b", b"c")]
RECORDS = [record(key, None if n % 7 == 3 else b"value", 2 * n) for n, key in enumerate(KEYS)]
END = 2 * len(RECORDS)

INTERESTS = [
    Interest(),
    Interest(prefix=b"a"),
    Interest(prefix=b"nothing"),
    Interest(keys=frozenset(KEYS[5:50:4])),
    Interest(keys=frozenset({b"nothing", *KEYS[5:50:4]}), prefix=b"b1"),
]


async def entries(store: Store, interest: Interest, *, deletes: bool, rows_max: int, limit: int) -> list[Record]:
    """Read all pages of a scan."""
    found: list[Record] = []
    start = 0
    while start < END:
        (page,) = (
            await store.read(
                log_order(interest, 0, start, END, deletes=deletes, limit=limit, bytes_max=50, rows_max=rows_max)
            )
        ).results
        assert start < page.through <= END
        assert all(start <= r.offset < page.through for r in page.records)
        found += page.records
        start = page.through
    return found


@pytest.mark.parametrize("interest", INTERESTS)
@pytest.mark.parametrize("deletes", [True, False])
@pytest.mark.parametrize(("rows_max", "limit"), [(1, 1), (1, 9), (7, 3), (MANY, MANY)])
async def test_pages_of_entries_have_every_match_once_in_the_order_of_offsets(
    store: Store, interest: Interest, deletes: bool, rows_max: int, limit: int
) -> None:
    await store.apply(batch(*RECORDS))
    expected = [r for r in RECORDS if interest.matches(r.key) and (deletes or r.value is not None)]
    assert await entries(store, interest, deletes=deletes, rows_max=rows_max, limit=limit) == expected


@pytest.mark.parametrize("interest", INTERESTS)
@pytest.mark.parametrize("rows_max", [1, 7, MANY])
async def test_pages_of_changes_have_every_match_once_in_their_order(
    store: Store, interest: Interest, rows_max: int
) -> None:
    await store.apply(batch(*RECORDS))
    found, through, complete = list[Record](), 0, False
    while not complete:
        query = changes_after(interest, (10, 0), through, limit=3, bytes_max=50, rows_max=rows_max)
        (changes,) = (await store.read(query)).results
        found += changes.records
        assert changes.complete or changes.through > through
        through, complete = changes.through, changes.complete
    assert found == [r for r in RECORDS if interest.matches(r.key) and r.offset >= 10]


def steps_of(database: sqlite3.Connection, query: Callable[[sqlite3.Connection], object]) -> int:
    """How many hundreds of SQLite's own instructions a query takes."""
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 1

    database.set_progress_handler(count, 100)
    try:
        query(database)
    finally:
        database.set_progress_handler(None, 0)
    return steps


@pytest.mark.parametrize(
    "interest",
    [
        Interest(prefix=b"nothing"),
        Interest(keys=frozenset({b"nothing"})),
        Interest(keys=frozenset({b"n"}), prefix=b"z"),
    ],
    ids=["prefix", "keys", "both"],
)
async def test_read_that_finds_nothing_costs_the_same_however_large_the_table_is(
    store: Store, interest: Interest
) -> None:
    def scan(connection: sqlite3.Connection) -> int:
        return steps_of(
            connection,
            log_order(interest, 0, 0, MANY, deletes=False, limit=10, bytes_max=MANY, rows_max=100),
        )

    def replay(connection: sqlite3.Connection) -> int:
        return steps_of(connection, changes_after(interest, (), 0, limit=10, bytes_max=MANY, rows_max=100))

    taken = []
    for start in (0, 500, 1_000):
        await store.apply(batch(*(record(b"k%d" % n, b"v", n) for n in range(start, start + 500))))
        taken.append((await store.read(scan, replay)).results)
    assert taken[0] == pytest.approx(taken[2], abs=2)


async def test_long_run_of_remembered_deletes_is_read_a_part_at_a_time(store: Store) -> None:
    await store.apply(batch(*(record(b"k%d" % n, None, n) for n in range(900)), record(b"last", b"v", 900)))
    (page,) = (
        await store.read(log_order(Interest(), 0, 0, 901, deletes=False, limit=9, bytes_max=MANY, rows_max=100))
    ).results
    assert (page.records, page.through) == ([], 18)
