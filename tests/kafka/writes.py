"""Pending writes for tests of the producer's parts."""

import asyncio
from itertools import count

from kvs_graphql.kafka.pending_write import PendingWrite
from kvs_graphql.records import Outgoing

_numbers = count()


def outgoing(value: bytes, partition: int = 0) -> Outgoing:
    """A write of one key."""
    return Outgoing(b"key", value, (), partition, 1_000)


def pending(value: bytes) -> PendingWrite:
    """A write that waits for its answer, with a higher number than the one before."""
    return PendingWrite(next(_numbers), outgoing(value), asyncio.get_running_loop().create_future())
