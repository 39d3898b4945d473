"""Queries: what they select, their order, and where a page ends."""

import pytest

from kvs_graphql.records import Interest
from kvs_graphql.store import Store, changes_after, count_entries, count_prefix, get_many, history, log_order, page
from tests.store.batches import batch, enough, record

EVERYTHING = Interest()
MANY = 1_000_000


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
async def test_changes_and_entries_are_filtered_by_interest(
    store: Store, interest: Interest, offsets: list[int]
) -> None:
    await store.apply(
        batch(record(b"a", b"1", 0), record(b"b", b"2", 1), record(b"aa", b"3", 2), record(b"b", b"4", 4))
    )
    changes, latest = (
        await store.read(
            changes_after(interest, (), 0, limit=9, bytes_max=MANY, rows_max=MANY),
            log_order(interest, 0, 0, 9, deletes=True, limit=9, bytes_max=MANY, rows_max=MANY),
        )
    ).results
    assert [r.offset for r in changes.records] == offsets
    assert [r.offset for r in latest.records] == [o for o in offsets if o != 1]


@pytest.mark.parametrize(("bytes_max", "offsets"), [(1, [0]), (12, [0]), (13, [0, 1]), (24, [0, 1]), (MANY, [0, 1, 2])])
async def test_page_ends_at_its_limit_in_bytes_and_says_whether_more_follows(
    store: Store, bytes_max: int, offsets: list[int]
) -> None:
    await store.apply(batch(*(record(b"k%d" % n, b"0123456789", n) for n in range(3))))
    changes, entries = (
        await store.read(
            changes_after(EVERYTHING, (), 0, limit=9, bytes_max=bytes_max, rows_max=MANY),
            log_order(EVERYTHING, 0, 0, 9, deletes=True, limit=9, bytes_max=bytes_max, rows_max=MANY),
        )
    ).results
    assert [r.offset for r in changes.records] == [r.offset for r in entries.records] == offsets
    assert changes.complete == (entries.through == 9) == (len(offsets) == 3)


async def test_pages_of_one_record_give_every_record_once(store: Store) -> None:
    records = [record(b"k%d" % n, b"v", n) for n in range(3)]
    await store.apply(batch(*records))
    changes, entries, through, start = [], [], 0, 0
    for _ in records:
        found, latest = (
            await store.read(
                changes_after(EVERYTHING, (), through, limit=1, bytes_max=MANY, rows_max=MANY),
                log_order(EVERYTHING, 0, start, 3, deletes=False, limit=1, bytes_max=MANY, rows_max=MANY),
            )
        ).results
        changes += found.records
        entries += latest.records
        through, start = found.through, latest.through
    assert changes == entries == records


async def test_changes_below_the_seen_positions_are_left_out(store: Store) -> None:
    await store.apply(batch(*(record(b"k", b"v", n, partition=p) for p in (0, 1) for n in range(3))))
    (changes,) = (
        await store.read(changes_after(EVERYTHING, (2, 1), 0, limit=9, bytes_max=MANY, rows_max=MANY))
    ).results
    assert [(r.partition, r.offset) for r in changes.records] == [(0, 2), (1, 1), (1, 2)]


async def test_deletes_are_counted_as_no_entries_and_listed_only_on_demand(store: Store) -> None:
    await store.apply(batch(record(b"a", b"1", 0), record(b"b", b"", 1), record(b"a", None, 2)))
    count, remembered, kept = (
        await store.read(
            count_entries(),
            log_order(EVERYTHING, 0, 0, 9, deletes=True, limit=9, bytes_max=MANY, rows_max=MANY),
            log_order(EVERYTHING, 0, 0, 9, deletes=False, limit=9, bytes_max=MANY, rows_max=MANY),
        )
    ).results
    assert count == 1
    assert remembered.records == [record(b"b", b"", 1), record(b"a", None, 2)]
    assert kept.records == [record(b"b", b"", 1)]


