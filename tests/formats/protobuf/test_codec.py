"""Values of Protobuf: read as GraphQL shows them and as JSON, for each construct, and those that cannot be read."""

import struct
from typing import Any

import orjson
import pytest

from kvs_graphql.formats.errors import BadSchema, Undecodable
from kvs_graphql.formats.limits import FormatLimits
from tests.formats.data import data
from tests.formats.protobuf.schemas import codec, linked, schema, shown, written

PROTO2, PROTO3 = 'syntax = "proto2"; package shop.v1;', 'syntax = "proto3"; package shop.v1;'


def _wrong(made: Any, payload: bytes, writer: Any = None) -> str:
    with pytest.raises(Undecodable) as refused:
        data(made.shape, made.decode(payload, writer))
    return refused.value.reason


def test_scalars_are_exact() -> None:
    text = PROTO3 + (
        "message A { double a = 1; float b = 2; int32 c = 3; int64 d = 4; uint32 e = 5; uint64 f = 6; sint32 g = 7;"
        "sint64 h = 8; fixed32 i = 9; fixed64 j = 10; sfixed32 k = 11; sfixed64 l = 12; bool m = 13; string n = 14;"
        "bytes o = 15; }"
    )
    value: dict[str, Any] = {
        "a": 0.1,
        "b": 0.1,
        "c": -(2**31),
        "d": 2**63 - 1,
        "e": 2**32 - 1,
        "f": 2**64 - 1,
        "g": -1,
        "h": -(2**63),
    }
    value |= {"i": 2**32 - 1, "j": 2**64 - 1, "k": -(2**31), "l": -(2**63), "m": True, "n": "é", "o": "//4="}
    assert shown(text, value) == value | {name: str(value[name]) for name in "defhijl"}
    made = codec(text)
    assert orjson.loads(made.as_json(made.decode(written(text, value), None))) == value


@pytest.mark.parametrize("number", [0.1, 16777216.0, 1.1754944e-38, 3.4028235e38, -0.3, 123456.79, 5e-10])
def test_float_of_32_bits_is_the_shortest_number(number: float) -> None:
    made = codec(PROTO3 + "message A { float a = 1; }")
    assert data(made.shape, made.decode(b"\x0d" + struct.pack("<f", number), None)) == {"a": number}
    assert made.encode({"a": number}) == b"\x0d" + struct.pack("<f", number)


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("kind", ["double", "float"])
def test_numbers_that_json_lacks_are_named_and_harm_only_their_field(kind: str, word: str) -> None:
    text = PROTO3 + f"message A {{ {kind} a = 1; int32 b = 2; }}"
    made = codec(text)
    decoded = made.decode(written(text, {"a": word, "b": 1}), None)
    a, b = made.shape.fields  # type: ignore[union-attr]
    assert data(b.shape, b.read(decoded)) == 1
    with pytest.raises(Undecodable, match=f" {word} is not a number that JSON has"):
        data(a.shape, a.read(decoded))
    assert orjson.loads(made.as_json(decoded)) == {"a": word, "b": 1}


def test_presence_of_proto3() -> None:
    text = PROTO3 + "message A { int32 a = 1; optional int32 b = 2; A c = 3; repeated int32 d = 4; }"
    empty: dict[str, Any] = {"a": 0, "b": None, "c": None, "d": []}
    made = codec(text)
    fields = {field.name: field for field in made.shape.fields}  # type: ignore[union-attr]

    def read(payload: bytes) -> dict[str, Any]:
        decoded = made.decode(payload, None)
        return {
            name: list(value) if name == "d" else value
            for name, field in fields.items()
            for value in [field.read(decoded)]
        }

    assert read(b"") == empty
    assert read(written(text, {"b": 0})) == empty | {"b": 0}
    assert orjson.loads(made.as_json(made.decode(b"", None))) == {"a": 0, "d": []}


def test_presence_and_defaults_of_proto2() -> None:
    text = PROTO2 + "message A { optional int32 a = 1; optional int32 b = 2 [default = 7]; optional string c = 3; }"
    assert shown(text, {}) == {"a": None, "b": 7, "c": None}
    assert shown(text, {"a": 0, "b": 0, "c": ""}) == {"a": 0, "b": 0, "c": ""}


