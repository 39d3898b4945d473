"""Results as JSON; large ones in turns."""

from dataclasses import dataclass
from typing import Any

import orjson
from graphql import GraphQLError

from kvs_graphql.api import JsonText
from kvs_graphql.budget import Budget


def encode(value: Any) -> bytes:
    """The JSON of a value."""
    return orjson.dumps(value, default=_as_it_is)


@dataclass(frozen=True, slots=True)
class Encoded:
    """Data that is encoded already, in parts that are joined once."""

    parts: list[bytes]


Data = dict[str, Any] | Encoded | None
"""The data of a result."""


def encode_result(data: Data, errors: list[GraphQLError], extensions: dict[str, Any] | None = None) -> bytes:
    """The JSON of a result."""
    result: dict[str, Any] = {"data": data}
    if errors:
        result["errors"] = [error.formatted for error in errors]
    if extensions:
        result["extensions"] = extensions
    if not isinstance(data, Encoded):
        return orjson.dumps(result, default=_as_it_is)
    del result["data"]
    end = b"," + encode(result)[1:] if result else b"}"
    return b"".join([b'{"data":', *data.parts, end])


async def encoded_in_turns(data: dict[str, Any], budget: Budget) -> Encoded:
    """Encode data in turns, an item or a field at a time.

    Raises:
        BudgetExceeded: It has more bytes than a response may have, or takes too long.
    """
    parts: list[bytes] = []
    await _encode_into(parts, data, _Size(budget))
    return Encoded(parts)


class _Size:
    """The bytes of a result so far."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self._bytes = 0

    async def add(self, part: bytes) -> bytes:
        self._bytes += len(part)
        self.budget.check_bytes(self._bytes)
        if self.budget.turn_is_over:
            await self.budget.turn()
        return part


async def _encode_into(parts: list[bytes], value: Any, size: _Size) -> None:
    if isinstance(value, dict) and value:
        opening = b"{"
        for name, below in value.items():
            parts.append(opening + encode(name) + b":")
            await _encode_into(parts, below, size)
            opening = b","
        parts.append(b"}")
    elif isinstance(value, list) and value:
        opening = b"["
        for item in value:
            parts.append(opening)
            await _encode_into(parts, item, size)
            opening = b","
        parts.append(b"]")
    else:
        parts.append(await size.add(encode(value)))


def _as_it_is(value: Any) -> orjson.Fragment:
    if isinstance(value, JsonText):
        return orjson.Fragment(value.text)
    raise TypeError
