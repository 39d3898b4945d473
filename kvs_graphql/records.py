"""The data that travels between the rooms: records, batches, commits, positions and headers."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import ge
from typing import NamedTuple

import orjson

from kvs_graphql.compat.orjson import compact

Positions = tuple[int, ...]
"""The offset of the next record to read in each partition, by partition number."""

Epochs = tuple[int, ...]
"""The leader epoch of the last record below some positions in each partition; -1, or left out, where it is unknown.

Each leader of a partition has an epoch of its own, above those of earlier ones. Two logs that have a record of the same
offset and epoch are the same up to there, so an epoch tells a log from one that was cut short and grew again (KIP-101).
"""
UNKNOWN_EPOCH = -1

_HEADER_BYTES = 64


class Record(NamedTuple):
    """One Kafka record. A named tuple, because millions of them become SQL parameters."""

    key: bytes
    value: bytes | None
    """None is a tombstone."""
    partition: int
    offset: int
    timestamp: int | None
    """Kafka's timestamp in milliseconds since 1970; None if the record has none."""
    headers: bytes | None
    """Encoded by `encode_headers`; None if the record has none."""

    @property
    def is_tombstone(self) -> bool:
        """Whether the record deletes its key."""
        return self.value is None

    @property
    def size_bytes(self) -> int:
        """The bytes of key, value and headers."""
        return len(self.key) + len(self.value or b"") + len(self.headers or b"")


@dataclass(frozen=True, slots=True)
class Batch:
    """Records read from Kafka, and the positions that they lead to.

    `positions` can lie beyond the last record, because transaction markers and compacted offsets advance them, too.
    """

    runs: tuple[list[Record], ...]
    """One run per partition with records, by ascending partition; each is ordered by offset."""
    positions: Positions
    size_bytes: int
    """The bytes of all keys, values and headers."""
    remaining: int
    """The number of offsets known to follow this batch; 0 at the end of the topic."""
    epochs: Epochs = ()
    """Of each partition, the leader epoch of what lies just below `positions`."""


@dataclass(frozen=True, slots=True)
class Commit:
    """A committed batch: the changes to publish, in order, and the positions before and after them."""

    before: Positions
    after: Positions
    changes: list[Record]
    size_bytes: int
    epochs: Epochs = ()
    """The leader epochs at `after`."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record to be written to Kafka."""

    key: bytes
    value: bytes | None
    """None is a tombstone."""
    headers: tuple[tuple[str, bytes | None], ...]
    partition: int
    timestamp_ms: int
    size_bytes: int = field(init=False)
    """The bytes of key, value and headers, with an allowance for each header."""

    def __post_init__(self) -> None:
        headers = sum(_HEADER_BYTES + len(name.encode()) + len(value or b"") for name, value in self.headers)
        object.__setattr__(self, "size_bytes", len(self.key) + len(self.value or b"") + headers)


@dataclass(frozen=True, slots=True)
class Written:
    """The partition, offset and timestamp of a written record that all in-sync replicas acknowledged."""

    partition: int
    offset: int
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class Interest:
    """The keys that a watcher wants: these keys, and those with this prefix; all keys if neither is given."""

    keys: frozenset[bytes] | None = None
    prefix: bytes | None = None
    more_prefixes: tuple[bytes, ...] = ()
    """Besides `prefix`; none of all is within another one."""

    @property
    def prefixes(self) -> tuple[bytes, ...]:
        """All prefixes of the keys that it wants."""
        return () if self.prefix is None else (self.prefix, *self.more_prefixes)

    @property
    def everything(self) -> bool:
        """Whether every key matches because neither keys nor a prefix are given."""
        return self.keys is None and self.prefix is None

    def matches(self, key: bytes) -> bool:
        """Return whether the watcher wants this key."""
        if self.keys is not None and key in self.keys:
            return True
        return self.everything if self.prefix is None else key.startswith(self.prefixes)


class EpochEnd(NamedTuple):
    """A leader epoch, and the offset at which it ended: the log's end if it is the last."""

    epoch: int
    offset: int


def was_cut(position: int, epoch: int, end: EpochEnd) -> bool:
    """Return whether a log that had `epoch` and reached `position` was cut short since, below that.

    `end` is what a broker says about that epoch: the last epoch of its log that is not above it, and where that ended.
    """
    return end.epoch != epoch or end.offset < position


def position_in(positions: Positions, partition: int) -> int:
    """Return the position of a partition; 0 for a partition that was added later."""
    return positions[partition] if partition < len(positions) else 0


def epoch_in(epochs: Epochs, partition: int) -> int:
    """Return the epoch of a partition; `UNKNOWN_EPOCH` where it is left out."""
    return epochs[partition] if partition < len(epochs) else UNKNOWN_EPOCH


def advance(positions: Positions, partition: int, next_offset: int) -> Positions:
    """Return `positions` with one partition moved to `next_offset`, but never back."""
    moved = list(positions) + [0] * (partition + 1 - len(positions))
    moved[partition] = max(moved[partition], next_offset)
    return tuple(moved)


def merge(one: Positions, other: Positions) -> Positions:
    """Return the greater position of each partition."""
    # Most are equal, and a topic may have thousands of partitions.
    if one == other or not other:
        return one
    common = tuple(map(max, one, other))
    return common + (one if len(one) > len(other) else other)[len(common) :]


def covers(reached: Positions, wanted: Positions) -> bool:
    """Return whether `reached` is at or past `wanted` in every partition."""
    return reached == wanted or (all(map(ge, reached, wanted)) and not any(wanted[len(reached) :]))


def encode_headers(headers: tuple[tuple[str, bytes | None], ...]) -> bytes | None:
    """Encode Kafka's headers. The bytes keep their order, repeated names, and empty and missing values."""
    if not headers:
        return None
    # Latin-1 maps every byte to one character and back.
    return compact(orjson.dumps([(key, None if value is None else value.decode("latin-1")) for key, value in headers]))


def decode_headers(encoded: bytes | None) -> Iterator[tuple[str, bytes | None]]:
    """Yield the headers that `encode_headers` encoded."""
    for key, value in orjson.loads(encoded) if encoded else ():
        yield key, None if value is None else value.encode("latin-1")