def test_missing_required_field_is_undecodable() -> None:
    text = PROTO2 + "message A { required int32 a = 1; optional B b = 2; } message B { required int32 c = 1; }"
    made = codec(text)
    assert _wrong(made, b"") == "required fields are missing: a"
    assert _wrong(made, b"\x08\x01\x12\x00") == "required fields are missing: b.c"
    assert data(made.shape, made.decode(b"\x08\x01", None)) == {"a": 1, "b": None}


def test_strings_of_proto2_that_are_not_utf8_harm_only_their_field() -> None:
    text = (
        PROTO2
        + "message A { optional string a = 1; optional int32 b = 2; map<string, string> c = 3; repeated string d = 4; }"
    )
    made = codec(text)
    decoded = made.decode(b"\x0a\x02\xff\xfe\x10\x05\x1a\x06\x0a\x01\xff\x12\x01\xfe\x1a\x02\x0a\x00\x22\x01\xfd", None)
    a, b, c, d = made.shape.fields  # type: ignore[union-attr]
    assert b.read(decoded) == 5
    for field in (a, c, d):
        with pytest.raises(Undecodable, match="not UTF-8"):
            data(field.shape, field.read(decoded))
    with pytest.raises(Undecodable, match="not UTF-8"):
        made.as_json(decoded)
    decoded.ClearField("c")
    assert orjson.loads(made.as_json(decoded)) == {"a": "\\xff\\xfe", "b": 5, "c": {}, "d": ["\\xfd"]}
    assert _wrong(codec(text.replace(PROTO2, PROTO3).replace("optional ", "")), b"\x0a\x02\xff\xfe")


def test_lists_maps_and_nested_messages() -> None:
    text = PROTO3 + (
        "message A { repeated int64 ns = 1; repeated B bs = 2; map<string, B> by_name = 3; B b = 6;"
        "map<bool, int32> by_flag = 4; map<int64, bytes> by_number = 5; } message B { string s = 1; }"
    )
    value = {
        "ns": [1, -(2**63)],
        "bs": [{"s": "x"}, {"s": ""}],
        "by_name": {"b": {"s": "y"}, "a": {"s": "z"}},
        "by_flag": {"true": 1, "false": 0},
        "by_number": {"9": "AA==", "-10": ""},
        "b": {"s": "w"},
    }
    assert shown(text, value) == {
        "ns": ["1", "-9223372036854775808"],
        "bs": [{"s": "x"}, {"s": ""}],
        "by_name": [{"key": "a", "value": {"s": "z"}}, {"key": "b", "value": {"s": "y"}}],
        "by_flag": [{"key": False, "value": 0}, {"key": True, "value": 1}],
        "by_number": [{"key": "-10", "value": ""}, {"key": "9", "value": "AA=="}],
        "b": {"s": "w"},
    }
    made = codec(text)
    assert orjson.loads(made.as_json(made.decode(written(text, value), None))) == value


def test_unknown_number_of_an_open_enumeration_breaks_nothing() -> None:
    body = (
        "message A { E a = 1; repeated E b = 2; map<string, E> c = 3; oneof d { E e = 4; } } enum E { X = 0; Y = 1; }"
    )
    value = {"a": 7, "b": [0, 8, 1], "c": {"k": 9}, "e": 10}
    assert shown(PROTO3 + body, value) == {
        "a": "UNRECOGNIZED",
        "b": ["X", "UNRECOGNIZED", "Y"],
        "c": [{"key": "k", "value": "UNRECOGNIZED"}],
        "d": {"__typename": "OrdersAEValue", "value": "UNRECOGNIZED"},
    }
    made = codec(PROTO3 + body)
    decoded = made.decode(written(PROTO3 + body, value), None)
    assert orjson.loads(made.as_json(decoded)) == {"a": 7, "b": ["X", 8, "Y"], "c": {"k": 9}, "e": 10}


