"""Values of GraphQL's inputs, as bytes that fastavro reads, and those that do not fit."""

from decimal import Decimal
from io import BytesIO
from typing import Any
from uuid import UUID

import fastavro
import pytest

from kvs_graphql.formats.errors import DoesNotFit
from kvs_graphql.formats.limits import FormatLimits
from tests.formats.avro.schemas import codec, logical, record

CARD = record(("number", "string"), name="com.shop.Card")
DECIMAL = logical("bytes", "decimal", precision=4, scale=2)
NUMBER = {"type": "enum", "name": "Number", "symbols": ["ONE", "true"]}


def read_by_fastavro(schema: Any, payload: bytes) -> Any:
    return fastavro.schemaless_reader(BytesIO(payload), fastavro.parse_schema(schema), None)


@pytest.mark.parametrize(
    ("kind", "value", "read"),
    [
        (["null", "string"], None, None),
        (["string", "null"], "a", "a"),
        (["null", "int", "long"], {"long": 5}, 5),
        (["null", CARD, NUMBER], {"number": "true_"}, "true"),
        (["null", CARD, "string"], {"card": {"number": "1"}}, {"number": "1"}),
        ([{"type": "map", "values": "int"}, "string"], {"map": [{"key": "a", "value": 1}]}, {"a": 1}),
        (DECIMAL, Decimal("-0.5"), Decimal("-0.50")),
        (DECIMAL, Decimal("99.99"), Decimal("99.99")),
        (DECIMAL, Decimal("1E+1"), Decimal("10.00")),
        (logical("fixed", "decimal", name="F", size=3, precision=4, scale=2), Decimal(-1), Decimal("-1.00")),
        (logical("string", "uuid"), UUID(int=1), UUID(int=1)),
        ("double", 1, 1.0),
    ],
)
def test_fastavro_reads_what_was_encoded(kind: Any, value: Any, read: Any) -> None:
    schema = record(("part", kind))
    assert read_by_fastavro(schema, codec(schema).encode({"part": value})) == {"part": read}


@pytest.mark.parametrize(("number", "payload"), [("1.27", "7f"), ("1.28", "0080"), ("-1.28", "80"), ("-1.29", "ff7f")])
def test_decimal_has_as_few_bytes_as_in_java(number: str, payload: str) -> None:
    encoded = codec(DECIMAL).encode({"value": Decimal(number)})
    assert encoded[1:].hex() == payload


