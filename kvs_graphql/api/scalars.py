"""Scalars that GraphQL lacks."""

from typing import NewType

import strawberry
from graphql import GraphQLBoolean, GraphQLFloat, GraphQLID, GraphQLInt, GraphQLString
from strawberry.types.scalar import ScalarDefinition

Long = NewType("Long", int)
CursorToken = NewType("CursorToken", str)


def _long(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63:
        return value
    raise ValueError(f"Long cannot represent {value!r}")


def _token(value: object) -> str:
    if isinstance(value, str):
        return value
    raise ValueError("A cursor is a string")


SCALARS: dict[object, ScalarDefinition] = {
    Long: strawberry.scalar(
        name="Long",
        description="A 64-bit integer, as a JSON number.",
        serialize=_long,
        parse_value=_long,
    ),
    CursorToken: strawberry.scalar(
        name="Cursor",
        description="A position in the topic: opaque, URL-safe, the same on every replica.",
        serialize=_token,
        parse_value=_token,
    ),
}

WRITTEN_AS_THEY_ARE = frozenset(
    {
        *(GraphQLString.name, GraphQLID.name, GraphQLBoolean.name, GraphQLInt.name, "Long", "Cursor", "JSON"),
        # Typed data is shown by its codec; nothing else has floats, which are all finite.
        *(
            GraphQLFloat.name,
            "Int64",
            "Decimal",
            "Base64",
            "Date",
            "Time",
            "DateTime",
            "LocalDateTime",
            "Duration",
            "UUID",
        ),
    }
)
"""Scalars whose values, of the types that resolvers declare, the encoder writes just as serialization would.

Numbers are within their ranges: partitions and sizes are Kafka's own 32-bit integers, offsets its 64-bit ones.
"""