def test_unknown_number_of_a_closed_enumeration_is_not_set_as_in_protobuf() -> None:
    text = PROTO2 + "message A { optional E a = 1; repeated E b = 2; } enum E { X = 0; Y = 1; }"
    made = codec(text)
    assert data(made.shape, made.decode(b"\x08\x07\x10\x01\x10\x07", None)) == {"a": None, "b": ["Y"]}


def test_member_of_a_oneof_that_is_set_is_shown_even_if_it_is_zero() -> None:
    text = (
        PROTO3
        + "message A { oneof x { B b = 1; int32 n = 2; B c = 4; C d = 5; } }"
        + "message B { string s = 1; } message C { int32 i = 1; }"
    )
    assert shown(text, {}) == {"x": None}
    assert shown(text, {"n": 0}) == {"x": {"__typename": "OrdersANValue", "value": 0}}
    assert shown(text, {"c": {"s": "y"}}) == {"x": {"__typename": "OrdersACValue", "value": {"s": "y"}}}
    assert shown(text, {"d": {}}) == {"x": {"__typename": "OrdersC", "i": 0}}


def test_groups_and_delimited_messages() -> None:
    text = PROTO2 + "message A { repeated group Line = 1 { optional int32 n = 1; } }"
    assert codec(text).decode(b"\x0b\x08\x05\x0c", None).line[0].n == 5
    made = codec(text)
    assert data(made.shape, made.decode(b"\x0b\x08\x05\x0c\x0b\x0c", None)) == {"line": [{"n": 5}, {"n": None}]}


KNOWN = PROTO3 + "".join(
    f'import "google/protobuf/{file}.proto";'
    for file in ("timestamp", "duration", "wrappers", "struct", "any", "empty", "field_mask")
)


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("Timestamp", "2026-01-31T23:59:59Z", "2026-01-31T23:59:59.000000000Z"),
        ("Timestamp", "1969-12-31T23:59:59.999999999Z", "1969-12-31T23:59:59.999999999Z"),
        ("Timestamp", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000000Z"),
        ("Timestamp", "9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999999999Z"),
        ("Duration", "0s", "PT0S"),
        ("Duration", "3.5s", "PT3.500S"),
        ("Duration", "-3661.000000001s", "-PT1H1M1.000000001S"),
        ("Duration", "7200s", "PT2H"),
        ("Duration", "-0.000001s", "-PT0.000001S"),
        ("DoubleValue", 0.0, 0.0),
        ("FloatValue", 0.1, 0.1),
        ("Int64Value", 2**63 - 1, "9223372036854775807"),
        ("UInt64Value", 2**64 - 1, "18446744073709551615"),
        ("Int32Value", -1, -1),
        ("UInt32Value", 2**32 - 1, "4294967295"),
        ("BoolValue", False, False),
        ("StringValue", "", ""),
        ("BytesValue", "AA==", "AA=="),
        ("Struct", {"b": [1, None, True], "a": {"c": 0.5}}, {"b": [1, None, True], "a": {"c": 0.5}}),
        ("Value", ["x", {}], ["x", {}]),
        ("Value", 2**53, 2**53),
        ("ListValue", [[], 1e300], [[], 1e300]),
        ("Empty", {}, {}),
        ("FieldMask", "user.displayName,photo", "user.display_name,photo"),
    ],
)
def test_well_known_types(kind: str, value: Any, expected: Any) -> None:
    name = f"google.protobuf.{kind}"
    text = f"{KNOWN} message A {{ {name} a = 1; repeated {name} b = 2; map<string, {name}> c = 3; }}"
    assert shown(text, {}) == {"a": None, "b": [], "c": []}
    assert shown(text, {"a": value, "b": [value], "c": {"k": value}}) == {
        "a": expected,
        "b": [expected],
        "c": [{"key": "k", "value": expected}],
    }


def test_null_of_json_is_null() -> None:
    text = (
        KNOWN
        + "message A { google.protobuf.Value a = 1; repeated google.protobuf.Value b = 2;"
        + "oneof c { google.protobuf.Value d = 3; } }"
    )
    assert shown(text, {"a": None, "b": [None, 1], "d": None}) == {
        "a": None,
        "b": [None, 1],
        "c": {"__typename": "OrdersADValue", "value": None},
    }


