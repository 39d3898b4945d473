"""The data of every benchmark: records of 110 bytes, and the stamp in each value that subscribers read back."""

from collections.abc import Iterator
from random import Random
from time import time_ns

RECORD_BYTES = 110
"""Size of key and value together."""
PARTITIONS = 4
KEY_BYTES = 12
VALUE_BYTES = RECORD_BYTES - KEY_BYTES
KEY_PREFIX = b"key-"

MARK = b"@"
_RUN_DIGITS, _KEY_DIGITS, _NUMBER_DIGITS, _TIME_DIGITS = 4, 8, 8, 16
STAMP_BYTES = len(MARK) + _RUN_DIGITS + _KEY_DIGITS + _NUMBER_DIGITS + _TIME_DIGITS
_KEY_AT = len(MARK) + _RUN_DIGITS
_NUMBER_AT = _KEY_AT + _KEY_DIGITS
_TIME_AT = _NUMBER_AT + _NUMBER_DIGITS
_NS_PER_US = 1_000


def key(number: int) -> bytes:
    """Return the key with this number."""
    return b"key-%08d" % number


def value(number: int) -> bytes:
    """Return a value that contains the number, in plain text: it is as long in JSON as in Kafka."""
    return b"%016d" % number + b"v" * (VALUE_BYTES - 16)


def records(count: int, keys: int, seed: int = 1) -> Iterator[tuple[bytes, bytes]]:
    """Yield records whose keys are drawn uniformly at random; with as many records as keys, each key once."""
    draw = Random(seed).randrange  # noqa: S311 - no secret
    for number in range(count):
        yield key(number if count == keys else draw(keys)), value(number)


def stamped(run: int, key_number: int, number: int) -> bytes:
    """Return a value that carries its run, its key, its sequence number within the key, and the time."""
    return filled(stamp(run, key_number, number))


def stamp(run: int, key_number: int, number: int) -> bytes:
    """Return what `read_stamp` reads."""
    return b"@%04d%08d%08d%016d" % (run, key_number, number, time_ns() // _NS_PER_US)


def filled(start: bytes) -> bytes:
    """Pad the start of a value to the usual length."""
    return start + b"v" * (VALUE_BYTES - len(start))


def read_stamp(text: bytes, at: int) -> tuple[int, int, int, int]:
    """Return run, key number, sequence number and microseconds since 1970 of the stamp at this index."""
    return (
        int(text[at + 1 : at + _KEY_AT]),
        int(text[at + _KEY_AT : at + _NUMBER_AT]),
        int(text[at + _NUMBER_AT : at + _TIME_AT]),
        int(text[at + _TIME_AT : at + STAMP_BYTES]),
    )
