"""The messages of Protobuf itself that are scalars in GraphQL."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from kvs_graphql.formats.errors import DoesNotFit, Undecodable
from kvs_graphql.formats.moments import nanos_text, parse_timestamp
from kvs_graphql.formats.protobuf.durations import duration_json, duration_parts, duration_text
from kvs_graphql.formats.protobuf.scalars import SCALAR_TYPES, ScalarType
from kvs_graphql.formats.protobuf.schema import Message
from kvs_graphql.formats.shapes import ScalarKind

_NANOS = 1_000_000_000
_SECONDS_MIN, _SECONDS_MAX = -62_135_596_800, 253_402_300_799
_EXACT_INTEGER_MAX = 1 << 53
_DEPTH_MAX = 45  # Each level of JSON takes two messages in each other, of which Protobuf's library reads 100.


@dataclass(frozen=True, slots=True)
class WellKnown:
    """A message that is a scalar in GraphQL."""

    kind: ScalarKind
    show: Callable[[Message], Any]
    to_json: Callable[[Message], Any]
    assign: Callable[[Message, Any], None]
    """Fill a message with a value of GraphQL's input. It raises `DoesNotFit` with the reason alone."""


def _timestamp(message: Message) -> str:
    nanos = message.nanos
    if not 0 <= nanos < _NANOS:
        raise Undecodable(f"a timestamp has {nanos} nanoseconds")
    return nanos_text(message.seconds, nanos)


def _timestamp_parts(text: str) -> tuple[int, int]:
    seconds, nanos = divmod(parse_timestamp(text, 9), _NANOS)
    if not _SECONDS_MIN <= seconds <= _SECONDS_MAX:
        raise ValueError("is not from the years 1 to 9999 in UTC")
    return seconds, nanos


def _of_parts(text: Callable[[int, int], str]) -> Callable[[Message], str]:
    def show(message: Message) -> str:
        try:
            return text(message.seconds, message.nanos)
        except ValueError as error:
            raise Undecodable(str(error)) from None

    return show


def _to_parts(parts: Callable[[str], tuple[int, int]]) -> Callable[[Message, Any], None]:
    def assign(message: Message, value: Any) -> None:
        try:
            message.seconds, message.nanos = parts(str(value))
        except ValueError as error:
            raise DoesNotFit(str(error)) from None
        message.SetInParent()

    return assign


def _wrapper(scalar: ScalarType) -> WellKnown:
    show, to_json = scalar.show, scalar.to_json

    def assign(message: Message, value: Any) -> None:
        message.value = scalar.from_input(value)
        message.SetInParent()

    return WellKnown(
        scalar.kind,
        (lambda message: message.value) if show is None else (lambda message: show(message.value)),
        (lambda message: message.value) if to_json is None else (lambda message: to_json(message.value)),
        assign,
    )


def _value_to_json(message: Message) -> Any:
    match message.WhichOneof("kind"):
        case "number_value":
            return _number_to_json(message.number_value)
        case "struct_value":
            return _struct_to_json(message.struct_value)
        case "list_value":
            return _list_to_json(message.list_value)
        case "string_value" | "bool_value" as kind:
            return getattr(message, kind)
        case _:
            return None


def _number_to_json(value: float) -> float | int:
    if not math.isfinite(value):
        raise Undecodable("a number of a google.protobuf.Value is not one that JSON has")
    return int(value) if value.is_integer() and abs(value) <= _EXACT_INTEGER_MAX else value


def _struct_to_json(message: Message) -> dict[str, Any]:
    return {key: _value_to_json(message.fields[key]) for key in sorted(message.fields)}


def _list_to_json(message: Message) -> list[Any]:
    return [_value_to_json(item) for item in message.values]


def _assign_value(message: Message, value: Any, depth: int = 0) -> None:
    if depth > _DEPTH_MAX:
        raise DoesNotFit(f"must not be nested deeper than {_DEPTH_MAX}")
    match value:
        case None:
            message.null_value = 0
        case bool():
            message.bool_value = value
        case int() | float():
            message.number_value = SCALAR_TYPES[FieldDescriptor.TYPE_DOUBLE].from_input(value)
        case str():
            message.string_value = SCALAR_TYPES[FieldDescriptor.TYPE_STRING].from_input(value)
        case dict():
            _assign_struct(message.struct_value, value, depth + 1)
        case list():
            _assign_list(message.list_value, value, depth + 1)
        case _:
            raise DoesNotFit("must be JSON")


def _assign_struct(message: Message, value: Any, depth: int = 0) -> None:
    if not isinstance(value, dict):
        raise DoesNotFit("must be an object of JSON")
    message.SetInParent()
    for key, one in value.items():
        _assign_value(message.fields[SCALAR_TYPES[FieldDescriptor.TYPE_STRING].from_input(key)], one, depth)


def _assign_list(message: Message, value: Any, depth: int = 0) -> None:
    if not isinstance(value, list):
        raise DoesNotFit("must be a list of JSON")
    message.SetInParent()
    for one in value:
        _assign_value(message.values.add(), one, depth)


def _mask_to_json(message: Message) -> str:
    return ",".join(message.paths)


def _assign_mask(message: Message, value: Any) -> None:
    if not isinstance(value, str):
        raise DoesNotFit("must be a string of paths with commas between them")
    message.SetInParent()
    message.paths.extend(filter(None, value.split(",")))


def _json(to_json: Callable[[Message], Any], assign: Callable[[Message, Any], None]) -> WellKnown:
    return WellKnown(ScalarKind.JSON, to_json, to_json, assign)


WELL_KNOWN = {
    "google.protobuf.Timestamp": WellKnown(ScalarKind.DATETIME, _timestamp, _timestamp, _to_parts(_timestamp_parts)),
    "google.protobuf.Duration": WellKnown(
        ScalarKind.DURATION, _of_parts(duration_text), _of_parts(duration_json), _to_parts(duration_parts)
    ),
    "google.protobuf.DoubleValue": _wrapper(SCALAR_TYPES[FieldDescriptor.TYPE_DOUBLE]),
    "google.protobuf.FloatValue": _wrapper(SCALAR_TYPES[FieldDescriptor.TYPE_FLOAT]),
    "google.protobuf.Int64Value": _wrapper(SCALAR_TYPES[FieldDescriptor.TYPE_INT64]),
    "google.protobuf.UInt64Value": _wrapper(SCALAR_TYPES[FieldDescriptor.TYPE_UINT64]),
    "google.protobuf.Int32Value": _wrapper(SCALAR_TYPES[FieldDescriptor.TYPE_INT32]),
    "google.protobuf.UInt32Value": _wrapper(SCALAR_TYPES[FieldDescriptor.TYPE_UINT32]),
    "google.protobuf.BoolValue": _wrapper(SCALAR_TYPES[FieldDescriptor.TYPE_BOOL]),
    "google.protobuf.StringValue": _wrapper(SCALAR_TYPES[FieldDescriptor.TYPE_STRING]),
    "google.protobuf.BytesValue": _wrapper(SCALAR_TYPES[FieldDescriptor.TYPE_BYTES]),
    "google.protobuf.Value": _json(_value_to_json, _assign_value),
    "google.protobuf.Struct": _json(_struct_to_json, _assign_struct),
    "google.protobuf.ListValue": _json(_list_to_json, _assign_list),
    "google.protobuf.FieldMask": _json(_mask_to_json, _assign_mask),
}
"""By their full names. Any and messages without fields, which are JSON as well, depend on the schema."""
ANY = "google.protobuf.Any"
