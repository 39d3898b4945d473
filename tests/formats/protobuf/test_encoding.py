"""Inputs as messages, read back by Protobuf's own library, and inputs that do not fit."""

from typing import Any

import orjson
import pytest
from google.protobuf import json_format
from google.protobuf.message_factory import GetMessageClass

from kvs_graphql.formats.errors import DoesNotFit
from kvs_graphql.formats.limits import FormatLimits
from tests.formats.protobuf.schemas import codec, linked

PROTO2, PROTO3 = 'syntax = "proto2"; package shop.v1;', 'syntax = "proto3"; package shop.v1;'
KNOWN = PROTO3 + "".join(
    f'import "google/protobuf/{file}.proto";'
    for file in ("timestamp", "duration", "wrappers", "struct", "any", "empty", "field_mask")
)


def _read_back(text: str, value: dict[str, Any]) -> Any:
    """What Protobuf's own JSON mapping has for an encoded input."""
    one = linked(text)
    message = GetMessageClass(one.root()).FromString(codec(text).encode(value))
    return json_format.MessageToDict(message, preserving_proto_field_name=True, descriptor_pool=one.pool)


def _misfit(text: str, value: Any, **options: Any) -> str:
    with pytest.raises(DoesNotFit) as refused:
        codec(text, **options).encode(value)
    return str(refused.value)


def test_each_scalar_is_written() -> None:
    text = PROTO3 + (
        "message A { double a = 1; float b = 2; int32 c = 3; int64 d = 4; uint32 e = 5; uint64 f = 6; sint32 g = 7;"
        "sint64 h = 8; fixed32 i = 9; fixed64 j = 10; sfixed32 k = 11; sfixed64 l = 12; bool m = 13; string n = 14;"
        "bytes id = 15; }"
    )
    value = {"a": 1, "b": 0.5, "c": -(2**31), "d": 2**63 - 1, "e": 2**32 - 1, "f": 2**64 - 1, "g": -1, "h": -(2**63)}
    value |= {"i": 2**32 - 1, "j": 2**64 - 1, "k": -(2**31), "l": -(2**63), "m": True}
    assert _read_back(text, value | {"n": "é", "id_": b"\xff\xfe"}) == (
        value | {"n": "é", "id": "//4=", "a": 1.0} | {name: str(value[name]) for name in "dfhjl"}
    )


def test_what_is_left_out_or_null_is_not_set() -> None:
    text = (
        PROTO3
        + "message A { int32 a = 1; optional int32 b = 2; A c = 3; repeated int32 d = 4; oneof e { int32 f = 5; } }"
    )
    made = codec(text)
    assert made.encode({}) == b""
    assert made.encode({"a": None, "b": None, "c": None, "d": None, "e": None}) == b""
    assert made.encode({"b": 0, "c": {}, "d": [], "e": {"f": 0}}) == b"\x10\0\x1a\0\x28\0"


