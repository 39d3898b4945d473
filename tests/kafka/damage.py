"""Batches on a broker's disk that no consumer can read."""

import struct

from tests.kafka.broker import KafkaBroker


def append_unreadable(broker: KafkaBroker, topic: str) -> None:
    """Append a batch of one record with a wrong checksum to partition 0, which has one record; restart the broker."""
    broker.stop()
    (segment,) = broker.log.parent.rglob(f"{topic}-0/00000000000000000000.log")
    batch = bytearray(segment.read_bytes())
    struct.pack_into(">q", batch, 0, 1)
    batch[-10] ^= 0xFF
    with segment.open("ab") as log:
        log.write(batch)
    broker.start()
