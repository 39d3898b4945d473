"""Cursors: Kafka positions of one topic, as tokens that are opaque to clients.

A cursor holds only the topic's id, and for every partition the next offset and the leader epoch of the last record
below it. So it means the same on every replica, after a restart, and after the local database is deleted. The token is
`base64url(version, topic id, number of partitions, an offset for each, an epoch for each, the pending offsets, CRC-32
of all before)`, with numbers in unsigned LEB128 (DWARF 4, section 7.6). For an epoch it is one more, so that 0 means
unknown. Version 1 has no epochs; cursors without any known epoch are of that version.

Where tables have names, a token is `name.part`, with that base64url as the part, and a token of several tables is such
labelled parts joined by `~`. The checksum of a part covers its label.
"""

import binascii
from base64 import b64decode
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple, Protocol
from zlib import crc32

from kvs_graphql.errors import BadCursor
from kvs_graphql.records import UNKNOWN_EPOCH, Epochs, Positions, Record, epoch_in

NO_TOPIC_ID = bytes(16)
"""The topic id of cursors and tables if the broker gives topics no ids."""

_VERSION, _VERSION_WITH_EPOCHS = b"\x01", b"\x02"
_CHECKSUM_BYTES = 4
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_HEAD_BYTES = len(_VERSION) + len(NO_TOPIC_ID)
_NUMBER_BITS_MAX = 63
_EPOCH_MAX = 2**31 - 1
_OFFSET_MAX = 2**_NUMBER_BITS_MAX - 1
# More than the partitions of a topic, and tables whose cursors are encoded at the same time.
_NUMBERS_CACHED = 16_384
_EPOCHS_CACHED = 64
_LABEL_END, _BETWEEN = ".", "~"


class Cursor(NamedTuple):
    """Positions in a topic: everything below them has been seen. A partition that is left out counts as 0.

    A named tuple, as updates are, because every change creates one.
    """

    topic_id: bytes
    positions: Positions
    pending: Positions = ()
    """The positions of the table that a snapshot, or another run of latest states, was read from; empty outside of
    such runs. A run leaves out keys that changed while it was read, and their changes follow below these positions. So
    the client holds a consistent table only once it has reached them, on whatever replica it resumes."""
    epochs: Epochs = ()
    """Of each partition, a leader epoch of the log that led here: that of the last record below the position, or a
    later one that this log had, too. Empty if none is known."""
    table: str = ""
    """The name of the topic's table, with which the token is labelled; empty for the only table, which has none."""

    def encode(self) -> str:
        """Return the token: URL-safe."""
        version, epochs = _encode_epochs(self.epochs, len(self.positions))
        head = map(_leb128, (len(self.positions), *self.positions))
        body = b"".join((version, self.topic_id, *head, epochs, *map(_leb128, self.pending)))
        return _label(self.table) + _token(body, _seed(self.table))

    def cursor_at(self, record: Record | None) -> "Cursor":
        """Return this cursor, whatever the record: see `CursorSource`."""
        return self

    def token_at(self, record: Record | None) -> str:
        """Return the token of this cursor, whatever the record: see `CursorSource`."""
        return self.encode()


class PartitionCursors:
    """The cursors just after records of one partition, while the positions of all other partitions stay the same.

    What their tokens have in common is encoded once.
    """

    __slots__ = ("_epochs", "_head", "_higher", "_label", "_lower", "_seed", "_table", "_tail", "_topic_id")

    def __init__(
        self, topic_id: bytes, lower: Positions, higher: Positions, epochs: Epochs = (), table: str = ""
    ) -> None:
        self._topic_id = topic_id
        self._lower = lower
        self._higher = higher
        self._epochs = epochs
        self._table = table
        self._label, self._seed = _label(table), _seed(table)
        count = len(lower) + 1 + len(higher)
        version, encoded_epochs = _encode_epochs(epochs, count)
        self._head = b"".join((version, topic_id, *map(_leb128, (count, *lower))))
        self._tail = b"".join((*map(_leb128, higher), encoded_epochs))

    def cursor_at(self, record: Record | None) -> Cursor:
        """Return the cursor just after a record of this partition."""
        assert record is not None
        return Cursor(self._topic_id, (*self._lower, record.offset + 1, *self._higher), (), self._epochs, self._table)

    def token_at(self, record: Record | None) -> str:
        """Return the token of the cursor just after a record of this partition."""
        assert record is not None
        return self._label + _token(self._head + _encoded(record.offset + 1) + self._tail, self._seed)