def test_lists_maps_oneofs_enumerations_and_groups_are_written() -> None:
    text = (
        PROTO2
        + """message A {
        repeated int32 ns = 1; repeated B bs = 2; map<string, B> by_name = 3; map<int64, E> by_number = 4;
        oneof x { string s = 5; B b = 6; } optional E e = 7; repeated E es = 8;
        repeated group G = 9 { optional int32 n = 1; } }
        message B { optional string s = 1; } enum E { X = 0; Y = 5; true = 6; }"""
    )
    value: dict[str, Any] = {
        "ns": [1, 2],
        "bs": [{"s": "x"}, {}],
        "by_name": [{"key": "a", "value": {"s": "y"}}],
        "by_number": [{"key": 2**40, "value": "Y"}],
        "x": {"b": {"s": "z"}},
        "e": "true_",
        "es": ["X", "Y"],
        "g": [{"n": 1}],
    }
    assert _read_back(text, value) == {
        "ns": [1, 2],
        "bs": [{"s": "x"}, {}],
        "by_name": {"a": {"s": "y"}},
        "by_number": {str(2**40): "Y"},
        "b": {"s": "z"},
        "e": "true",
        "es": ["X", "Y"],
        "g": [{"n": 1}],
    }
    assert _read_back(text, {"x": {"s": ""}}) == {"s": ""}


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("Timestamp", "2026-01-31T23:59:59.5+01:30", "2026-01-31T22:29:59.500Z"),
        ("Timestamp", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ("Timestamp", "1969-12-31T23:59:59.999999999Z", "1969-12-31T23:59:59.999999999Z"),
        ("Timestamp", "1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
        ("Duration", "PT0S", "0s"),
        ("Duration", "P1DT1H1M1.5S", "90061.500s"),
        ("Duration", "-PT0.000000001S", "-0.000000001s"),
        ("DoubleValue", 0, 0.0),
        ("Int64Value", 2**63 - 1, "9223372036854775807"),
        ("BoolValue", False, False),
        ("StringValue", "", ""),
        ("BytesValue", b"\0", "AA=="),
        ("Struct", {"b": [1, None, True, {}], "a": "x"}, {"b": [1.0, None, True, {}], "a": "x"}),
        ("Value", [0.5], [0.5]),
        ("ListValue", [[], {}], [[], {}]),
        ("Empty", {}, {}),
        ("FieldMask", "user.display_name,photo", "user.displayName,photo"),
        ("Any", {"@type": "x/shop.v1.B", "n": 5}, {"@type": "x/shop.v1.B", "n": 5}),
    ],
)
def test_well_known_types_are_written(kind: str, value: Any, expected: Any) -> None:
    name = f"google.protobuf.{kind}"
    text = f"{KNOWN} message A {{ {name} a = 1; repeated {name} b = 2; oneof c {{ {name} d = 3; }} }}"
    text += "message B { int32 n = 1; }"
    assert _read_back(text, {"a": value, "b": [value], "c": {"d": value}}) == {
        "a": expected,
        "b": [expected],
        "d": expected,
    }


