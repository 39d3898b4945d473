"""Simulated topics."""

from dataclasses import dataclass, field
from random import Random

from kvs_graphql.records import Batch, Positions, Record
from tests.checkers import Log

TOPIC_ID = b"simulated-topic!"


@dataclass
class SimulatedLog(Log):
    """A random topic, and the batches in which a consumer might read it."""

    compactions: int = 0
    _cleaned: dict[tuple[int, int], int] = field(default_factory=dict)
    """The compaction after which nothing was left below a tombstone, by partition and offset."""

    @classmethod
    def random(cls, random: Random, *, partitions: int, records: int, keys: int) -> "SimulatedLog":
        log = cls([[] for _ in range(partitions)], [0] * partitions)
        for number in range(records):
            key = b"%c%d" % (random.choice(b"ab"), random.randrange(keys))
            # As with Kafka's partitioners, a key has one partition.
            partition = sum(key) % partitions
            value = None if random.random() < 0.35 else b"v%d" % number
            log.ends[partition] += random.choice((0, 0, 0, 1, 2))
            log.partitions[partition].append(Record(key, value, partition, log.ends[partition], number, None))
            log.ends[partition] += 1
        log.ends = [end + random.randrange(2) for end in log.ends]
        return log

    @property
    def tombstones_end(self) -> Positions:
        """Where the last tombstone that compaction removed ended, in each partition."""
        return tuple(
            max((offset + 1 for p, offset in self.forgotten if p == partition), default=0)
            for partition in range(len(self.partitions))
        )

    def compact(self, random: Random, until: Positions, first_reads_since: int) -> None:
        """Remove records below `until` that a later one supersedes there, and some tombstones with nothing below.

        As in Kafka, a tombstone stays for a while after the records below it have gone: for longer than a first read
        takes. The oldest first read that goes on began after the given number of compactions.
        """
        self.compactions += 1
        for partition, end in enumerate(until):
            clean_end = random.choice((end, random.randint(0, end)))
            last = {record.key: record for record in self.partitions[partition] if record.offset < clean_end}
            for record in self.partitions[partition]:
                at = partition, record.offset
                if record.offset < clean_end and record is not last[record.key]:
                    self.superseded.add(at)
                elif record.offset < clean_end and record.is_tombstone:
                    cleaned = self._cleaned.setdefault(at, self.compactions)
                    if cleaned <= first_reads_since and random.random() < 0.9:
                        self.forgotten.add(at)

    def batch(self, random: Random, positions: Positions, *, records_max: int) -> Batch:
        """Return up to `records_max` records after `positions` in each of some partitions, as a consumer might."""
        runs, reached = [], list(positions) + [0] * (len(self.partitions) - len(positions))
        removed = self.superseded | self.forgotten
        for partition, all_records in enumerate(self.partitions):
            records = [r for r in all_records if (partition, r.offset) not in removed]
            run = [r for r in records if r.offset >= reached[partition]][: random.randint(0, records_max)]
            if run:
                runs.append(run)
                reached[partition] = run[-1].offset + 1
            if reached[partition] >= (records[-1].offset + 1 if records else 0) and random.random() < 0.5:
                reached[partition] = self.ends[partition]
        remaining = sum(self.ends) - sum(reached)
        return Batch(tuple(runs), tuple(reached), sum(r.size_bytes for run in runs for r in run), remaining)
