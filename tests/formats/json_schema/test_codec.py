"""JSON texts read by a schema: exact, and only wrong where a part does not have its shape."""

from typing import Any

import orjson
import pytest

from kvs_graphql.formats.errors import BadSchema, Undecodable
from kvs_graphql.formats.limits import FormatLimits
from kvs_graphql.formats.shapes import Struct
from tests.formats.data import data
from tests.formats.json_schema.schemas import codec, record, shown, text_of

STRING, INTEGER, NUMBER = {"type": "string"}, {"type": "integer"}, {"type": "number"}
INT = {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1}


def _part(schema: Any, text: bytes) -> Any:
    """What a required property shows, with numbers as they are written in the answer."""
    made = codec(record(a_=schema))
    return orjson.dumps(data(made.shape, made.decode(b'{"a":' + text + b"}"))["a"])


def _wrong(schema: Any, text: bytes) -> str:
    with pytest.raises(Undecodable) as refused:
        _part(schema, text)
    return refused.value.reason


@pytest.mark.parametrize(
    ("schema", "text", "expected"),
    [
        (STRING, b'"\\u00e9"', '"é"'.encode()),
        ({"type": "boolean"}, b"false", b"false"),
        (INT, b"-2147483648", b"-2147483648"),
        (INT, b"1.0", b"1"),
        (INT, b"1e3", b"1000"),
        (INTEGER, b"9223372036854775807", b'"9223372036854775807"'),
        (INTEGER, b"-9223372036854775808", b'"-9223372036854775808"'),
        (INTEGER, b"5.0", b'"5"'),
        (NUMBER, b"0.1", b"0.1"),
        (NUMBER, b"5", b"5"),
        (NUMBER, b"9007199254740993", b"9007199254740993"),
        (NUMBER, b"0.30000000000000004", b"0.30000000000000004"),
        ({"type": "string", "format": "date-time"}, b'"2026-01-31T23:59:59.123456789+01:00"', None),
        ({"type": "string", "format": "date-time"}, b'"2026-12-31T23:59:60Z"', None),
        ({"type": "string", "format": "date"}, b'"2026-01-31"', None),
        ({"type": "string", "format": "time"}, b'"23:59:59Z"', None),
        ({"type": "string", "format": "time"}, b'"23:59:59"', None),
        ({"type": "string", "format": "uuid"}, b'"123e4567-e89b-12d3-a456-426614174000"', None),
        ({"type": "string", "format": "duration"}, b'"P1DT2H"', None),
        ({"enum": ["a b", "c"]}, b'"a b"', b'"a_b"'),
        ({"const": "x"}, b'"x"', None),
        ({"type": "array", "items": INTEGER}, b"[1,2]", b'["1","2"]'),
        ({"type": "array", "items": {"type": ["string", "null"]}}, b'["x",null]', None),
        (
            {"type": "object", "additionalProperties": INT},
            b'{"b":1,"a":2}',
            b'[{"key":"b","value":1},{"key":"a","value":2}]',
        ),
        ({}, b"12345678901234567890.50", None),
        ({}, b"[1e400,1.10,-0,123456789012345678901234567890]", None),
        ({"type": "object"}, b'{"x":[{"y":1.0E+2}]}', None),
    ],
)
def test_parts_are_shown_exactly(schema: Any, text: bytes, expected: bytes | None) -> None:
    assert _part(schema, text) == (text if expected is None else expected)


