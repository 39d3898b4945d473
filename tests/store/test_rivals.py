"""Keys that several partitions hold: what is shown is a function of the log, not of the order of arrival."""

import asyncio
import tempfile
from pathlib import Path
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from kvs_graphql.records import Batch, Record
from kvs_graphql.store import WindowLimits, get_many, page
from tests.simulation.world import open_inline_store, run

LIMITS = WindowLimits(1000, 1_000_000, 1000)
KEYS = (b"a", b"b")

Log = list[list[Record]]


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


def shown(log: Log) -> dict[bytes, Record]:
    """The rule, in the plainest words: of each partition the last record, of those the greatest (time, partition)."""
    lasts = {(r.key, r.partition): r for records in log for r in records}
    table: dict[bytes, Record] = {}
    for (key, _), record in lasts.items():
        rivals = [record, *([table[key]] if key in table else [])]
        table[key] = max(rivals, key=lambda r: (-1 if r.timestamp is None else r.timestamp, r.partition))
    return {key: record for key, record in table.items() if record.value is not None}


async def table_of(log: Log, seed: int, path: Path) -> tuple[dict[bytes, Record], dict[bytes, Record]]:
    """What the store holds, and what the changes it told of add up to, having got the log in batches of a seed."""
    random = Random(seed)
    told: dict[bytes, Record] = {}
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
            told |= {change.key: change for change in commit.changes}
        (records, entries) = (await store.read(get_many(KEYS), page(10))).results
        assert [r for r in records if r is not None] == entries.records
    return {r.key: r for r in entries.records}, told


@settings(max_examples=150, deadline=None)
@given(log=logs(), seeds=st.tuples(st.integers(), st.integers()))
def test_every_replica_shows_the_same_whatever_the_order_of_arrival(log: Log, seeds: tuple[int, int]) -> None:
    for seed in seeds:
        with tempfile.TemporaryDirectory() as directory:
            held, told = run(table_of(log, seed, Path(directory, "kvs.db")))
        assert held == shown(log)
        assert {key: r.value for key, r in told.items() if r.value is not None} == {
            key: r.value for key, r in held.items()
        }


def test_a_later_time_wins_over_a_later_arrival(tmp_path: Path) -> None:
    log = [[Record(b"a", b"old", 0, 0, 1, None)], [Record(b"a", b"new", 1, 0, 2, None)]]
    assert {r.value for r in asyncio.run(table_of(log, 1, tmp_path / "kvs.db"))[0].values()} == {b"new"}


def test_a_later_tombstone_of_another_partition_hides_the_key(tmp_path: Path) -> None:
    log = [[Record(b"a", b"old", 0, 0, 1, None)], [Record(b"a", None, 1, 0, 2, None)]]
    assert asyncio.run(table_of(log, 1, tmp_path / "kvs.db"))[0] == {}
