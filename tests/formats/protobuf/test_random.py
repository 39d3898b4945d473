"""Random schemas and values, written in Protobuf's wire format without its library."""

import struct
from base64 import b64encode
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kvs_graphql.formats.errors import Undecodable
from kvs_graphql.formats.protobuf import ProtobufCodec, ProtobufSchema
from tests.formats.data import data, without_wrappers
from tests.formats.numbers import integers
from tests.formats.protobuf import wire
from tests.formats.protobuf.schemas import codec, schema

_FLOATS = st.floats(allow_nan=False, allow_infinity=False, width=32)
_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "double": st.floats(allow_nan=False, allow_infinity=False),
    "float": _FLOATS,
    "bool": st.booleans(),
    "string": st.text(st.characters(codec="utf-8"), max_size=5),
    "bytes": st.binary(max_size=5),
    "Kind": st.integers(-3, 3),
}
for _bits in (32, 64):
    for _name in (f"int{_bits}", f"sint{_bits}", f"sfixed{_bits}"):
        _VALUES[_name] = integers(-(1 << _bits - 1), (1 << _bits - 1) - 1)
    for _name in (f"uint{_bits}", f"fixed{_bits}"):
        _VALUES[_name] = integers(0, (1 << _bits) - 1)
_SCALARS = sorted(_VALUES)
_KEYS = ["int32", "int64", "uint64", "sint32", "fixed64", "bool", "string"]
_SHOWN_AS_TEXT = {"int64", "sint64", "sfixed64", "uint64", "fixed64", "uint32", "fixed32"}
_KIND_NAMES = {0: "ZERO", 1: "ONE", -2: "MINUS_TWO"}
_PACKABLE = set(_SCALARS) - {"string", "bytes"}
_DEFAULTS = {"bool": False, "string": "", "bytes": b"", "double": 0.0, "float": 0.0}


@dataclass(frozen=True)
class _Field:
    number: int
    kind: str
    """A scalar, or a message by its number, such as `M1`."""
    label: str
    """`plain`, `optional`, `repeated`, `oneof`, or the kind of a map's key."""

    @property
    def name(self) -> str:
        return f"f{self.number}"

    @property
    def is_message(self) -> bool:
        return self.kind.startswith("M")

    def text(self) -> str:
        match self.label:
            case "plain" | "oneof":
                return f"{self.kind} {self.name} = {self.number};"
            case "optional" | "repeated":
                return f"{self.label} {self.kind} {self.name} = {self.number};"
            case key:
                return f"map<{key}, {self.kind}> {self.name} = {self.number};"


_Schema = list[list[_Field]]


@st.composite
def _schemas(draw: st.DrawFn) -> _Schema:
    count = draw(st.integers(1, 3))
    kinds = st.sampled_from([*_SCALARS, *(f"M{number}" for number in range(count))])
    labels = st.sampled_from(["plain", "plain", "optional", "repeated", "oneof", *_KEYS])
    numbers = st.lists(st.integers(1, 300), min_size=1, max_size=8, unique=True)
    return [[_Field(number, draw(kinds), draw(labels)) for number in draw(numbers)] for _ in range(count)]


def schema_text(messages: _Schema) -> str:
    parts = ['syntax = "proto3"; enum Kind { ZERO = 0; ONE = 1; MINUS_TWO = -2; }']
    for number, fields in enumerate(messages):
        members = "".join(field.text() for field in fields if field.label == "oneof")
        oneof = f"oneof choice {{ {members} }}" if members else ""
        parts.append(f"message M{number} {{ {''.join(f.text() for f in fields if f.label != 'oneof')} {oneof} }}")
    return "\n".join(parts)


@st.composite
def _values(draw: st.DrawFn, messages: _Schema, kind: str, depth: int = 0) -> Any:
    """A value of a kind; a message is a dictionary by the numbers of those fields that are set."""
    if not kind.startswith("M"):
        return draw(_VALUES[kind])
    value: dict[int, Any] = {}
    chosen = False
    for field in messages[int(kind[1:])]:
        if (field.label == "oneof" and chosen) or (field.is_message and depth > 2) or draw(st.booleans()):
            continue
        one = _values(messages, field.kind, depth + 1)
        match field.label:
            case "plain" | "optional" | "oneof":
                value[field.number] = draw(one)
                chosen = chosen or field.label == "oneof"
            case "repeated":
                value[field.number] = draw(st.lists(one, max_size=3))
            case key:
                value[field.number] = draw(st.dictionaries(_VALUES[key], one, max_size=3))
    return value


@st.composite
def cases(draw: st.DrawFn) -> tuple[_Schema, list[Any]]:
    messages = draw(_schemas())
    return messages, draw(st.lists(_values(messages, "M0"), min_size=1, max_size=10))


def message_of(messages: _Schema, kind: str, value: dict[int, Any]) -> bytes:
    fields = [field for field in messages[int(kind[1:])] if field.number in value]
    return b"".join(_written_field(messages, field, value[field.number]) for field in reversed(fields))


