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
    """Data that is encoded already."""

    json: bytearray


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
    return b"".join([b'{"data":', data.json, end])


async def encoded_in_turns(data: dict[str, Any], budget: Budget) -> Encoded:
    """Encode data in turns, an item or a field at a time.

    Raises:
        BudgetExceeded: It has more bytes than a response may have, or takes too long.
    """
    # Small parts are not kept as objects of their own: each would take some kilobytes.
    json = bytearray()
    await _encode_into(json, data, budget)
    return Encoded(json)


async def _encode_into(json: bytearray, value: Any, budget: Budget) -> None:
    if isinstance(value, dict) and value:
        opening = b"{"
        for name, below in value.items():
            json += opening + encode(name) + b":"
            await _encode_into(json, below, budget)
            opening = b","
        json += b"}"
    elif isinstance(value, list) and value:
        opening = b"["
        for item in value:
            json += opening
            await _encode_into(json, item, budget)
            opening = b","
        json += b"]"
    else:
        json += encode(value)
        budget.check_bytes(len(json))
        if budget.turn_is_over:
            await budget.turn()


def _as_it_is(value: Any) -> orjson.Fragment:
    if isinstance(value, JsonText):
        return orjson.Fragment(value.text)
    raise TypeError