@pytest.mark.parametrize(
    ("schema", "text", "reason"),
    [
        (STRING, b"5", "Orders.a is not a string"),
        (STRING, b"null", "Orders.a is missing"),
        ({"type": "boolean"}, b"0", "Orders.a is not true or false"),
        (INT, b"2147483648", "Orders.a is not an integer from -2147483648 to 2147483647"),
        (INT, b"true", "Orders.a is not an integer from -2147483648 to 2147483647"),
        (INT, b"1.5", "Orders.a is not an integer from -2147483648 to 2147483647"),
        (
            INTEGER,
            b"9223372036854775808",
            "Orders.a is not an integer from -9223372036854775808 to 9223372036854775807",
        ),
        (INTEGER, b"-1e400", "Orders.a is not an integer from -9223372036854775808 to 9223372036854775807"),
        (
            INTEGER,
            b"1e99999999999999999999",
            "Orders.a is not an integer from -9223372036854775808 to 9223372036854775807",
        ),
        (INTEGER, b'"5"', "Orders.a is not an integer from -9223372036854775808 to 9223372036854775807"),
        (NUMBER, b"1e400", "Orders.a is a number that no double is near to"),
        (NUMBER, b'"NaN"', "Orders.a is not a number"),
        (NUMBER, b"true", "Orders.a is not a number"),
        ({"type": "string", "format": "date-time"}, b'"yesterday"', "Orders.a is not a date and time with an offset"),
        (
            {"type": "string", "format": "date-time"},
            b'"2026-01-31T23:59:59"',
            "Orders.a is not a date and time with an offset",
        ),
        ({"type": "string", "format": "date"}, b'"2026-13-01"', "Orders.a is not a date"),
        ({"type": "string", "format": "time"}, b'"24:00:00"', "Orders.a is not a time"),
        ({"type": "string", "format": "uuid"}, b'"x"', "Orders.a is not a UUID"),
        ({"type": "string", "format": "duration"}, b'"P"', "Orders.a is not a duration"),
        ({"type": "array", "items": INTEGER}, b"{}", "Orders.a is not a list"),
        ({"type": "array", "items": STRING}, b"[1]", "an item of Orders.a is not a string"),
        ({"type": "array", "items": STRING}, b"[null]", "an item of Orders.a is missing"),
        ({"type": "object", "additionalProperties": STRING}, b"[]", "Orders.a is not an object"),
        ({"type": "object", "additionalProperties": STRING}, b'{"k":1}', "a value of Orders.a is not a string"),
        (record(b=STRING), b'"x"', "Orders.a is not an object"),
        (record(b_=STRING), b"{}", "OrdersA.b is missing"),
        ({"type": "array", "items": record(b=STRING)}, b"[5]", "an item of Orders.a is not an object"),
    ],
)
def test_part_without_its_shape_is_named(schema: Any, text: bytes, reason: str) -> None:
    assert _wrong(schema, text) == reason


def test_wrong_part_harms_only_itself_and_json_shows_it() -> None:
    made = codec(record(a_=INTEGER, b_=STRING, c=STRING))
    text = b'{"b": "x", "a": "wrong",\n "c": 5, "more": 1.10}'
    decoded = made.decode(text)
    assert isinstance(made.shape, Struct)
    a, b, c = made.shape.fields
    assert b.read(decoded) == "x"
    for field in (a, c):
        with pytest.raises(Undecodable):
            field.read(decoded)
    assert made.as_json(decoded) == b'{"b": "x", "a": "wrong", "c": 5, "more": 1.10}'


def test_properties_that_are_left_out_or_null() -> None:
    schema = record(a=STRING, b_={"type": ["string", "null"]})
    assert shown(schema, b"{}") == {"a": None, "b": None}
    assert shown(schema, b'{"a":null,"b":null}') == {"a": None, "b": None}


def test_last_one_of_equal_names_counts() -> None:
    assert shown(record(a=STRING), b'{"a":"x","a":"y"}') == {"a": "y"}


@pytest.mark.parametrize("text", [b'{"type":"card","n":"5"}', b'{"n":"5","type":"card"}'])
def test_member_of_a_union_is_told_by_its_constant(text: bytes) -> None:
    card, bank = record(type_={"const": "card"}, n_=STRING), record(type_={"const": "bank"}, iban_=STRING)
    schema = {"oneOf": [card, bank]}
    assert shown(schema, text) == {"__typename": "OrdersCard", "type": "card", "n": "5"}
    assert shown(schema, b'{"type":"bank","iban":"x"}') == {"__typename": "OrdersBank", "type": "bank", "iban": "x"}
    with pytest.raises(StopIteration):
        shown(schema, b'{"type":"cash"}')
    with pytest.raises(Undecodable, match="the value is not an object"):
        shown(schema, b"5")


