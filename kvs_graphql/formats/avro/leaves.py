"""Values without parts: how each kind is shown in JSON, and how it is made from GraphQL's input."""

import struct
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from math import isfinite
from typing import Any
from uuid import UUID

from kvs_graphql.formats import moments
from kvs_graphql.formats.avro.misfits import Misfit
from kvs_graphql.formats.avro.types import Fixed, Logical, LogicalKind, Primitive
from kvs_graphql.formats.decimals import decimal_shower, unscaled_number
from kvs_graphql.formats.errors import Undecodable, one_line
from kvs_graphql.formats.limits import FormatLimits
from kvs_graphql.formats.shapes import ScalarKind

_Show = Callable[[Any], Any]
_Make = Callable[[Any], Any]
_unscaled = partial(int.from_bytes, byteorder="big", signed=True)
_DURATION = struct.Struct("<III")
_DIGITS = {"millis": 3, "micros": 6, "nanos": 9}


@dataclass(frozen=True, slots=True)
class Leaf:
    """A kind of value without parts."""

    kind: ScalarKind
    make: _Make
    """From GraphQL's input to what the library encodes. It raises Misfit."""
    show: _Show | None = None
    """From the decoded value to what GraphQL shows; None where that is the same."""
    json: _Show | None = None
    """From the decoded value to what JSON has for it; None where that is the same."""


def leaf_of(avro_type: Primitive | Fixed, limits: FormatLimits) -> Leaf:
    """The kind of a type."""
    if avro_type.logical:
        return _logical_leaf(avro_type, avro_type.logical, limits)
    if isinstance(avro_type, Fixed):
        return Leaf(ScalarKind.BASE64, _bytes_maker(avro_type.size), _base64, _base64)
    return _PRIMITIVES[avro_type.kind]


def json_leaf(*, empty: Any) -> Leaf:
    """A value that is always the same: null, or a record without fields."""

    def make(value: Any) -> Any:
        if value != empty or type(value) is not type(empty):
            raise Misfit(f"must be {'null' if empty is None else empty}")
        return value

    return Leaf(ScalarKind.JSON, make)


def _logical_leaf(avro_type: Primitive | Fixed, logical: Logical, limits: FormatLimits) -> Leaf:
    size = avro_type.size if isinstance(avro_type, Fixed) else None
    match logical.kind:
        case LogicalKind.DECIMAL:
            show = _decimal_leaf_shower(logical.scale, limits.decimal_digits_max)
            return Leaf(ScalarKind.DECIMAL, _decimal_maker(logical, size), show, show)
        case LogicalKind.DATE:
            return _text_leaf(ScalarKind.DATE, moments.parse_date, moments.date_text, bits=32)
        case LogicalKind.UUID if size is None:
            return Leaf(ScalarKind.UUID, lambda value: str(_expect(value, UUID, "a UUID")))
        case LogicalKind.UUID:
            return Leaf(ScalarKind.UUID, lambda value: _expect(value, UUID, "a UUID").bytes, _uuid, _uuid)
        case LogicalKind.DURATION:
            return Leaf(ScalarKind.DURATION, _make_duration, _duration, _duration)
        case _:
            return _moment_leaf(logical.kind.value)


def _moment_leaf(name: str) -> Leaf:
    digits = _DIGITS[name.rpartition("-")[2]]
    if name.startswith("time-"):
        bits = 32 if digits == 3 else 64
        parse, show = moments.parse_time, moments.time_shower(digits)
        return _text_leaf(ScalarKind.TIME, lambda text: parse(text, digits), show, bits)
    if name.startswith("local-"):
        show = moments.timestamp_shower(digits, zone="")
        return _text_leaf(ScalarKind.LOCAL_DATETIME, lambda text: moments.parse_local_timestamp(text, digits), show, 64)
    show = moments.timestamp_shower(digits)
    return _text_leaf(ScalarKind.DATETIME, lambda text: moments.parse_timestamp(text, digits), show, 64)


def _text_leaf(kind: ScalarKind, parse: Callable[[str], int], show: Callable[[int], str], bits: int) -> Leaf:
    require_range = _integer_maker(bits)

    def make(value: Any) -> int:
        try:
            return require_range(parse(_expect(value, str, "text")))
        except ValueError as error:
            raise Misfit(f"{one_line(repr(value), 60)} {error}") from error

    return Leaf(kind, make, show, show)