class CursorSource(Protocol):
    """The cursor of an update, or what makes it from the update's record on demand."""

    def cursor_at(self, record: Record | None) -> Cursor:
        """Return the cursor of the update with this record; None if the update has none."""

    def token_at(self, record: Record | None) -> str:
        """Return the token of that cursor."""


def join_tokens(tokens: Iterable[str]) -> str:
    """Return the token of the cursors of several tables."""
    return _BETWEEN.join(tokens)


def decode_cursor(token: str, table: str = "") -> Cursor:
    """Return a table's cursor, which may be one part of the token.

    Raises:
        BadCursor: The token is not one of this service, or was altered, or has no part of that table.
    """
    part = _part_of(token, table)
    try:
        raw = b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise BadCursor("The cursor is not a token of this service.") from None
    body, checksum = raw[:-_CHECKSUM_BYTES], raw[-_CHECKSUM_BYTES:]
    if len(body) <= _HEAD_BYTES or crc32(body, _seed(table)).to_bytes(_CHECKSUM_BYTES, "big") != checksum:
        raise BadCursor("The cursor is not a token of this service, or is incomplete.")
    if body[:1] not in (_VERSION, _VERSION_WITH_EPOCHS):
        raise BadCursor("A newer version of this service made the cursor.")
    count, *numbers = _numbers(body[_HEAD_BYTES:])
    pending = count if body[:1] == _VERSION else 2 * count
    if pending > len(numbers):
        raise BadCursor("The cursor has fewer offsets than partitions.")
    epochs = tuple(number - 1 for number in numbers[count:pending])
    epochs = epochs if max(epochs, default=UNKNOWN_EPOCH) > UNKNOWN_EPOCH else ()
    if max(epochs, default=0) > _EPOCH_MAX:
        raise BadCursor("The cursor has a leader epoch that exceeds Kafka's maximum.")
    return Cursor(body[1:_HEAD_BYTES], tuple(numbers[:count]), tuple(numbers[pending:]), epochs, table)


def _part_of(token: str, table: str) -> str:
    """Return the part of a token that is labelled with a table's name, without the label."""
    if not table:
        if _LABEL_END in token:
            raise BadCursor("The cursor is of a service whose tables have names; the table of this one has none.")
        return token
    label = _label(table)
    part = next((part for part in token.split(_BETWEEN) if part.startswith(label)), None)
    if part is None:
        raise BadCursor(f"The cursor has no part of the table `{table}`.", table=table)
    return part.removeprefix(label)


def _label(table: str) -> str:
    return f"{table}{_LABEL_END}" if table else ""


def _seed(table: str) -> int:
    """What a part's checksum begins with: so a part that was moved to another label is noticed."""
    return crc32(table.encode())


@lru_cache(_EPOCHS_CACHED)
def _encode_epochs(epochs: Epochs, count: int) -> tuple[bytes, bytes]:
    """Return the version of a token with these epochs, and its part with one for each partition."""
    if max(epochs[:count], default=UNKNOWN_EPOCH) == UNKNOWN_EPOCH:
        return _VERSION, b""
    return _VERSION_WITH_EPOCHS, b"".join([_leb128(epoch_in(epochs, partition) + 1) for partition in range(count)])


def _token(body: bytes, seed: int) -> str:
    token = binascii.b2a_base64(body + crc32(body, seed).to_bytes(_CHECKSUM_BYTES, "big"), newline=False)
    return token.translate(_URL_SAFE).rstrip(b"=").decode()


def _encoded(number: int) -> bytes:
    """Encode a number in unsigned LEB128."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


# Consecutive cursors differ in one partition's offset; all other numbers are in the cache.
_leb128 = lru_cache(_NUMBERS_CACHED)(_encoded)


def _numbers(encoded: bytes) -> Iterator[int]:
    number = shift = 0
    for byte in encoded:
        number |= (byte & 0x7F) << shift
        shift += 7
        # Checked at each byte: a token of megabytes that are all one number would stop the event loop for seconds.
        if number > _OFFSET_MAX or shift > _NUMBER_BITS_MAX:
            raise BadCursor("The cursor has an offset that exceeds Kafka's maximum.")
        if byte & 0x80:
            continue
        yield number
        number = shift = 0
    if shift:
        raise BadCursor("The cursor ends within a number.")
