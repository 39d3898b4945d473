"""A topic, read as fast as possible outside the service, and cut into the service's batches."""

from collections.abc import Iterator, Mapping

from confluent_kafka import Consumer, Message, TopicPartition

from bench.data import PARTITIONS
from kvs_graphql.records import Batch, Positions, Record
from kvs_graphql.settings import Settings

Runs = dict[int, list[Record]]
_CONSUMED_MAX = 10_000
_WAIT_SECONDS = 10.0
_TURN_RECORDS = 5_000
"""Records that the service's consumer takes from one partition before it turns to the next."""


def read_from(bootstrap_servers: str, topic: str, positions: Positions) -> Runs:
    """Return every record from these positions to the end, by partition."""
    consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": "bench", "log_level": 3})
    try:
        starts = [TopicPartition(topic, p, positions[p] if p < len(positions) else 0) for p in range(PARTITIONS)]
        ends = {one.partition: consumer.get_watermark_offsets(one)[1] for one in starts}
        missing = sum(ends[one.partition] - one.offset for one in starts)
        consumer.assign(starts)
        runs: Runs = {one.partition: [] for one in starts}
        while missing > 0:
            messages = consumer.consume(_CONSUMED_MAX, _WAIT_SECONDS)
            assert messages, f"{missing} records did not arrive"
            missing -= len(messages)
            for message in messages:
                record = _record(message)
                runs[record.partition].append(record)
        return runs
    finally:
        consumer.close()


def batches(runs: Runs, positions: Positions, settings: Settings) -> Iterator[Batch]:
    """Yield the batches that a service far behind makes of the records: all partitions in turn, up to its limits."""
    at = dict.fromkeys(runs, 0)
    next_offsets = [positions[p] if p < len(positions) else 0 for p in sorted(runs)]
    remaining = sum(map(len, runs.values()))
    taken: dict[int, list[Record]] = {}
    size_bytes = 0
    while remaining:
        for partition, records in runs.items():
            turn = records[at[partition] : at[partition] + _TURN_RECORDS]
            if turn:
                at[partition] += len(turn)
                remaining -= len(turn)
                taken.setdefault(partition, []).extend(turn)
                size_bytes += sum(record.size_bytes for record in turn)
                next_offsets[partition] = turn[-1].offset + 1
            full = _records(taken) >= settings.batch_records_max or size_bytes >= settings.batch_bytes_max
            if taken and (full or not remaining):
                yield Batch(tuple(taken[p] for p in sorted(taken)), tuple(next_offsets), size_bytes, remaining)
                taken, size_bytes = {}, 0


def _records(taken: Mapping[int, list[Record]]) -> int:
    return sum(map(len, taken.values()))


def _record(message: Message) -> Record:
    assert message.error() is None, message.error()
    return Record(message.key(), message.value(), message.partition(), message.offset(), message.timestamp()[1], None)