# The type of a field, a value that does not fit, and why.
MISFITS: list[tuple[Any, Any, str]] = [
    ("boolean", 1, "part: must be true or false"),
    ("int", 2**31, "part: is a whole number of more than 32 bits"),
    ("int", True, "part: must be a whole number"),
    ("int", None, "part: must be a whole number"),
    ("long", -(2**63) - 1, "part: is a whole number of more than 64 bits"),
    ("float", 1e39, "part: is too large a number"),
    ("double", float("inf"), "part: must be a finite number"),
    ("double", 10**400, "part: is too large a number"),
    ("string", "\ud800", "part: is not text that UTF-8 can have"),
    ("string", b"", "part: must be text"),
    ("bytes", "a", "part: must be bytes"),
    ("null", 1, "part: must be null"),
    (["null"], 1, "part: must be null"),
    (record(name="E"), {"a": 1}, "part: must be {}"),
    ({"type": "fixed", "name": "F", "size": 2}, b"abc", "part: must have 2 bytes, and has 3"),
    (NUMBER, "TWO", "part: 'TWO' is not a value of the enumeration"),
    (NUMBER, "true", "part: 'true' is not a value of the enumeration"),
    (DECIMAL, Decimal("0.001"), "part: has more than 2 digits after the point"),
    (DECIMAL, Decimal(100), "part: has more than 2 digits before the point"),
    (DECIMAL, Decimal("NaN"), "part: is not a number"),
    (DECIMAL, 1, "part: must be a decimal number"),
    (logical("int", "date"), "2026-02-30", "part: '2026-02-30' has a date that does not exist"),
    (logical("int", "time-millis"), "00:00:00.0001", "part: '00:00:00.0001' has more than 3 digits after the seconds"),
    (logical("long", "timestamp-nanos"), "2500-01-01T00:00:00Z", "part: is a whole number of more than 64 bits"),
    (logical("long", "local-timestamp-millis"), 5, "part: must be text"),
    (logical("string", "uuid"), "5", "part: must be a UUID"),
    (logical("fixed", "duration", name="D", size=12), "1 day", "part: '1 day' is not a duration such as P1M2DT3.5S"),
    (
        *(logical("fixed", "duration", name="D", size=12), "P400000000Y"),
        "part: 'P400000000Y' has more months, days or milliseconds than 32 bits can count",
    ),
    (["null", "int"], "a", "part: must be a whole number"),
    (["int", "string"], None, "part: must be an object with exactly one of the fields int, string"),
    (
        ["int", "string"],
        {"int": 1, "string": "a"},
        "part: must be an object with exactly one of the fields int, string",
    ),
    (["int", "string"], {"string": 1}, "part.string: must be text"),
    (["int", CARD], {"card": {}}, "part.card.number: is missing, and has no default"),
    ({"type": "array", "items": "int"}, 5, "part: must be a list"),
    (
        {"type": "array", "items": {"type": "array", "items": "int"}},
        [[1], [2, "a"]],
        "part[1][1]: must be a whole number",
    ),
    ({"type": "map", "values": "int"}, [{"key": "a"}], "part[0].value: must be a whole number"),
    ({"type": "map", "values": "int"}, [{"key": 5}], "part[0].key: must be text"),
    ({"type": "map", "values": "int"}, [{"keys": 5}], "part[0]: must be an object with the fields key and value"),
    ({"type": "map", "values": "null"}, [{"key": "a"}, {"key": "a"}], "part[1].key: 'a' is there twice"),
    (record(("id", "int"), name="R"), {"id_": "a"}, "part.id_: must be a whole number"),
    (record(("id", "int"), name="R"), {"id": 1}, "part: must be an object with the fields of its type"),
    (record(("id", "int"), name="R"), {}, "part.id_: is missing, and has no default"),
    (record(("id", "int"), name="R"), [], "part: must be an object with the fields of its type"),
]


@pytest.mark.parametrize(("kind", "value", "reason"), MISFITS)
def test_value_that_does_not_fit_is_named_with_its_path(kind: Any, value: Any, reason: str) -> None:
    with pytest.raises(DoesNotFit) as refused:
        codec(record(("part", kind))).encode({"part": value})
    assert str(refused.value) == reason


def test_root_that_is_no_object_is_given_in_one() -> None:
    assert codec(["null", "int"]).encode({"value": 1}) == b"\x02\x02"
    assert codec(["null", "int"]).encode({}) == b"\x00"
    with pytest.raises(DoesNotFit, match="value: is missing"):
        codec("int").encode({})


def test_field_that_is_left_out_has_its_default_or_is_null() -> None:
    schema = record(
        {"name": "a", "type": ["null", "int"]},
        {"name": "b", "type": ["null", "int"], "default": 5},
        {"name": "c", "type": ["null", CARD, "int"], "default": {"number": "1"}},
        {"name": "d", "type": ["null", "int", "string"]},
        {"name": "e", "type": "null"},
    )
    read = read_by_fastavro(schema, codec(schema).encode({}))
    assert read == {"a": None, "b": 5, "c": {"number": "1"}, "d": None, "e": None}
    read = read_by_fastavro(schema, codec(schema).encode({"b": None, "c": None}))
    assert read == {"a": None, "b": None, "c": None, "d": None, "e": None}


def test_value_may_be_as_large_as_values_that_are_read() -> None:
    node = record(("next", ["null", "Node"]), ("items", {"type": "array", "items": "null"}), name="Node")
    nodes = codec(node, FormatLimits(depth_max=2, items_max=2))
    nodes.encode({"next": None, "items": [None, None]})
    with pytest.raises(DoesNotFit, match="items: a value has at most 2 items"):
        nodes.encode({"next": None, "items": [None, None, None]})
    with pytest.raises(DoesNotFit, match=r"next\.items: a value is nested at most 2 levels deep"):
        nodes.encode({"next": {"next": None, "items": []}, "items": []})
