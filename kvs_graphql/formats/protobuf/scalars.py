"""Protobuf's scalar types: how they are shown, written as JSON, and made from inputs."""

import math
import struct
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from kvs_graphql.formats.errors import DoesNotFit, Undecodable
from kvs_graphql.formats.shapes import ScalarKind

_FLOAT32_END = 3.4028235677973366e38  # Numbers from here on are infinite in 32 bits.
_FLOAT32 = struct.Struct("f")


@dataclass(frozen=True, slots=True)
class ScalarType:
    """A scalar type of Protobuf in GraphQL, in JSON and in inputs."""

    kind: ScalarKind
    show: Callable[[Any], Any] | None
    to_json: Callable[[Any], Any] | None
    """From the decoded value to JSON's; None where that is the same."""
    from_input: Callable[[Any], Any]
    """From a value of GraphQL's input. It raises `DoesNotFit` with the reason alone."""


def base64_text(value: bytes) -> str:
    """Bytes as standard Base64."""
    return b64encode(value).decode()


def _shortest(value: float) -> float:
    """The shortest number that is this one as a float of 32 bits: 0.1 and not 0.10000000149011612."""
    for digits in range(6, 10):
        short = float(f"{value:.{digits}g}")
        if abs(short) < _FLOAT32_END and _FLOAT32.unpack(_FLOAT32.pack(short))[0] == value:
            return short
    return value


def _shown_double(value: float) -> float:
    if math.isfinite(value):
        return value
    raise Undecodable(f"{_not_finite(value)} is not a number that JSON has")


def _shown_float(value: float) -> float:
    return _shortest(_shown_double(value))


def _not_finite(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _double_to_json(value: float) -> float | str:
    return value if math.isfinite(value) else _not_finite(value)


def _float_to_json(value: float) -> float | str:
    return _shortest(value) if math.isfinite(value) else _not_finite(value)


def _integer(low: int, high: int) -> Callable[[Any], Any]:
    def from_input(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise DoesNotFit(f"must be an integer, not {value!r:.100}")
        if not low <= value <= high:
            raise DoesNotFit(f"must be from {low} to {high}, not {value!r:.100}")
        return value

    return from_input


def _double_from_input(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DoesNotFit(f"must be a number, not {value!r:.100}")
    try:
        double = float(value)
    except OverflowError:
        double = math.inf
    if not math.isfinite(double) or double != value:
        raise DoesNotFit("must be a number that a double holds")
    return double


def _float_from_input(value: Any) -> float:
    double = _double_from_input(value)
    if abs(double) >= _FLOAT32_END:
        raise DoesNotFit("must be a number that a float of 32 bits holds")
    return double


def _of(kind: type, word: str) -> Callable[[Any], Any]:
    def from_input(value: Any) -> Any:
        if not isinstance(value, kind):
            raise DoesNotFit(f"must be {word}")
        return value

    return from_input


def _string_from_input(value: Any) -> str:
    if not isinstance(value, str):
        raise DoesNotFit("must be a string")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise DoesNotFit("has half of a surrogate pair, which UTF-8 cannot hold") from None
    return value


def verified(value: Any) -> str:
    """A string of a file whose strings Protobuf does not verify: it gives those that are not UTF-8 as bytes.

    Raises:
        Undecodable: It is not UTF-8.
    """
    if value.__class__ is str:
        return value
    raise Undecodable("a string is not UTF-8")


def _signed(bits: int) -> Callable[[Any], Any]:
    return _integer(-(1 << bits - 1), (1 << bits - 1) - 1)


_INT32 = ScalarType(ScalarKind.INT, None, None, _signed(32))
_UINT32 = ScalarType(ScalarKind.INT64, str, None, _integer(0, (1 << 32) - 1))
_INT64 = ScalarType(ScalarKind.INT64, str, None, _signed(64))
_UINT64 = ScalarType(ScalarKind.INT64, str, None, _integer(0, (1 << 64) - 1))
_STRING = ScalarType(ScalarKind.STRING, None, None, _string_from_input)

SCALAR_TYPES = {
    FieldDescriptor.TYPE_DOUBLE: ScalarType(ScalarKind.FLOAT, _shown_double, _double_to_json, _double_from_input),
    FieldDescriptor.TYPE_FLOAT: ScalarType(ScalarKind.FLOAT, _shown_float, _float_to_json, _float_from_input),
    FieldDescriptor.TYPE_INT32: _INT32,
    FieldDescriptor.TYPE_SINT32: _INT32,
    FieldDescriptor.TYPE_SFIXED32: _INT32,
    FieldDescriptor.TYPE_UINT32: _UINT32,
    FieldDescriptor.TYPE_FIXED32: _UINT32,
    FieldDescriptor.TYPE_INT64: _INT64,
    FieldDescriptor.TYPE_SINT64: _INT64,
    FieldDescriptor.TYPE_SFIXED64: _INT64,
    FieldDescriptor.TYPE_UINT64: _UINT64,
    FieldDescriptor.TYPE_FIXED64: _UINT64,
    FieldDescriptor.TYPE_BOOL: ScalarType(ScalarKind.BOOLEAN, None, None, _of(bool, "true or false")),
    FieldDescriptor.TYPE_STRING: _STRING,
    FieldDescriptor.TYPE_BYTES: ScalarType(ScalarKind.BASE64, base64_text, base64_text, _of(bytes, "bytes")),
}
UNVERIFIED_STRING = ScalarType(ScalarKind.STRING, verified, verified, _string_from_input)
