"""A topic read as fast as it goes, apart from the service: into batches as the service makes them."""

from collections.abc import Iterator, Mapping

from confluent_kafka import Consumer, Message, TopicPartition

from bench.data import PARTITIONS
from kvs_graphql.records import Batch, Positions, Record
from kvs_graphql.settings import Settings

Runs = dict[int, list[Record]]
_AT_ONCE = 10_000
_WAIT_SECONDS = 10.0
_TURN_RECORDS = 5_000
"""What the service's consumer takes of one partition before it comes to the next."""


def read_from(bootstrap_servers: str, topic: str, positions: Positions) -> Runs:
    """Every record from these positions to the end, by partition."""
    consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": "bench", "log_level": 3})
    try:
        starts = [TopicPartition(topic, p, positions[p] if p < len(positions) else 0) for p in range(PARTITIONS)]
        ends = {one.partition: consumer.get_watermark_offsets(one)[1] for one in starts}
        missing = sum(ends[one.partition] - one.offset for one in starts)
        consumer.assign(starts)
        runs: Runs = {one.partition: [] for one in starts}
        while missing > 0:
            messages = consumer.consume(_AT_ONCE, _WAIT_SECONDS)
            assert messages, f"{missing} records are not there"
            missing -= len(messages)
            for message in messages:
                record = _record(message)
                runs[record.partition].append(record)
        return runs
    finally:
        consumer.close()


def batches(runs: Runs, positions: Positions, settings: Settings) -> Iterator[Batch]:
    """The batches that the service would make of them, far behind: all partitions in turn, up to its limits."""
    at = dict.fromkeys(runs, 0)
    places = [positions[p] if p < len(positions) else 0 for p in sorted(runs)]
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
                places[partition] = turn[-1].offset + 1
            full = _records(taken) >= settings.batch_records_max or size_bytes >= settings.batch_bytes_max
            if taken and (full or not remaining):
                yield Batch(tuple(taken[p] for p in sorted(taken)), tuple(places), size_bytes, remaining)
                taken, size_bytes = {}, 0


def _records(taken: Mapping[int, list[Record]]) -> int:
    return sum(map(len, taken.values()))


def _record(message: Message) -> Record:
    assert message.error() is None, message.error()
    return Record(message.key(), message.value(), message.partition(), message.offset(), message.timestamp()[1], None)
