"""Read requests, each with what has to be in its answer."""

from base64 import urlsafe_b64encode
from dataclasses import dataclass
from random import Random

from bench.data import KEY_PREFIX, key
from bench.queries import MANY, ONE, PAGE, http_request

# Enough that no cache of answers could hold on to them, few enough to be made in a moment.
_PREPARED_BYTES_MAX = 8_000_000
_PREPARED_MAX = 20_000
_PREPARED_MIN = 200


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as bytes, and the keys that its answer must name; `entries` is how many it must hold."""

    request: bytes
    keys: tuple[bytes, ...]
    entries: int


def prepare(kind: str, keys_total: int, size: int, seed: int) -> list[Asked]:
    """Requests of a kind (`one`, `many`: `size` keys each, `page`: of `size` entries), keys drawn uniformly."""
    draw = Random(seed)  # noqa: S311 - no secret
    makers = {"one": _one, "many": _many, "page": _page}
    first = makers[kind](draw, keys_total, size)
    count = max(_PREPARED_MIN, min(_PREPARED_MAX, _PREPARED_BYTES_MAX // len(first.request)))
    return [makers[kind](draw, keys_total, size) for _ in range(count)]


def is_right(asked: Asked, body: bytes) -> bool:
    """Whether an answer has every key it should, and as many entries."""
    return (
        b'"errors"' not in body
        and body.count(b'"' + KEY_PREFIX) == asked.entries
        and all(b'"' + named + b'"' in body for named in asked.keys)
    )


def _one(draw: Random, keys_total: int, _: int) -> Asked:
    wanted = key(draw.randrange(keys_total))
    return Asked(http_request(ONE, {"key": wanted.decode()}), (wanted,), 1)


def _many(draw: Random, keys_total: int, size: int) -> Asked:
    wanted = tuple(key(number) for number in draw.sample(range(keys_total), size))
    return Asked(http_request(MANY, {"keys": [one.decode() for one in wanted]}), wanted, size)


def _page(draw: Random, keys_total: int, size: int) -> Asked:
    before = draw.randrange(keys_total - size)
    after = urlsafe_b64encode(key(before)).rstrip(b"=").decode()
    return Asked(http_request(PAGE, {"first": size, "after": after}), (key(before + 1), key(before + size)), size)
