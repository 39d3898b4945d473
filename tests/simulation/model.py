"""Simulated topics: logs that grow, are compacted, and are cut short."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from random import Random

from kvs_graphql.records import EpochEnd, Positions, Record
from tests.checkers import Log

TOPIC_ID = b"simulated-topic!"
START_MS = 1_000_000_000
"""The brokers' time of day as a simulation begins."""
DAY_MS = 86_400_000


@dataclass
class SimulatedLog(Log):
    """A topic as one line of leaders knows it. A cut begins another log, which agrees with this one up to `agrees`."""

    keys: int = 1
    timestamps_ahead_ms_max: int | None = None
    """How far ahead of the brokers' clock timestamps may be; None: as far as they like."""
    leaders: list[list[tuple[int, int]]] = field(default_factory=list)
    """Of each partition, the epochs of its leaders and where they begin."""
    agrees: Positions = ()
    clean_ends: list[int] = field(default_factory=list)
    """Up to where each partition was compacted."""
    _horizons: dict[tuple[int, int], float] = field(default_factory=dict)
    """From when on a tombstone may go, by partition and offset."""
    _numbers: Iterator[int] = field(default_factory=count)

    @classmethod
    def empty(cls, partitions: int, keys: int, timestamps_ahead_ms_max: int | None) -> "SimulatedLog":
        """Begin a topic."""
        log = cls([[] for _ in range(partitions)], [0] * partitions, keys=keys)
        log.timestamps_ahead_ms_max = timestamps_ahead_ms_max
        log.leaders, log.clean_ends = [[(0, 0)] for _ in range(partitions)], [0] * partitions
        return log

    @property
    def epochs(self) -> Positions:
        """The epoch of each partition's leader."""
        return tuple(leaders[-1][0] for leaders in self.leaders)

    def write(self, random: Random, records: int, now_ms: float) -> None:
        """Append records. Their producers' clocks say what they like, as far as the brokers accept it."""
        for number in (next(self._numbers) for _ in range(records)):
            key = b"%c%d" % (random.choice(b"ab"), random.randrange(self.keys))
            # As with Kafka's partitioners, a key has one partition.
            partition = sum(key) % len(self.partitions)
            value = None if random.random() < 0.35 else b"v%d" % number
            # Transaction markers and aborted records leave gaps.
            self.ends[partition] += random.choice((0, 0, 0, 1, 2))
            ahead = DAY_MS if self.timestamps_ahead_ms_max is None else self.timestamps_ahead_ms_max
            timestamp = int(now_ms) + random.choice((0, ahead, random.randint(-DAY_MS, ahead)))
            self.partitions[partition].append(Record(key, value, partition, self.ends[partition], timestamp, None))
            self.ends[partition] += 1
        self.ends = [end + random.choice((0, 0, 1)) if records else end for end in self.ends]

    def present(self, partition: int, start: int) -> list[Record]:
        """Return the records of a partition from an offset on that compaction has left."""
        gone = self.superseded | self.forgotten
        return [r for r in self.partitions[partition] if r.offset >= start and (partition, r.offset) not in gone]

    def epoch_at(self, partition: int, offset: int) -> int:
        """Return the epoch of the leader that appended at an offset."""
        return max(epoch for epoch, start in self.leaders[partition] if start <= offset)

    def epoch_end(self, partition: int, asked: int) -> EpochEnd:
        """Answer OffsetForLeaderEpoch: the last epoch that is not above the given one, and where it ended."""
        leaders = self.leaders[partition]
        if asked > leaders[-1][0]:
            return EpochEnd(-1, -1)
        found = max((i for i, (epoch, _) in enumerate(leaders) if epoch <= asked), default=None)
        if found is None:
            return EpochEnd(-1, -1)
        is_last = found + 1 == len(leaders)
        return EpochEnd(leaders[found][0], self.ends[partition] if is_last else leaders[found + 1][1])

    def elect(self, partition: int) -> None:
        """Let a partition have a new leader, which appends from the partition's end on."""
        epoch, end = self.leaders[partition][-1][0] + 1, self.ends[partition]
        # As in Kafka, leaders that appended nothing are forgotten.
        self.leaders[partition] = [leader for leader in self.leaders[partition] if leader[1] < end] + [(epoch, end)]

    def cut(self, random: Random) -> "SimulatedLog":
        """Return a log that lacks the end of some partitions: an unclean election made followers their leaders.

        What was compacted is kept. A follower that lacks records for which others have dropped earlier ones leads to
        losses in Kafka itself, which no reader can know of.
        """
        agrees = [self._some_end(random, p) if random.random() < 0.7 else end for p, end in enumerate(self.ends)]
        partitions = [[r for r in records if r.offset < agrees[p]] for p, records in enumerate(self.partitions)]
        log = SimulatedLog(partitions, list(agrees), set(self.superseded), set(self.forgotten), self.keys)
        log.timestamps_ahead_ms_max = self.timestamps_ahead_ms_max
        log.clean_ends, log.agrees, log._horizons = list(self.clean_ends), tuple(agrees), dict(self._horizons)
        log.leaders, log._numbers = [list(leaders) for leaders in self.leaders], self._numbers
        for partition, end in enumerate(self.ends):
            if agrees[partition] < end:
                log.elect(partition)
        # The epochs of leaders are the controller's: a cut does not take them back.
        return log

    def _some_end(self, random: Random, partition: int) -> int:
        """Return where the log of a partition could have ended: not within what was compacted, nor just after it."""
        gone = self.superseded | self.forgotten
        found = range(self.clean_ends[partition], self.ends[partition] + 1)
        return random.choice([end for end in found if (partition, end - 1) not in gone] or [self.ends[partition]])

    def compact(self, random: Random, now_ms: float, retention_ms: float) -> None:
        """Remove records that later ones supersede, and tombstones whose time has come.

        A tombstone stays for the topic's `delete.retention.ms` after a compaction has left nothing below it.
        """
        for partition, end in enumerate(self.ends):
            clean_end = max(self.clean_ends[partition], random.choice((end, random.randint(0, end))))
            self.clean_ends[partition] = clean_end
            last = {record.key: record for record in self.partitions[partition] if record.offset < clean_end}
            for record in self.partitions[partition]:
                at = partition, record.offset
                if record.offset < clean_end and record is not last[record.key]:
                    self.superseded.add(at)
                # As in Kafka, the last segment stays.
                elif record.offset < clean_end and record.is_tombstone and record is not self.partitions[partition][-1]:
                    horizon = self._horizons.setdefault(at, now_ms + retention_ms)
                    if now_ms >= horizon and random.random() < 0.9:
                        self.forgotten.add(at)
