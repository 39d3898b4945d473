"""Read requests, each with what its answer must contain."""

from base64 import urlsafe_b64encode
from dataclasses import dataclass
from random import Random

from bench.data import KEY_PREFIX, key
from bench.queries import MANY, ONE, PAGE, http_request

# Too many for any cache of answers, and few enough to prepare quickly.
_PREPARED_BYTES_MAX = 8_000_000
_PREPARED_MAX = 20_000
_PREPARED_MIN = 200


@dataclass(frozen=True, slots=True)
class Request:
    """A request as bytes, the keys that its answer must name, and the number of entries that it must hold."""

    data: bytes
    keys: tuple[bytes, ...]
    entries: int


def prepare(kind: str, keys_total: int, size: int, seed: int) -> list[Request]:
    """Prepare requests for `one` key, for `many` (`size` keys each) or for a `page` of `size` entries.

    Keys are drawn uniformly at random.
    """
    draw = Random(seed)  # noqa: S311 - no secret
    makers = {"one": _one, "many": _many, "page": _page}
    first = makers[kind](draw, keys_total, size)
    count = max(_PREPARED_MIN, min(_PREPARED_MAX, _PREPARED_BYTES_MAX // len(first.data)))
    return [makers[kind](draw, keys_total, size) for _ in range(count)]


def is_right(request: Request, body: bytes) -> bool:
    """Tell whether an answer has every key and as many entries as it must."""
    return (
        b'"errors"' not in body
        and body.count(b'"' + KEY_PREFIX) == request.entries
        and all(b'"' + named + b'"' in body for named in request.keys)
    )


def _one(draw: Random, keys_total: int, _: int) -> Request:
    wanted = key(draw.randrange(keys_total))
    return Request(http_request(ONE, {"key": wanted.decode()}), (wanted,), 1)


def _many(draw: Random, keys_total: int, size: int) -> Request:
    wanted = tuple(key(number) for number in draw.sample(range(keys_total), size))
    return Request(http_request(MANY, {"keys": [one.decode() for one in wanted]}), wanted, size)


def _page(draw: Random, keys_total: int, size: int) -> Request:
    before = draw.randrange(keys_total - size)
    after = urlsafe_b64encode(key(before)).rstrip(b"=").decode()
    return Request(http_request(PAGE, {"first": size, "after": after}), (key(before + 1), key(before + size)), size)