FIELDS = (
    PROTO3
    + """import "google/protobuf/timestamp.proto"; import "google/protobuf/duration.proto";
    import "google/protobuf/struct.proto"; import "google/protobuf/any.proto"; import "google/protobuf/wrappers.proto";
    message A {
      int32 i = 1; uint32 u = 2; int64 l = 3; uint64 ul = 4; float f = 5; double d = 6; string s = 7; bytes b = 8;
      E e = 9;
      A a = 10; repeated A more = 11; map<string, A> by = 12; oneof o { int32 x = 13; A y = 14; } bool flag = 15;
      google.protobuf.Timestamp t = 16; google.protobuf.Duration du = 17; google.protobuf.Struct js = 18; N n = 19;
      google.protobuf.Any any = 20; google.protobuf.Int32Value w = 21; google.protobuf.ListValue ls = 22;
    }
    message N {} enum E { X = 0; Y = 1; }"""
)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"i": 2**31}, "i: must be from -2147483648 to 2147483647, not 2147483648"),
        ({"i": True}, "i: must be an integer, not True"),
        ({"u": -1}, "u: must be from 0 to 4294967295, not -1"),
        ({"l": 2**63}, "l: must be from -9223372036854775808 to 9223372036854775807, not 9223372036854775808"),
        ({"ul": -1}, "ul: must be from 0 to 18446744073709551615, not -1"),
        ({"f": 3.5e38}, "f: must be a number that a float of 32 bits holds"),
        ({"d": 2**53 + 1}, "d: must be a number that a double holds"),
        ({"d": 10**400}, "d: must be a number that a double holds"),
        ({"d": "1"}, "d: must be a number, not '1'"),
        ({"s": 5}, "s: must be a string"),
        ({"s": "\ud800"}, "s: has half of a surrogate pair, which UTF-8 cannot hold"),
        ({"b": "x"}, "b: must be bytes"),
        ({"flag": 1}, "flag: must be true or false"),
        ({"e": "Z"}, "e: must be one of the enumeration's values, not 'Z'"),
        ({"e": "UNRECOGNIZED"}, "e: must be one of the enumeration's values, not 'UNRECOGNIZED'"),
        ({"a": {"more": [{}, {"i": "x"}]}}, "a.more[1].i: must be an integer, not 'x'"),
        ({"a": 5}, "a: must be an object"),
        ({"more": [None]}, "more[0]: must not be null"),
        ({"by": [{"key": "k", "value": {"u": -1}}]}, "by[0].value.u: must be from 0 to 4294967295, not -1"),
        ({"by": [{"key": "k", "value": {}}, {"key": "k", "value": {}}]}, "by[1].key: is there twice"),
        ({"by": [{"key": 5, "value": {}}]}, "by[0].key: must be a string"),
        ({"o": {"x": 1, "y": {}}}, "o: must have exactly one of x, y"),
        ({"o": {}}, "o: must have exactly one of x, y"),
        ({"o": {"y": {"i": "x"}}}, "o.y.i: must be an integer, not 'x'"),
        ({"t": "yesterday"}, "t: is not a timestamp with an offset, such as 2026-01-31T23:59:59.999Z"),
        ({"t": "2026-02-30T00:00:00Z"}, "t: has a date that does not exist"),
        ({"t": "0001-01-01T00:00:00+01:00"}, "t: is not from the years 1 to 9999 in UTC"),
        ({"t": "2026-01-01T00:00:00.0000000001Z"}, "t: has more than 9 digits after the seconds"),
        ({"du": "P1Y"}, "du: is not a duration in days, hours, minutes and seconds such as PT1H30M"),
        ({"du": "P"}, "du: is not a duration in days, hours, minutes and seconds such as PT1H30M"),
        ({"du": "PT999999999999S"}, "du: has more than 315,576,000,000 s"),
        ({"js": []}, "js: must be an object of JSON"),
        ({"js": {"x": 2**53 + 1}}, "js: must be a number that a double holds"),
        ({"ls": {}}, "ls: must be a list of JSON"),
        ({"n": {"x": 1}}, "n: must be an object without members"),
        ({"any": {"n": 1}}, "any: does not fit: "),
        ({"any": {"@type": "x/shop.v1.A", "i": "x"}}, "any: does not fit: "),
        ({"any": 5}, "any: does not fit: "),
        ({"w": 2**31}, "w: must be from -2147483648 to 2147483647, not 2147483648"),
        ({"gone": 1}, "gone: is not in the schema"),
        (5, "must be an object"),
    ],
)
def test_what_does_not_fit_is_named_with_its_path(value: Any, reason: str) -> None:
    assert _misfit(FIELDS, value).startswith(reason)
    assert "\n" not in _misfit(FIELDS, value)


def test_missing_required_field_does_not_fit() -> None:
    text = PROTO2 + "message A { required int32 id = 1; optional A a = 2; }"
    assert _misfit(text, {}) == "id_: is required"
    assert _misfit(text, {"id_": None}) == "id_: is required"
    assert _misfit(text, {"id_": 1, "a": {}}) == "a.id_: is required"


def test_what_could_not_be_decoded_again_does_not_fit() -> None:
    text = PROTO3 + 'import "google/protobuf/struct.proto";'
    text += "message A { A a = 1; repeated int32 n = 2; google.protobuf.Value js = 3; }"
    made = codec(text)

    def nested(depth: int) -> dict[str, Any]:
        value: dict[str, Any] = {}
        for _ in range(depth - 1):
            value = {"a": value}
        return value

    made.decode(made.encode(nested(100)), None)
    assert ": is nested deeper than 100" in _misfit(text, nested(101))
    assert ": is nested deeper than 3" in _misfit(text, nested(4), limits=FormatLimits(depth_max=3))
    codec(text, limits=FormatLimits(depth_max=3)).encode(nested(3))
    assert _misfit(text, {"n": [0] * 100_001}) == "it has more than 100,000 items"
    deep: Any = 1
    for _ in range(45):
        deep = [deep]
    assert orjson.loads(made.as_json(made.decode(made.encode({"js": deep}), None)))["js"] == deep
    at_the_bottom: dict[str, Any] = {"js": deep}
    for _ in range(50):
        at_the_bottom = {"a": at_the_bottom}
    assert _misfit(text, at_the_bottom).startswith("it could not be decoded again: ")
    for _ in range(5_000):
        deep = [deep]
    assert _misfit(text, {"js": deep}) == "js: must not be nested deeper than 45"
