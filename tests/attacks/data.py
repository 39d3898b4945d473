"""The table under attack: many small values, some large JSON values, and keys with many changes."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice

import orjson

SMALL_PREFIX, BIG_PREFIX = "small-", "big-"
CHANGED, CHANGED_BIG = "changed", "changed-big"
CANARY = "canary"
BIG_BYTES = 900_000
_CHANGES = 1_000
_BIG_CHANGES = 10


@dataclass(frozen=True, slots=True)
class Table:
    """How many keys of each kind the table has."""

    small: int
    big: int

    def small_keys(self, count: int, first: int = 0) -> list[str]:
        """Return so many names of small values, from a number on; they start again after the last."""
        return [f"{SMALL_PREFIX}{number % self.small:06d}" for number in range(first, first + count)]

    def big_keys(self, count: int) -> list[str]:
        """Return so many names of large values; they start again after the last."""
        return list(islice(cycle(f"{BIG_PREFIX}{number:03d}" for number in range(self.big)), count))

    def records(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield everything that the topic holds."""
        for key in self.small_keys(self.small):
            yield key.encode(), small_value(key)
        shapes = [_many_lists(), _many_objects()]
        for key, value in zip(self.big_keys(self.big), cycle(shapes), strict=False):
            yield key.encode(), value
        for number in range(_CHANGES):
            yield CHANGED.encode(), b'{"change":%d,"text":"%s"}' % (number, b"c" * 64)
        for _ in range(_BIG_CHANGES):
            yield CHANGED_BIG.encode(), shapes[0]
        yield CANARY.encode(), b"0"


def small_value(key: str) -> bytes:
    """Return the value of a small key. It is not JSON."""
    return f"value of {key}".encode()


def _many_lists() -> bytes:
    """JSON whose objects take twenty times its bytes."""
    return b"[" + b",".join([b"[]"] * (BIG_BYTES // 3)) + b"]"


def _many_objects() -> bytes:
    """JSON as it usually is."""
    one = {"id": 1, "name": "something", "tags": ["a", "b"], "price": 1.5, "nested": {"on": True}}
    return orjson.dumps([one] * (BIG_BYTES // len(orjson.dumps(one))))
