"""From the records that aiokafka returns to batches that the store applies."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kvs_graphql.kafka.envelopes import Envelopes
from kvs_graphql.kafka.epochs import FetchedEpochs
from kvs_graphql.records import Batch, Positions, Record, advance, encode_headers, position_in

_NO_TIMESTAMP = -1


class BatchBuilder:
    """Collects fetched records until the store takes them."""

    def __init__(
        self,
        positions: Positions,
        epochs: FetchedEpochs | None = None,
        *,
        empty_tombstones: bool,
        envelopes: Envelopes | None = None,
    ) -> None:
        """What `envelopes` take for a delete is collected as a tombstone."""
        self._envelopes = envelopes
        self._empty_tombstones = empty_tombstones
        self._epochs = epochs or FetchedEpochs(())
        self._taken = positions
        self._positions = positions
        self.gapless_from = positions
        """From which offset of each partition on every record was collected: compaction has dropped none of them."""
        self._runs: dict[int, list[Record]] = {}
        self.records = 0
        self.size_bytes = 0

    @property
    def has_progress(self) -> bool:
        """Whether there is something to apply: a record, or a position that moved without one."""
        return self._positions != self._taken

    def add(self, fetched: Mapping[Any, list[Any]]) -> int:
        """Add what `AIOKafkaConsumer.getmany` returned. Return how many records were skipped because they have no key.

        Records of one partition come by ascending offset, over all calls.
        """
        skipped = 0
        for topic_partition, messages in fetched.items():
            partition: int = topic_partition.partition
            records = self._records(partition, messages)
            if self._envelopes is not None:
                records = [_opened(record, self._envelopes) for record in records]
            skipped += len(messages) - len(records)
            if records:
                self._runs.setdefault(partition, []).extend(records)
                self.records += len(records)
                self.size_bytes += sum([len(r.key) + len(r.value or b"") + len(r.headers or b"") for r in records])
            if messages:
                end = messages[-1].offset + 1
                if end - self.position(partition) != len(messages):
                    self.gapless_from = advance(self.gapless_from, partition, _start_of_last_run(messages))
                self._positions = advance(self._positions, partition, end)
        return skipped

    def position(self, partition: int) -> int:
        """Return the offset of the next record to collect from a partition."""
        return position_in(self._positions, partition)

    def move_to(self, partition: int, position: int) -> None:
        """Move a partition's position forward. Transaction markers and compacted offsets do so without records."""
        if position > position_in(self._positions, partition):
            self._positions = advance(self._positions, partition, position)
            self.gapless_from = advance(self.gapless_from, partition, position)

    def remaining(self, end_offsets: Positions) -> int:
        """Return how many offsets lie between the collected positions and these ends."""
        return sum(max(0, end - position_in(self._positions, p)) for p, end in enumerate(end_offsets))

    def take(self, end_offsets: Positions) -> Batch:
        """Return everything collected as one batch, and empty the builder."""
        runs = tuple(self._runs[partition] for partition in sorted(self._runs))
        epochs = self._epochs.at(self._positions)
        batch = Batch(runs, self._positions, self.size_bytes, self.remaining(end_offsets), epochs)
        self._taken, self._runs, self.records, self.size_bytes = self._positions, {}, 0, 0
        return batch

    def _records(self, partition: int, messages: Iterable[Any]) -> list[Record]:
        # One expression, because this runs for every record.
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


def _opened(record: Record, envelopes: Envelopes) -> Record:
    is_delete = record.value is not None and envelopes.is_delete(record.value)
    return record._replace(value=None) if is_delete else record


def _start_of_last_run(messages: Sequence[Any]) -> int:
    """Return the offset from which on no offset is missing."""
    expected: int = messages[-1].offset
    for message in reversed(messages):
        if message.offset != expected:
            break
        expected -= 1
    return expected + 1