def test_moments_outside_of_their_range_harm_only_their_field() -> None:
    made = codec(KNOWN + "message A { google.protobuf.Timestamp a = 1; google.protobuf.Duration b = 2; int32 c = 3; }")
    message = made.decode(b"\x18\x01", None)
    message.a.seconds, message.b.seconds, message.b.nanos = 253_402_300_800, 1, -1
    a, b, c = made.shape.fields  # type: ignore[union-attr]
    assert c.read(message) == 1
    for field in (a, b):
        with pytest.raises(Undecodable):
            data(field.shape, field.read(message))
    assert orjson.loads(made.as_json(message)) == {
        "a": {"seconds": 253_402_300_800, "nanos": 0},
        "b": {"seconds": 1, "nanos": -1},
        "c": 1,
    }
    message.a.seconds, message.a.nanos = 0, 1_000_000_000
    with pytest.raises(Undecodable, match="1000000000 nanoseconds"):
        data(a.shape, a.read(message))


def test_any_shows_the_messages_of_the_schema_and_the_bytes_of_others() -> None:
    text = KNOWN + "message A { google.protobuf.Any a = 1; } message B { int64 n = 1; A inner = 2; }"
    made = codec(text)
    own = {"@type": "type.googleapis.com/shop.v1.B", "n": 5}
    assert shown(text, {"a": own}) == {"a": own}
    known = {"@type": "type.googleapis.com/google.protobuf.Duration", "value": "1.500s"}
    assert shown(text, {"a": known}) == {"a": known}
    nested = {"@type": "type.googleapis.com/shop.v1.B", "inner": {"a": own}}
    in_bytes = {"a": {"@type": own["@type"], "value": "CAU="}}
    assert shown(text, {"a": nested}) == {"a": {"@type": own["@type"], "n": 0, "inner": in_bytes}}
    message = made.decode(b"", None)
    message.a.type_url, message.a.value = "x/unknown", b"\0"
    assert orjson.loads(made.as_json(message)) == {"a": {"@type": "x/unknown", "value": "AA=="}}
    message.a.type_url, message.a.value = "x/shop.v1.B", b"\x08"
    assert orjson.loads(made.as_json(message)) == {"a": {"@type": "x/shop.v1.B", "value": "CA=="}}


def test_message_without_fields_is_an_empty_object() -> None:
    made = codec(PROTO3 + "message A {}")
    assert data(made.shape, made.decode(b"\x08\x01", None)) == {}
    assert made.as_json(made.decode(b"", None)) == b"{}"


@pytest.mark.parametrize("payload", [b"\x08", b"\x0f", b"\xff" * 20, b"\x0a\x05a", b"\x00", b"{}", b"\x0b"])
def test_bytes_that_are_no_message_are_undecodable(payload: bytes) -> None:
    assert "\n" not in _wrong(codec(PROTO3 + "message A { int32 a = 1; string b = 2; }"), payload)


FILE = (
    PROTO3
    + "message A { int32 a = 1; message B { int32 b = 1; message C { int32 c = 1; } } } message D { int32 a = 1; }"
)


def test_framed_value_is_of_the_message_at_its_indexes() -> None:
    made = codec(FILE, is_framed=True)
    writer = made.parse(schema(FILE))
    assert made.decode(b"\x00\x08\x05", writer).a == 5
    assert made.decode(b"\x02\x00\x08\x05", writer).a == 5
    assert _wrong(made, b"\x02\x02\x08\x05", writer) == "it is a shop.v1.D, and not a shop.v1.A"
    assert _wrong(made, b"\x04\x00\x00\x08\x05", writer) == "it is a shop.v1.A.B, and not a shop.v1.A"
    nested = codec(FILE, is_framed=True, message="shop.v1.A.B.C")
    assert nested.decode(b"\x06\x00\x00\x00\x08\x05", nested.parse(schema(FILE))).c == 5
    assert nested.encode({"c": 5}) == b"\x06\x00\x00\x00\x08\x05"
    assert made.encode({"a": 5}) == b"\x00\x08\x05"
    second = codec(FILE, is_framed=True, message="shop.v1.D")
    assert second.encode({"a": 5}) == b"\x02\x02\x08\x05"
    assert second.decode(b"\x02\x02\x08\x05", writer).a == 5