def _written_field(messages: _Schema, field: _Field, value: Any) -> bytes:
    def one(number: int, item: Any) -> bytes:
        if field.is_message:
            return wire.message_field(number, message_of(messages, field.kind, item))
        return wire.scalar_field(number, field.kind, item)

    match field.label:
        case "plain" | "optional" | "oneof":
            return one(field.number, value)
        case "repeated" if field.kind in _PACKABLE and len(value) % 2:
            return wire.packed_field(field.number, field.kind, value)
        case "repeated":
            return b"".join(one(field.number, item) for item in value)
        case key:
            entries = (wire.scalar_field(1, key, name) + one(2, item) for name, item in value.items())
            return b"".join(wire.message_field(field.number, entry) for entry in entries)


def _same_float(value: float) -> float:
    """The shortest number that is this one in 32 bits."""
    return next(
        (short for digits in range(6, 10) if _in_32_bits(short := float(f"{value:.{digits}g}")) == value), value
    )


def _in_32_bits(value: float) -> float:
    try:
        return float(struct.unpack("f", struct.pack("f", value))[0])
    except OverflowError:
        return float("inf")


def _json(messages: _Schema, kind: str, value: Any) -> Any:
    if not kind.startswith("M"):
        return _json_scalar(kind, value)
    result = {}
    for field in messages[int(kind[1:])]:
        is_set = field.number in value
        match field.label:
            case "plain" if not field.is_message:
                one = value.get(field.number, _DEFAULTS.get(field.kind, 0))
                result[field.name] = _json_scalar(field.kind, one)
            case "plain" | "optional" | "oneof":
                if is_set:
                    result[field.name] = _json(messages, field.kind, value[field.number])
            case "repeated":
                result[field.name] = [_json(messages, field.kind, item) for item in value.get(field.number, [])]
            case key:
                result[field.name] = {
                    str(name).lower() if key == "bool" else str(name): _json(messages, field.kind, item)
                    for name, item in value.get(field.number, {}).items()
                }
    return result


def _json_scalar(kind: str, value: Any) -> Any:
    match kind:
        case "Kind":
            return _KIND_NAMES.get(value, value)
        case "bytes":
            return b64encode(value).decode()
        case "float":
            return _same_float(value)
    return value


def data_of(messages: _Schema, kind: str, value: Any) -> Any:
    if not kind.startswith("M"):
        return _data_scalar(kind, value)
    result: dict[str, Any] = {}
    for field in messages[int(kind[1:])]:
        is_set = field.number in value
        match field.label:
            case "plain" if not field.is_message:
                one = value.get(field.number, _DEFAULTS.get(field.kind, 0))
                result[field.name] = _data_scalar(field.kind, one)
            case "plain" | "optional":
                result[field.name] = data_of(messages, field.kind, value[field.number]) if is_set else None
            case "oneof":
                result.setdefault("choice", None)
                if is_set:
                    result["choice"] = data_of(messages, field.kind, value[field.number])
            case "repeated":
                result[field.name] = [data_of(messages, field.kind, item) for item in value.get(field.number, [])]
            case key:
                result[field.name] = [
                    {"key": _data_scalar(key, name), "value": data_of(messages, field.kind, item)}
                    for name, item in sorted(value.get(field.number, {}).items())
                ]
    return result


def _data_scalar(kind: str, value: Any) -> Any:
    if kind == "Kind":
        return _KIND_NAMES.get(value, "UNRECOGNIZED")
    return str(value) if kind in _SHOWN_AS_TEXT else _json_scalar(kind, value)


@given(case=cases())
@settings(max_examples=15, suppress_health_check=list(HealthCheck))
def test_random_values_are_shown_as_they_were_written(case: tuple[_Schema, list[Any]]) -> None:
    messages, values = case
    text = schema_text(messages)
    made = codec(text, message="M0")
    writer = made.parse(schema(text))
    for value in values:
        decoded = made.decode(message_of(messages, "M0", value), writer)
        assert orjson.loads(made.as_json(decoded)) == _json(messages, "M0", value)
        assert without_wrappers(data(made.shape, decoded)) == data_of(messages, "M0", value)


@pytest.fixture(scope="module")
def framed() -> tuple[ProtobufCodec, ProtobufSchema]:
    """A codec of recursive messages with all kinds of fields, and its schema as a writer's."""
    text = schema_text([[_Field(n, kind, label) for n, (kind, label) in enumerate(zip(KINDS, LABELS, strict=True), 1)]])
    made = codec(text, is_framed=True)
    return made, made.parse(schema(text))


KINDS = ["M0", "int32", "string", "M0", "bytes", "Kind", "double", "sint64"]
LABELS = ["plain", "repeated", "plain", "string", "oneof", "oneof", "optional", "repeated"]


@given(payload=st.binary(max_size=60))
@settings(max_examples=300)
def test_random_bytes_are_a_value_or_undecodable(framed: tuple[ProtobufCodec, ProtobufSchema], payload: bytes) -> None:
    made, writer = framed
    for one in (payload, b"\0" + payload):
        try:
            decoded = made.decode(one, writer)
        except Undecodable:
            continue
        assert orjson.loads(made.as_json(decoded).replace(b"NaN", b"0")) is not None