@pytest.mark.parametrize(
    ("schema", "text", "expected"),
    [
        ({"type": "array", "items": INTEGER}, b"[1]", ["1"]),
        ({"type": "object", "additionalProperties": STRING}, b'{"a":"x"}', [{"key": "a", "value": "x"}]),
        (INTEGER, b"9007199254740993", "9007199254740993"),
        (STRING, b'"x"', "x"),
        ({"type": "string", "format": "date"}, b'"2026-01-31"', "2026-01-31"),
        ({"enum": ["a b"]}, b'"a b"', "a b"),
        ({}, b'{"a":[1]}', {"a": [1]}),
        ({"type": ["string", "integer"]}, b"5", 5),
        ({"type": "array", "items": {"type": "array", "items": {"$ref": "#"}}}, b"[[[]]]", [[[]]]),
    ],
)
def test_root_may_be_of_any_type(schema: Any, text: bytes, expected: Any) -> None:
    assert shown(schema, text) == expected
    made = codec(schema)
    assert made.as_json(made.decode(text)) == text


@pytest.mark.parametrize(
    "schema", [record(a=STRING), {"type": "array", "items": STRING}, INTEGER, {"oneOf": [STRING, INTEGER]}]
)
@pytest.mark.parametrize(
    "text", [b"", b"{", b"x", b"\xff", b'"\xff"', b"\xef\xbb\xbf{}", b'"\\ud800"', b"NaN", b"{} {}"]
)
def test_bytes_that_are_no_json_are_undecodable(schema: Any, text: bytes) -> None:
    with pytest.raises(Undecodable) as refused:
        codec(schema).decode(text)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("schema", [record(a=STRING), {"type": "array", "items": STRING}, INTEGER])
def test_root_without_its_shape_is_shown_as_json_only(schema: Any) -> None:
    made = codec(schema)
    for text in (b"true", b"null", b'"x"'):
        decoded = made.decode(text)
        assert made.as_json(decoded) == text
        with pytest.raises(Undecodable, match="the value is"):
            data(made.shape, decoded)


@pytest.mark.parametrize("depth", [101, 1_023, 5_000, 100_000])
def test_value_that_is_nested_too_deep_is_shown_as_json_only(depth: int) -> None:
    text = b'{"a":' * depth + b"{}" + b"}" * depth
    for schema in (record(a={"$ref": "#"}), {"type": "object", "additionalProperties": {}}):
        made = codec(schema)
        decoded = made.decode(text)
        assert made.as_json(decoded) == text
        with pytest.raises(Undecodable, match="nested deeper than 100"):
            data(made.shape, decoded)


def test_depth_and_items_are_bounded() -> None:
    made = codec(record(a={"$ref": "#"}, b={"type": "array", "items": INTEGER}), FormatLimits(depth_max=3, items_max=4))
    for text, reason in (
        (b'{"a":{"a":{}}}', None),
        (b'{"a":{"a":{"a":{}}}}', "nested deeper than 3"),
        (b'{"b":[1,2,3]}', None),
        (b'{"b":[1,2,3,4]}', "more than 4 items"),
        (b'{"b":[],"c":"[[[[[,,,,,,,"}', None),
    ):
        field = made.shape.fields[0]  # type: ignore[union-attr]
        if reason is None:
            field.read(made.decode(text))
        else:
            with pytest.raises(Undecodable, match=reason):
                field.read(made.decode(text))


def test_map_of_a_million_keys_is_undecodable() -> None:
    schema = record(a={"type": "object", "additionalProperties": INTEGER})
    text = b'{"a":{' + b",".join(b'"%d":1' % number for number in range(1_000_000)) + b"}}"
    with pytest.raises(Undecodable, match="more than 100,000 items"):
        shown(schema, text)


def test_numbers_of_many_digits_take_bounded_time() -> None:
    schema = record(a=INTEGER, b=NUMBER, c={})
    digits = b"1" * 1_000_000
    made = codec(schema)
    decoded = made.decode(b'{"a":' + digits + b',"b":' + digits + b',"c":0.' + digits + b"}")
    a, b, c = made.shape.fields  # type: ignore[union-attr]
    for field in (a, b):
        with pytest.raises(Undecodable):
            field.read(decoded)
    assert orjson.dumps(data(c.shape, c.read(decoded))) == b"0." + digits


def test_writer_whose_values_have_the_shape_is_read() -> None:
    made = codec(record(a=STRING, b=INTEGER))
    made.parse(text_of(record(a_=STRING, c=STRING)))
    with pytest.raises(BadSchema, match=r"^b was of another type before$"):
        made.parse(text_of(record(b=STRING)))
    with pytest.raises(BadSchema, match="it is not a schema"):
        made.parse(text_of({"type": "strin"}))
