"""Partition conflicts: the record that readers see depends on the log alone, not on the order of arrival."""

import tempfile
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvs_graphql.records import Batch, Record
from kvs_graphql.store import WindowLimits, get_many, open_store, page, partitions_of
from kvs_graphql.store.conflicts import winner
from tests.simulation.world import open_inline_store, run
from tests.store.batches import enough

LIMITS = WindowLimits(1000, 1_000_000, 1000)
KEYS = (b"a", b"b")

Log = list[list[Record]]
Table = dict[bytes, Record]


@st.composite
def logs(draw: st.DrawFn) -> Log:
    """Up to three partitions that share keys, with timestamps that repeat, go back, or are missing."""
    log: Log = []
    for partition in range(draw(st.integers(1, 3))):
        log.append(
            [
                Record(
                    draw(st.sampled_from(KEYS)),
                    draw(st.sampled_from((None, b"", b"%d-%d" % (partition, offset)))),
                    partition,
                    offset,
                    draw(st.sampled_from((None, 1, 2, 3))),
                    None,
                )
                for offset in range(draw(st.integers(0, 5)))
            ]
        )
    return log


def expected(log: Log) -> Table:
    """The rule in the plainest words: take the last record of each partition; the greatest (time, partition) wins."""
    last = {(r.key, r.partition): r for records in log for r in records}
    table: Table = {}
    for (key, _), record in last.items():
        candidates = [record, *([table[key]] if key in table else [])]
        table[key] = max(candidates, key=lambda r: (-1 if r.timestamp is None else r.timestamp, r.partition))
    return {key: record for key, record in table.items() if record.value is not None}


async def applied(log: Log, seed: int, path: Path) -> tuple[Table, Table]:
    """Apply the log in random batches; return the entries that can be read, and what the changes add up to."""
    random = Random(seed)
    changed: Table = {}
    async with open_inline_store(path, LIMITS) as store:
        await store.begin("topic", bytes(16), (0,) * len(log))
        positions = [0] * len(log)
        while any(position < len(records) for position, records in zip(positions, log, strict=True)):
            runs = []
            for partition, records in enumerate(log):
                run = records[positions[partition] : positions[partition] + random.randint(0, 3)]
                positions[partition] += len(run)
                runs += [run] if run else []
            commit = await store.apply(Batch(tuple(runs), tuple(positions), 0, 0))
            changed |= {change.key: change for change in commit.changes}
        (records, entries) = (await store.read(get_many(KEYS, enough()), page(10, enough()))).results
        assert [r for r in records if r is not None] == entries.records
    return {r.key: r for r in entries.records}, changed


@settings(max_examples=150)
@given(log=logs(), seeds=st.tuples(st.integers(), st.integers()))
def test_all_replicas_show_the_same_record_of_a_key_in_several_partitions(log: Log, seeds: tuple[int, int]) -> None:
    for seed in seeds:
        with tempfile.TemporaryDirectory() as directory:
            entries, changed = run(applied(log, seed, Path(directory, "kvs.db")))
        assert entries == expected(log)
        assert {key: r.value for key, r in changed.items() if r.value is not None} == {
            key: r.value for key, r in entries.items()
        }


@given(st.dictionaries(st.integers(0, 5), st.none() | st.integers(0, 3), min_size=1))
def test_winner_has_the_latest_timestamp_then_the_highest_partition(timestamps: dict[int, int | None]) -> None:
    won = winner({p: Record(b"a", None, p, 0, timestamp, None) for p, timestamp in timestamps.items()})
    for partition, timestamp in timestamps.items():
        if timestamp == won.timestamp:
            assert partition <= won.partition
        elif timestamp is not None:
            assert won.timestamp is not None
            assert timestamp < won.timestamp


def test_later_timestamp_beats_later_arrival(tmp_path: Path) -> None:
    late, early = Record(b"a", b"new", 1, 0, 2, None), Record(b"a", b"old", 0, 0, 1, None)

    async def entries(*arrivals: Record) -> list[Record]:
        async with open_inline_store(tmp_path / f"{arrivals[0].partition}.db", LIMITS) as store:
            await store.begin("topic", bytes(16), (0, 0))
            for record in arrivals:
                await store.apply(Batch(([record],), (0, 0), 0, 0))
            (found,) = (await store.read(page(10, enough()))).results
            return list(found.records)

    assert run(entries(late, early)) == run(entries(early, late)) == [late]


@pytest.mark.parametrize("value", [None, b""])
def test_later_tombstone_in_another_partition_hides_the_key(tmp_path: Path, value: bytes | None) -> None:
    later = Record(b"a", value, 1, 0, 2, None)
    entries, _ = run(applied([[Record(b"a", b"old", 0, 0, 1, None)], [later]], 1, tmp_path / "kvs.db"))
    assert entries == ({} if value is None else {b"a": later})


async def test_tombstone_that_wins_a_conflict_is_never_forgotten(tmp_path: Path) -> None:
    limits = WindowLimits(1000, 1_000_000, deletes_max=1)
    async with open_store(tmp_path / "kvs.db", limits, readers=1) as store:
        await store.begin("topic", bytes(16), (0, 0))
        await store.caught_up(1)
        await store.apply(Batch(([Record(b"a", b"old", 0, 0, 1, None)],), (1, 0), 0, 0))
        await store.apply(Batch(([Record(b"a", None, 1, 0, 2, None)],), (1, 1), 0, 0))
        for offset in range(1, 9):
            await store.apply(Batch(([Record(b"%d" % offset, None, 1, offset, 2, None)],), (1, offset + 1), 0, 0))
        await store.apply(Batch(([Record(b"a", b"still old", 0, 1, 1, None)],), (2, 9), 0, 0))
        snapshot = await store.read(get_many([b"a"], enough()), partitions_of(b"a"))
        records, holding = snapshot.results
        assert snapshot.coverage.deletes_known_from[1] > 1
        assert records == [None]
        assert holding == [0]
