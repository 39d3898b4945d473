"""From what aiokafka hands over to batches that the store applies."""

from collections.abc import Iterable, Mapping
from typing import Any

from kvs_graphql.records import Batch, Positions, Record, advance, encode_headers, position_in

_NO_TIMESTAMP = -1


class Gathering:
    """Records fetched and not handed to the store yet."""

    def __init__(self, positions: Positions, *, empty_tombstones: bool) -> None:
        self._empty_tombstones = empty_tombstones
        self._applied = positions
        self._positions = positions
        self._runs: dict[int, list[Record]] = {}
        self.records = 0
        self.size_bytes = 0

    @property
    def worth_applying(self) -> bool:
        """Whether there is anything: a record, or a position that moved without one."""
        return self._positions != self._applied

    def add(self, fetched: Mapping[Any, list[Any]]) -> int:
        """Add what `AIOKafkaConsumer.getmany` returned; the number of records skipped for want of a key."""
        skipped = 0
        for topic_partition, messages in fetched.items():
            partition: int = topic_partition.partition
            records = self._records(partition, messages)
            skipped += len(messages) - len(records)
            if records:
                self._runs.setdefault(partition, []).extend(records)
                self.records += len(records)
                self.size_bytes += sum([len(r.key) + len(r.value or b"") + len(r.headers or b"") for r in records])
            if messages:
                self.moved_to(partition, messages[-1].offset + 1)
        return skipped

    def moved_to(self, partition: int, position: int) -> None:
        """The consumer's position: past transaction markers and compacted offsets too."""
        if position > position_in(self._positions, partition):
            self._positions = advance(self._positions, partition, position)

    def remaining(self, end_offsets: Positions) -> int:
        """How many offsets lie between what is gathered and those ends."""
        return sum(max(0, end - position_in(self._positions, p)) for p, end in enumerate(end_offsets))

    def take(self, end_offsets: Positions) -> Batch:
        """Everything gathered, as one batch; the gathering is empty afterwards."""
        runs = tuple(self._runs[partition] for partition in sorted(self._runs))
        batch = Batch(runs, self._positions, self.size_bytes, self.remaining(end_offsets))
        self._applied, self._runs, self.records, self.size_bytes = self._positions, {}, 0, 0
        return batch

    def _records(self, partition: int, messages: Iterable[Any]) -> list[Record]:
        # One expression, for a million records pass here.
        tombstone = b"" if self._empty_tombstones else None
        return [
            Record(
                message.key,
                tombstone if message.value is None else message.value,
                partition,
                message.offset,
                None if message.timestamp == _NO_TIMESTAMP else message.timestamp,
                encode_headers(message.headers) if message.headers else None,
            )
            for message in messages
            if message.key is not None
        ]