def _integer_maker(bits: int) -> Callable[[Any], int]:
    limit = 2 ** (bits - 1)

    def make(value: Any) -> int:
        if type(value) is not int:
            raise Misfit("must be a whole number")
        if not -limit <= value < limit:
            raise Misfit(f"is a whole number of more than {bits} bits")
        return value

    return make


def _float_maker(form: str) -> Callable[[Any], float]:
    pack = struct.Struct(form).pack

    def make(value: Any) -> float:
        if type(value) not in (int, float):
            raise Misfit("must be a number")
        try:
            number = float(value)
            pack(number)
        except OverflowError as error:
            raise Misfit("is too large a number") from error
        if not isfinite(number):
            raise Misfit("must be a finite number")
        return number

    return make


def make_string(value: Any) -> str:
    """Text that can be encoded. It raises Misfit."""
    text: str = _expect(value, str, "text")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise Misfit("is not text that UTF-8 can have") from error
    return text


def _bytes_maker(size: int | None) -> Callable[[Any], bytes]:
    def make(value: Any) -> bytes:
        data: bytes = _expect(value, bytes, "bytes")
        if size is not None and len(data) != size:
            raise Misfit(f"must have {size:,} bytes, and has {len(data):,}")
        return data

    return make


def _decimal_maker(logical: Logical, size: int | None) -> Callable[[Any], bytes]:
    def make(value: Any) -> bytes:
        number: Decimal = _expect(value, Decimal, "a decimal number")
        try:
            unscaled = unscaled_number(number, logical.precision, logical.scale)
        except ValueError as error:
            raise Misfit(str(error)) from error
        magnitude = unscaled if unscaled >= 0 else ~unscaled
        return unscaled.to_bytes(magnitude.bit_length() // 8 + 1 if size is None else size, "big", signed=True)

    return make


def _decimal_leaf_shower(scale: int, digits_max: int) -> Callable[[bytes], str]:
    limit, show_unscaled = 10**digits_max, decimal_shower(scale)

    def show(value: bytes) -> str:
        unscaled = _unscaled(value)
        if not -limit < unscaled < limit:
            raise Undecodable(f"a decimal has more than {digits_max:,} digits")
        return show_unscaled(unscaled)

    return show


def _make_duration(value: Any) -> bytes:
    text = _expect(value, str, "text")
    try:
        return _DURATION.pack(*moments.parse_duration(text))
    except ValueError as error:
        raise Misfit(f"{one_line(repr(value), 60)} {error}") from error
    except struct.error as error:
        raise Misfit(
            f"{one_line(repr(text), 60)} has more months, days or milliseconds than 32 bits can count"
        ) from error


def _expect(value: Any, kind: type, name: str) -> Any:
    if not isinstance(value, kind):
        raise Misfit(f"must be {name}")
    return value


def _make_boolean(value: Any) -> bool:
    return bool(_expect(value, bool, "true or false"))


def _base64(value: bytes) -> str:
    return b64encode(value).decode()


def _uuid(value: bytes) -> str:
    return str(UUID(bytes=value))


def _duration(value: bytes) -> str:
    return moments.duration_text(*_DURATION.unpack(value))


def _finite(value: float) -> float:
    if not isfinite(value):
        raise Undecodable(f"the number {value} has no form in JSON")
    return value


_PRIMITIVES = {
    "null": json_leaf(empty=None),
    "boolean": Leaf(ScalarKind.BOOLEAN, _make_boolean),
    "int": Leaf(ScalarKind.INT, _integer_maker(32)),
    "long": Leaf(ScalarKind.INT64, _integer_maker(64), show=str),
    "float": Leaf(ScalarKind.FLOAT, _float_maker("<f"), _finite, _finite),
    "double": Leaf(ScalarKind.FLOAT, _float_maker("<d"), _finite, _finite),
    "bytes": Leaf(ScalarKind.BASE64, _bytes_maker(None), _base64, _base64),
    "string": Leaf(ScalarKind.STRING, make_string),
}
