"""Read requests, each with what its answer must contain."""

from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle
from random import Random
from typing import Any

from bench.data import KEY_PREFIX, key
from bench.queries import ENTRY, http_request, many, one, page

# Too many for any cache of answers, and few enough to prepare quickly.
_PREPARED_BYTES_MAX = 8_000_000
_PREPARED_MAX = 20_000
_PREPARED_MIN = 200

Named = tuple[str, dict[str, Any], tuple[bytes, ...], int]
"""A document, its variables, and the keys and number of entries of its answer."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request as bytes, the keys that its answer must name, and the number of entries that it must hold."""

    data: bytes
    keys: tuple[bytes, ...]
    entries: int


def prepare(
    kind: str, keys_total: int, size: int, seed: int, *, entry: str = ENTRY, tokens: Sequence[str] = ()
) -> list[Request]:
    """Prepare requests for `one` key, for `many` (`size` keys each) or for a `page` of `size` entries.

    Keys are drawn uniformly at random. `entry` is what is selected of each entry. With `tokens`, their principals ask
    in turn.
    """
    draw = Random(seed)  # noqa: S311 - no secret
    make = _MAKERS[kind]
    asking = cycle(tokens or [None])

    def request() -> Request:
        document, variables, keys, entries = make(draw, keys_total, size, entry)
        return Request(http_request(document, variables, token=next(asking)), keys, entries)

    first = request()
    count = max(_PREPARED_MIN, min(_PREPARED_MAX, _PREPARED_BYTES_MAX // len(first.data)))
    return [request() for _ in range(count)]


def is_right(request: Request, body: bytes) -> bool:
    """Tell whether an answer has every key and as many entries as it must."""
    return (
        b'"errors"' not in body
        and body.count(b'"' + KEY_PREFIX) == request.entries
        and all(b'"' + named + b'"' in body for named in request.keys)
    )


def _one(draw: Random, keys_total: int, _: int, entry: str) -> Named:
    wanted = key(draw.randrange(keys_total))
    return one(entry), {"key": wanted.decode()}, (wanted,), 1


def _many(draw: Random, keys_total: int, size: int, entry: str) -> Named:
    wanted = tuple(key(number) for number in draw.sample(range(keys_total), size))
    return many(entry), {"keys": [name.decode() for name in wanted]}, wanted, size


def _page(draw: Random, keys_total: int, size: int, entry: str) -> Named:
    before = draw.randrange(keys_total - size)
    after = urlsafe_b64encode(key(before)).rstrip(b"=").decode()
    return page(entry), {"first": size, "after": after}, (key(before + 1), key(before + size)), size


_MAKERS: dict[str, Callable[[Random, int, int, str], Named]] = {"one": _one, "many": _many, "page": _page}