async def test_pages_are_in_byte_order_of_keys_in_both_directions(store: Store) -> None:
    keys = [b"", b"\x00", b"a", b"a\xff", b"b", "é".encode(), b"\xff", b"\xff\xff"]
    await store.apply(batch(*(record(key, b"v", n) for n, key in enumerate(keys))))
    everything, prefixed, after, last, top = (
        await store.read(
            page(100, enough()),
            page(100, enough(), prefix=b"a"),
            page(2, enough(), after=b"a", before=b"\xff"),
            page(2, enough(), before=b"b", last=True),
            page(100, enough(), prefix=b"\xff"),
        )
    ).results
    assert [r.key for r in everything.records] == sorted(keys)
    assert [r.key for r in prefixed.records] == [b"a", b"a\xff"]
    assert ([r.key for r in after.records], after.has_more) == ([b"a\xff", b"b"], True)
    assert ([r.key for r in last.records], last.has_more) == ([b"a", b"a\xff"], True)
    assert [r.key for r in top.records] == [b"\xff", b"\xff\xff"]


async def test_entries_of_a_prefix_are_counted_up_to_a_limit(store: Store) -> None:
    keys = [b"", b"a", b"a\xff", b"b", b"\xff", b"\xff\xff"]
    await store.apply(batch(*(record(key, b"", n) for n, key in enumerate(keys)), record(b"a/gone", None, 9)))
    counts = [(3, b"a"), (2, b"a"), (1, b"a"), (9, b"\xff"), (1, b"\xff"), (6, b""), (5, b""), (1, b"none")]
    found = (await store.read(*(count_prefix(limit, prefix, enough()) for limit, prefix in counts))).results
    assert found == [2, 2, None, 2, None, 6, None, 0]


async def test_counts_of_one_read_have_the_limit_together(store: Store) -> None:
    await store.apply(batch(*(record(b"%d" % n, b"", n) for n in range(5))))
    within = enough()
    counts = [count_prefix(7, prefix, within) for prefix in (b"", b"0", b"1", b"2", b"")]
    assert (await store.read(*counts)).results == [5, 1, 1, None, None]
    assert within.counted == 8


async def test_entries_of_many_keys_come_in_the_order_of_the_keys(store: Store) -> None:
    keys = [b"%d" % n for n in range(1_200)]
    await store.apply(batch(*(record(key, key, n) for n, key in enumerate(keys[::2]))))
    (found,) = (await store.read(get_many(keys[::-1], enough()))).results
    assert [r and r.value for r in found] == [key if n % 2 == 0 else None for n, key in enumerate(keys)][::-1]


@pytest.mark.parametrize("headers", [None, b"12345"])
async def test_entries_above_a_size_are_left_out_and_named(store: Store, headers: bytes | None) -> None:
    limit = 10 + len(headers or b"")
    values = {b"small": b"12345", b"large": b"123456", b"gone": None}
    await store.apply(batch(*(record(key, value, n) for n, (key, value) in enumerate(values.items()))))
    changed = [record(key, value, 3 + n)._replace(headers=headers) for n, (key, value) in enumerate(values.items())]
    await store.apply(batch(*changed))
    left_out, within = set[bytes](), enough()
    keys = [b"large", b"small", b"gone", b"never", b"small"]
    (found,) = (await store.read(get_many(keys, within, limit, left_out))).results
    assert [r and (r.value, r.headers) for r in found] == [None, (b"12345", headers), None, None, (b"12345", headers)]
    assert left_out == {b"large"}
    assert within.taken == 2 * limit


async def test_history_has_the_last_changes_of_each_key_below_a_position(store: Store) -> None:
    await store.apply(batch(*(record((b"a", b"b")[n % 2], b"%d" % n, n) for n in range(10))))
    (found,) = (await store.read(history([b"a", b"b", b"none"], (8, 0), 2, enough()))).results
    assert found.window_start == (0, 0)
    assert {key: [r.offset for r in changes] for key, changes in found.changes.items()} == {
        b"a": [4, 6],
        b"b": [5, 7],
        b"none": [],
    }
