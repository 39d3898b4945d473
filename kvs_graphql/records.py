"""What travels between the rooms: records, batches of them, and what a commit made of a batch."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

Positions = tuple[int, ...]
"""For each partition, in order of its number, the offset of the next record to read."""


_HEADER_BYTES = 64


class Record(NamedTuple):
    """One Kafka record; a named tuple, because a million of them pass through as SQL parameters."""

    key: bytes
    value: bytes | None
    """None is a tombstone."""
    partition: int
    offset: int
    timestamp: int | None
    """Milliseconds since 1970 as Kafka gave them, or None where it has none."""
    headers: bytes | None
    """See `encode_headers`; None where there are none."""

    @property
    def size_bytes(self) -> int:
        """What the record weighs in a buffer: key, value and headers."""
        return len(self.key) + len(self.value or b"") + len(self.headers or b"")


@dataclass(frozen=True, slots=True)
class Batch:
    """Records read from Kafka, and how far they bring each partition.

    Each run holds records of one partition by ascending offset; runs ascend by partition. `positions` may
    stand past the last record: transaction markers and compacted offsets move it too.
    """

    runs: tuple[list[Record], ...]
    positions: Positions
    size_bytes: int
    """Of all keys, values and headers."""
    remaining: int
    """Offsets still to be read after this batch, as far as is known; 0 at the live end."""


@dataclass(frozen=True, slots=True)
class Commit:
    """A batch that is durable: the changes to publish in their order, the positions before and after them."""

    before: Positions
    after: Positions
    changes: list[Record]
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record on its way to Kafka: where it goes, and the time it is to have."""

    key: bytes
    value: bytes | None
    """None is a tombstone."""
    headers: tuple[tuple[str, bytes | None], ...]
    partition: int
    timestamp_ms: int
    size_bytes: int = field(init=False)
    """What the record weighs in a buffer: key, value and headers, with what it costs to hold each of these."""

    def __post_init__(self) -> None:
        headers = sum(_HEADER_BYTES + len(name.encode()) + len(value or b"") for name, value in self.headers)
        object.__setattr__(self, "size_bytes", len(self.key) + len(self.value or b"") + headers)


@dataclass(frozen=True, slots=True)
class Written:
    """Where in Kafka a record is, acknowledged by all replicas in sync, and the time that it has there."""

    partition: int
    offset: int
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class Interest:
    """Which keys a watcher wants: these, and those with this prefix. Neither given: all of them."""

    keys: frozenset[bytes] | None = None
    prefix: bytes | None = None

    @property
    def everything(self) -> bool:
        return self.keys is None and self.prefix is None

    def matches(self, key: bytes) -> bool:
        if self.keys is not None and key in self.keys:
            return True
        return self.everything if self.prefix is None else key.startswith(self.prefix)


def position_in(positions: Positions, partition: int) -> int:
    """The position of a partition; 0 for one that was added later."""
    return positions[partition] if partition < len(positions) else 0


def advance(positions: Positions, partition: int, next_offset: int) -> Positions:
    """`positions` with one partition moved to `next_offset`, never back."""
    moved = list(positions) + [0] * (partition + 1 - len(positions))
    moved[partition] = max(moved[partition], next_offset)
    return tuple(moved)


def merge(one: Positions, other: Positions) -> Positions:
    """The greater position of each partition."""
    longest = max(len(one), len(other))
    return tuple(max(position_in(one, p), position_in(other, p)) for p in range(longest))


def covers(reached: Positions, wanted: Positions) -> bool:
    """Whether `reached` stands at or past `wanted` in every partition."""
    return all(position_in(reached, p) >= offset for p, offset in enumerate(wanted))


def encode_headers(headers: tuple[tuple[str, bytes | None], ...]) -> bytes | None:
    """Kafka's headers as bytes that keep order, repeats, empty and missing values."""
    if not headers:
        return None
    # Latin-1 maps every byte to one character and back.
    return orjson.dumps([(key, None if value is None else value.decode("latin-1")) for key, value in headers])


def decode_headers(encoded: bytes | None) -> Iterator[tuple[str, bytes | None]]:
    """The reverse of `encode_headers`."""
    for key, value in orjson.loads(encoded) if encoded else ():
        yield key, None if value is None else value.encode("latin-1")
