"""The batches for the floor of catching up."""

from bench.floors.log import batches
from kvs_graphql.records import Record
from kvs_graphql.settings import load_settings


def _run(partition: int, first: int, count: int) -> list[Record]:
    return [Record(b"key", b"value", partition, offset, 1, None) for offset in range(first, first + count)]


def test_batches_hold_every_record_once_in_order_and_within_the_limits() -> None:
    runs = {0: _run(0, 10, 12_000), 1: _run(1, 0, 3_000)}
    found = list(batches(runs, (10, 0), load_settings(batch_records_max=8_000)))
    assert [one.positions for one in found] == [(5_010, 3_000), (12_010, 3_000)]
    assert [one.remaining for one in found] == [7_000, 0]
    for partition, records in runs.items():
        assert [r for one in found for run in one.runs for r in run if r.partition == partition] == records
    assert sum(one.size_bytes for one in found) == 15_000 * len(b"keyvalue")
