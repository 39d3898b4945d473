"""What kinds of values a schema allows, as far as one look tells."""

from collections.abc import Sequence
from typing import Any

from kvs_graphql.formats.json_schema.model import JSON, Leaf, Model
from kvs_graphql.formats.shapes import ScalarKind

INT_MIN, INT_MAX = -(2**31), 2**31 - 1
INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
_BOOLEAN, _FLOAT, _STRING = Leaf(ScalarKind.BOOLEAN), Leaf(ScalarKind.FLOAT), Leaf(ScalarKind.STRING)
_INT, _INT64 = Leaf(ScalarKind.INT), Leaf(ScalarKind.INT64)
_FORMATS = {
    "date-time": Leaf(ScalarKind.DATETIME),
    "date": Leaf(ScalarKind.DATE),
    "time": Leaf(ScalarKind.TIME),
    "uuid": Leaf(ScalarKind.UUID),
    "duration": Leaf(ScalarKind.DURATION),
}


def kinds_of(schema: Any) -> set[str] | None:
    """The names of JSON's types that a schema allows; None if it does not name any."""
    kinds = schema.get("type") if isinstance(schema, dict) else None
    if isinstance(kinds, str):
        return {kinds}
    return {str(kind) for kind in kinds} if isinstance(kinds, list) else None


def is_null(schema: Any) -> bool:
    """Whether a schema allows null, and nothing else."""
    if not isinstance(schema, dict):
        return False
    return (
        kinds_of(schema) == {"null"} or schema.get("enum") == [None] or ("const" in schema and schema["const"] is None)
    )


def constant_of(schema: Any) -> str | None:
    """The only string that a schema allows."""
    if not isinstance(schema, dict):
        return None
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    one = isinstance(values, list) and len(values) == 1 and isinstance(values[0], str)
    return values[0] if one and values is not None else None


def leaf_of(schema: dict[str, Any], kinds: set[str]) -> Leaf | None:
    """The scalar for one of JSON's types, or for both of its numbers."""
    if kinds == {"string"}:
        return _FORMATS.get(str(schema.get("format")), _STRING)
    if kinds == {"boolean"}:
        return _BOOLEAN
    if kinds == {"integer"}:
        return _integer(schema)
    return _FLOAT if kinds in ({"number"}, {"number", "integer"}) else None


def values_leaf(values: Sequence[Any]) -> Model:
    """The scalar of some constants."""
    if values and all(isinstance(value, str) for value in values):
        return _STRING
    if values and all(isinstance(value, bool) for value in values):
        return _BOOLEAN
    if values and all(_is_integer(value) for value in values):
        return _INT if all(INT_MIN <= value <= INT_MAX for value in values) else _INT64
    if values and all(_is_integer(value) or isinstance(value, float) for value in values):
        return _FLOAT
    return JSON.model


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _integer(schema: dict[str, Any]) -> Leaf:
    """`Int` where the bounds allow no other numbers."""
    low = _bounds(schema, "minimum", "exclusiveMinimum")
    high = _bounds(schema, "maximum", "exclusiveMaximum")
    return _INT if low and high and max(low) >= INT_MIN and min(high) <= INT_MAX else _INT64


def _bounds(schema: dict[str, Any], *keywords: str) -> list[int]:
    return [value for keyword in keywords if _is_integer(value := schema.get(keyword)) and value is not None]
