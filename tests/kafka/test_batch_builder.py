"""Batches hold every fetched record with a key, in order, and positions that never go back."""

from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.structs import ConsumerRecord

from kvs_graphql.kafka.batch_builder import BatchBuilder
from kvs_graphql.records import Record, encode_headers


def message(partition: int, offset: int, key: bytes | None, value: bytes | None = b"v", **but: Any) -> Any:
    """A record as aiokafka returns it."""
    fields = {"timestamp": 1_000, "headers": (), **but}
    return ConsumerRecord(
        topic="topic",
        partition=partition,
        offset=offset,
        timestamp=fields["timestamp"],
        timestamp_type=0,
        key=key,
        value=value,
        checksum=None,
        serialized_key_size=0,
        serialized_value_size=0,
        headers=fields["headers"],
    )


def fetched(*messages: Any) -> dict[TopicPartition, list[Any]]:
    found: dict[TopicPartition, list[Any]] = {}
    for record in messages:
        found.setdefault(TopicPartition("topic", record.partition), []).append(record)
    return found


@pytest.fixture
def builder() -> BatchBuilder:
    return BatchBuilder((0, 0), empty_tombstones=False)


def test_batch_has_one_ordered_run_per_partition(builder: BatchBuilder) -> None:
    builder.add(fetched(message(1, 0, b"a"), message(0, 0, b"b")))
    builder.add(fetched(message(1, 1, b"c")))
    batch = builder.take((1, 2))
    assert [[(r.partition, r.offset, r.key) for r in run] for run in batch.runs] == [
        [(0, 0, b"b")],
        [(1, 0, b"a"), (1, 1, b"c")],
    ]
    assert (batch.positions, batch.remaining) == ((1, 2), 0)


def test_record_keeps_value_timestamp_and_headers(builder: BatchBuilder) -> None:
    headers = (("h", b"\xff"), ("h", None))
    builder.add(fetched(message(0, 0, b"k", b"v", headers=headers), message(0, 1, b"k", None, timestamp=-1)))
    ((first, second),) = builder.take(()).runs
    assert first == Record(b"k", b"v", 0, 0, 1_000, encode_headers(headers))
    assert second == Record(b"k", None, 0, 1, None, None)


def test_records_without_a_key_are_skipped_and_move_the_position(builder: BatchBuilder) -> None:
    assert builder.add(fetched(message(0, 0, b"a"), message(0, 1, None), message(0, 2, None))) == 2
    assert builder.records == 1
    assert builder.take(()).positions == (3, 0)


def test_tombstones_are_empty_values_if_asked_for() -> None:
    builder = BatchBuilder((0,), empty_tombstones=True)
    builder.add(fetched(message(0, 0, b"a", None)))
    ((record,),) = builder.take(()).runs
    assert record.value == b""


def test_size_counts_keys_values_and_headers(builder: BatchBuilder) -> None:
    headers = (("name", b"1234"),)
    builder.add(fetched(message(0, 0, b"abc", b"defg"), message(0, 1, b"h", None, headers=headers)))
    assert builder.size_bytes == 3 + 4 + 1 + len(encode_headers(headers) or b"")
    assert builder.take(()).size_bytes > 0
    assert (builder.records, builder.size_bytes) == (0, 0)


def test_moved_position_alone_is_progress(builder: BatchBuilder) -> None:
    builder.move_to(1, 5)
    assert builder.has_progress
    batch = builder.take((0, 7))
    assert (batch.runs, batch.positions, batch.remaining) == ((), (0, 5), 2)


def test_builder_without_news_has_no_progress(builder: BatchBuilder) -> None:
    assert not builder.has_progress
    builder.move_to(1, 0)
    assert not builder.has_progress


def test_taken_batch_is_no_progress_any_more(builder: BatchBuilder) -> None:
    builder.add(fetched(message(0, 0, b"a")))
    builder.take(())
    assert not builder.has_progress


def test_position_never_goes_back(builder: BatchBuilder) -> None:
    builder.move_to(0, 5)
    builder.move_to(0, 3)
    assert builder.take(()).positions == (5, 0)


def test_remaining_counts_all_partitions_and_ignores_ends_already_passed(builder: BatchBuilder) -> None:
    builder.move_to(0, 5)
    assert builder.remaining((3, 4, 2)) == 6


def test_it_is_known_from_where_on_no_offset_is_missing(builder: BatchBuilder) -> None:
    builder.add(fetched(message(0, 0, b"a"), message(0, 1, None), message(1, 0, b"a")))
    builder.add(fetched(message(0, 2, b"b")))
    assert builder.gapless_from == (0, 0), "a record without a key is no gap"
    builder.add(fetched(message(0, 5, b"c"), message(0, 7, b"d"), message(0, 8, b"e")))
    assert builder.gapless_from == (7, 0)
    builder.move_to(0, 9)
    assert builder.gapless_from == (7, 0)
    builder.move_to(0, 11)
    assert builder.gapless_from == (11, 0), "nothing says what was at the offsets without a record"
    builder.add(fetched(message(0, 12, b"f"), message(1, 1, b"b")))
    assert builder.gapless_from == (12, 0)
