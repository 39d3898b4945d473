"""Records and batches for tests of the store."""

from kvs_graphql.records import Batch, Positions, Record
from kvs_graphql.store import ReadBytes, WindowLimits

TOPIC_ID = b"0123456789abcdef"
ROOMY = WindowLimits(changes_max=1000, bytes_max=1_000_000, deletes_max=1000)


def record(key: bytes, value: bytes | None, offset: int, partition: int = 0) -> Record:
    """A record without a timestamp and headers."""
    return Record(key, value, partition, offset, None, None)


def batch(*records: Record, positions: Positions | None = None, remaining: int = 0) -> Batch:
    """A batch of these records, up to just after the last one of each partition or to `positions`."""
    partitions = sorted({r.partition for r in records})
    runs = tuple([r for r in records if r.partition == p] for p in partitions)
    reached = {run[0].partition: run[-1].offset + 1 for run in runs}
    filled = tuple(reached.get(p, 0) for p in range(max(partitions, default=-1) + 1))
    return Batch(runs, positions or filled, sum(r.size_bytes for r in records), remaining)


def enough() -> ReadBytes:
    """More bytes than any table of these tests has."""
    return ReadBytes(1_000_000)