def test_indexes_belong_to_the_schema_of_the_writer() -> None:
    reordered = PROTO3 + "message D { int32 a = 1; } message A { int32 a = 1; int32 more = 2; }"
    made = codec(FILE, is_framed=True)
    writer = made.parse(schema(reordered))
    assert made.decode(b"\x02\x02\x08\x05", writer).a == 5
    assert _wrong(made, b"\x00\x08\x05", writer) == "it is a shop.v1.D, and not a shop.v1.A"


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x02",
        b"\x02\x10",
        b"\x02\x01",
        b"\x01",
        b"\xff\xff\xff\xff\xff\xff",
        b"\x80",
        b"\xfe\xff\x03",
        b"\x08\0\0\0\0",
    ],
)
def test_indexes_that_lead_nowhere_are_undecodable(payload: bytes) -> None:
    made = codec(FILE, is_framed=True)
    assert "\n" not in _wrong(made, payload, made.parse(schema(FILE)))


def test_many_indexes_take_more_than_one_byte_each() -> None:
    text = PROTO3 + "".join(f"message M{number} {{ int32 a = 1; }}" for number in range(300))
    made = codec(text, is_framed=True, message="shop.v1.M299")
    assert made.encode({"a": 5}) == b"\x02\xd6\x04\x08\x05"
    assert made.decode(made.encode({"a": 5}), linked(text)).a == 5


def test_message_of_an_imported_file_has_no_indexes() -> None:
    text = PROTO3 + 'import "google/type/date.proto"; message A { google.type.Date d = 1; }'
    assert codec(text, message="google.type.Date").encode({"year": 2026}) == b"\x08\xea\x0f"
    with pytest.raises(BadSchema, match="is not in the schema, but in what it imports"):
        codec(text, message="google.type.Date", is_framed=True)


def test_value_that_is_nested_too_deep_is_undecodable() -> None:
    text = PROTO3 + "message A { A a = 1; }"

    def nested(depth: int) -> bytes:
        payload = b""
        for _ in range(depth - 1):
            payload = b"\x0a" + _varint(len(payload)) + payload
        return payload

    codec(text).decode(nested(100), None)
    assert _wrong(codec(text), nested(200))
    limited = codec(text, limits=FormatLimits(depth_max=3))
    limited.decode(nested(3), None)
    assert _wrong(limited, nested(4)) == "it is nested deeper than 3"
    assert _wrong(codec(text), nested(100_000))


def test_value_with_too_many_items_is_undecodable() -> None:
    text = PROTO3 + "message A { repeated int32 a = 1; map<int32, int32> b = 2; repeated A c = 3; }"
    made = codec(text)
    many = b"\x0a" + _varint(100_000) + b"\0" * 100_000
    assert len(made.decode(many, None).a) == 100_000
    assert _wrong(made, many + b"\x08\0") == "it has more than 100,000 items"
    a_million = b"".join(
        b"\x12" + _varint(len(entry)) + entry for key in range(300_000) for entry in [b"\x08" + _varint(key)]
    )
    assert _wrong(made, a_million) == "it has more than 100,000 items"
    assert _wrong(made, b"\x1a\0" * 100_001) == "it has more than 100,000 items"
    limited = codec(text, limits=FormatLimits(items_max=1))
    limited.decode(b"\x1a\x02\x10\0", None)
    assert _wrong(limited, b"\x1a\x02\x08\0\x1a\0") == "it has more than 1 items"


def _varint(number: int) -> bytes:
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*written, number])


def test_fields_that_the_schema_does_not_know_are_left_out() -> None:
    newer, older = PROTO3 + "message A { int32 a = 1; string b = 2; }", PROTO3 + "message A { int32 a = 1; }"
    made = codec(older)
    decoded = made.decode(written(newer, {"a": 1, "b": "x"}), made.parse(schema(newer)))
    assert data(made.shape, decoded) == {"a": 1}
    assert made.as_json(decoded) == b'{"a":1}'
