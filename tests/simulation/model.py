"""Simulated topics."""

from random import Random

from kvs_graphql.records import Batch, Positions, Record
from tests.checkers import Log

TOPIC_ID = b"simulated-topic!"


class SimulatedLog(Log):
    """A random topic, and the batches in which a consumer might read it."""

    @classmethod
    def random(cls, random: Random, *, partitions: int, records: int, keys: int) -> "SimulatedLog":
        log = cls([[] for _ in range(partitions)], [0] * partitions)
        for number in range(records):
            key = b"%c%d" % (random.choice(b"ab"), random.randrange(keys))
            # As with Kafka's partitioners, a key has one partition.
            partition = sum(key) % partitions
            value = None if random.random() < 0.25 else b"v%d" % number
            log.ends[partition] += random.choice((0, 0, 0, 1, 2))
            log.partitions[partition].append(Record(key, value, partition, log.ends[partition], number, None))
            log.ends[partition] += 1
        log.ends = [end + random.randrange(2) for end in log.ends]
        return log

    def batch(self, random: Random, positions: Positions, *, records_max: int) -> Batch:
        """Return up to `records_max` records after `positions` in each of some partitions, as a consumer might."""
        runs, reached = [], list(positions) + [0] * (len(self.partitions) - len(positions))
        for partition, records in enumerate(self.partitions):
            run = [r for r in records if r.offset >= reached[partition]][: random.randint(0, records_max)]
            if run:
                runs.append(run)
                reached[partition] = run[-1].offset + 1
            if reached[partition] >= (records[-1].offset + 1 if records else 0) and random.random() < 0.5:
                reached[partition] = self.ends[partition]
        remaining = sum(self.ends) - sum(reached)
        return Batch(tuple(runs), tuple(reached), sum(r.size_bytes for run in runs for r in run), remaining)
