"""The one token of this service: Kafka positions of one topic, opaque to clients.

A cursor means the same on every replica, after a restart, and after the local database is deleted, for it
says nothing of this service: only which topic, and the next offset of every partition. The token is
`base64url(version, topic id, number of partitions, an offset each, the pending offsets, CRC-32 of all before)`,
numbers as unsigned LEB128.
"""

import binascii
from base64 import b64decode
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple
from zlib import crc32

from kvs_graphql.errors import BadCursor
from kvs_graphql.records import Positions

NO_TOPIC_ID = bytes(16)
"""Stands for a topic whose broker gives topics no id."""

_VERSION = b"\x01"
_CHECKSUM_BYTES = 4
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_HEAD_BYTES = len(_VERSION) + len(NO_TOPIC_ID)
_OFFSET_MAX = 2**63 - 1
_NUMBERS_KEPT = 1_024


class Cursor(NamedTuple):
    """A place in a topic: everything below `positions` has been seen. A partition left out counts as 0.

    A named tuple, as updates are, because every change makes one.
    """

    topic_id: bytes
    positions: Positions
    pending: Positions = ()
    """Not empty within a snapshot or another run of latest states: what was read there stood here. A key that
    was left out because it had changed since comes before this place is reached, but maybe not before; so what
    a client holds is whole only from here on, on whatever replica it goes on."""

    def encode(self) -> str:
        """The token: URL-safe, without padding."""
        numbers = map(_leb128, (len(self.positions), *self.positions, *self.pending))
        body = b"".join((_VERSION, self.topic_id, *numbers))
        token = binascii.b2a_base64(body + crc32(body).to_bytes(_CHECKSUM_BYTES, "big"), newline=False)
        return token.translate(_URL_SAFE).rstrip(b"=").decode()


def decode_cursor(token: str) -> Cursor:
    """The cursor of a token.

    Raises:
        BadCursor: The token is not one of this service, or was changed on its way.
    """
    try:
        raw = b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise BadCursor("The cursor is not a token of this service.") from None
    body, checksum = raw[:-_CHECKSUM_BYTES], raw[-_CHECKSUM_BYTES:]
    if len(body) <= _HEAD_BYTES or crc32(body).to_bytes(_CHECKSUM_BYTES, "big") != checksum:
        raise BadCursor("The cursor is not a token of this service, or not all of it.")
    if body[:1] != _VERSION:
        raise BadCursor("The cursor comes from a newer version of this service.")
    count, *offsets = _numbers(body[_HEAD_BYTES:])
    if count > len(offsets):
        raise BadCursor("The cursor lacks some of its offsets.")
    return Cursor(body[1:_HEAD_BYTES], tuple(offsets[:count]), tuple(offsets[count:]))


# From one change to the next, one partition's number is another.
@lru_cache(_NUMBERS_KEPT)
def _leb128(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _numbers(encoded: bytes) -> Iterator[int]:
    number = shift = 0
    for byte in encoded:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte & 0x80:
            continue
        if number > _OFFSET_MAX:
            raise BadCursor("The cursor holds an offset that Kafka cannot have.")
        yield number
        number = shift = 0
    if shift:
        raise BadCursor("The cursor ends within a number.")
