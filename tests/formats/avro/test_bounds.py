"""Schemas and values that are too large, too deep or broken are refused in bounded time, and never end the process."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvs_graphql.formats.codec import SchemaText
from kvs_graphql.formats.errors import BadSchema, Undecodable
from kvs_graphql.formats.limits import FormatLimits
from tests.formats.avro.schemas import codec, decoded, logical, record, text, written
from tests.formats.data import data

NODE = record(("next", ["null", "Node"]), name="Node")
TREE = record(("parts", {"type": "array", "items": "Tree"}), name="Tree")
NULLS = {"type": "array", "items": "null"}
EMPTY = record(name="Empty")


def number(value: int) -> bytes:
    return written("long", value)


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ("{", "the schema is not JSON"),
        ("[" * 100_000, "the schema is not JSON"),
        ('{"type":' * 5_000 + '"int"' + "}" * 5_000, "nested deeper than 100 levels|not JSON"),
        ('{"type":"array","items":' * 101 + '"int"' + "}" * 101, "nested deeper than 100 levels"),
        ("5", "5 is not a type"),
        ('"number"', "the type 'number' is not defined"),
        ("{}", "{} is not a type"),
        ('{"type":"array"}', "is not a type|is not defined"),
        ("[]", "is empty"),
        ('["int", ["null"]]', "contains a union"),
        ('["int", {"type": "int", "logicalType": "date"}]', "has a type twice"),
        ('{"type":"record","name":"R"}', "the record 'R' has no list of fields"),
        ('{"type":"record","fields":[]}', "a type is named None"),
        ('{"type":"record","name":"int","fields":[]}', "a type is named 'int'"),
        ('{"type":"record","name":"R","fields":[{"type":"int"}]}', "has a field without a name"),
        (
            '{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"a","type":"int"}]}',
            "a field twice",
        ),
        ('{"type":"record","name":"R","aliases":5,"fields":[]}', "5 is not a list of names"),
        ('{"type":"enum","name":"E","symbols":["A","A"]}', "has no symbols, or one of them twice"),
        ('{"type":"enum","name":"E","symbols":[]}', "has no symbols, or one of them twice"),
        ('{"type":"enum","name":"E","symbols":["A"],"default":"B"}', "is not one of its symbols"),
        ('{"type":"enum","name":"E","symbols":["A-B"]}', "must match the regular expression"),
        ('{"type":"fixed","name":"F","size":-1}', "the fixed 'F' has no size"),
        ('{"type":"fixed","name":"F"}', "the fixed 'F' has no size"),
        ('[{"type":"fixed","name":"F","size":1},{"type":"enum","name":"F","symbols":["A"]}]', "is defined twice"),
        ('{"type":"record","name":"R","fields":[{"name":"r","type":"R"}]}', "each value of R contains another one"),
    ],
)
def test_bad_schema_is_refused_in_one_line(schema: str, reason: str) -> None:
    with pytest.raises(BadSchema, match=reason) as refused:
        codec(SchemaText("avro", schema))
    assert len(str(refused.value).splitlines()) == 1
    assert len(str(refused.value)) < 500


def test_schema_of_another_format_is_refused() -> None:
    with pytest.raises(BadSchema, match="protobuf"):
        codec(SchemaText("protobuf", '"int"'))
    with pytest.raises(BadSchema, match="json_schema"):
        codec(SchemaText("avro", '"int"', (("a", SchemaText("json_schema", '"int"')),)))


@pytest.mark.parametrize(
    ("limits", "schema", "reason"),
    [
        (FormatLimits(schema_bytes_max=10), record(("a", "int")), "more than 10 bytes"),
        (FormatLimits(schema_types_max=1), record(("a", EMPTY)), "more than 1 types"),
        (FormatLimits(schema_fields_max=1), record(("a", "int"), ("b", "int")), "more than 1 fields"),
        (FormatLimits(schema_fields_max=1), {"type": "enum", "name": "E", "symbols": ["A", "B"]}, "more than 1 fields"),
        (FormatLimits(depth_max=1), record(("a", record(("b", "int"), name="B"))), "deeper than 1 level"),
        (FormatLimits(decimal_digits_max=3), logical("bytes", "decimal", precision=4), "more than 3 digits"),
    ],
)
def test_schema_over_a_limit_is_refused(limits: FormatLimits, schema: Any, reason: str) -> None:
    codec(schema)
    with pytest.raises(BadSchema, match=reason):
        codec(schema, limits)


def test_schema_of_ten_megabytes_is_refused() -> None:
    with pytest.raises(BadSchema, match="more than 1,048,576 bytes"):
        codec(record(*((f"a{index}", "string") for index in range(300_000))))


def test_schema_as_large_as_the_limits_is_read() -> None:
    records = [record(*((f"f{number}", "long") for number in range(9)), name=f"R{index}") for index in range(800)]
    schema = record(*((f"r{index}", ["null", kind]) for index, kind in enumerate(records)))
    assert decoded(schema, b"\x00" * 800) == {f"r{index}": None for index in range(800)}


def test_records_that_double_at_each_level_are_refused() -> None:
    """A value without any bytes would have 2^50 records."""
    schema = record(("a", EMPTY), ("b", "Empty"), name="L0")
    for level in range(1, 50):
        schema = record(("a", schema), ("b", f"L{level - 1}"), name=f"L{level}")
    with pytest.raises(BadSchema, match="more than 10,000 fields"):
        codec(schema)


def test_types_that_lie_in_each_other_by_name_are_refused() -> None:
    """Each is defined at the top, so that only values are nested."""
    types = [EMPTY, *(record(("a", "Empty" if not n else f"L{n - 1}"), name=f"L{n}") for n in range(200))]
    with pytest.raises(BadSchema, match=r"deeper than 100 levels|too deep"):
        codec(types)


def test_defaults_that_double_at_each_level_are_refused() -> None:
    def leveled(levels: int) -> Any:
        schema: Any = EMPTY
        for level in range(levels):
            kinds = schema, schema["name"]
            fields = [
                {"name": name, "type": [kind, "null"], "default": {}} for name, kind in zip("ab", kinds, strict=True)
            ]
            schema = record(*fields, name=f"L{level}")
        return schema

    orders = codec(leveled(3))
    assert (
        json.loads(orders.as_json(orders.decode(orders.encode({}), orders.parse(text(leveled(3))))))["b"]["b"]["a"]
        == {}
    )
    with pytest.raises(BadSchema, match="the defaults of the schema are too large"):
        codec(leveled(40))


@pytest.mark.parametrize(
    ("schema", "payload", "reason"),
    [
        (NODE, b"\x02" * 100 + b"\x00", "nested deeper than 100 levels"),
        (NODE, b"\x02" * 1_000_000 + b"\x00", "nested deeper than 100 levels"),
        (TREE, b"\x02" * 1_000_000, "nested deeper than 100 levels"),
        (NULLS, number(2**60) + b"\x00", "more than 100,000 items"),
        (NULLS, number(-(2**60)) + number(0) + b"\x00", "more than 100,000 items"),
        (NULLS, (number(60_000)) * 2 + b"\x00", "more than 100,000 items"),
        ({"type": "array", "items": EMPTY}, number(2**40) + b"\x00", "more than 100,000 items"),
        (
            {"type": "array", "items": "boolean"},
            number(200_000) + b"\x01" * 200_000 + b"\x00",
            "more than 100,000 items",
        ),
        ({"type": "array", "items": "boolean"}, number(2**60) + b"\x01" * 9, "ends too early"),
        ("string", number(2**60) + b"a", "ends too early"),
        ("string", number(5) + b"a", "ends too early"),
        ("string", number(-5) + b"a", "ends too early"),
        ("string", b"", "ends too early"),
        ("string", b"\x80", "ends too early"),
        ("string", b"\x02\xff", "utf-8"),
        ("double", b"\x00" * 7, "ends too early"),
        ({"type": "fixed", "name": "F", "size": 2**31 - 1}, b"\x00", "ends too early"),
        (["null", "int"], b"\x06", "a branch or symbol"),
        ({"type": "enum", "name": "E", "symbols": ["A"]}, b"\x06", "a branch or symbol"),
        ("int", b"\x02\x02", "1 bytes are left after the value"),
    ],
)
def test_broken_value_is_undecodable(schema: Any, payload: bytes, reason: str) -> None:
    with pytest.raises(Undecodable, match=reason):
        decoded(schema, payload)


def test_map_of_a_million_keys_is_undecodable() -> None:
    schema = {"type": "map", "values": "int"}
    payload = written(schema, dict.fromkeys(map(str, range(1_000_000)), 1))
    with pytest.raises(Undecodable, match="more than 100,000 items"):
        decoded(schema, payload)


def test_decimal_of_ten_thousand_digits_is_undecodable() -> None:
    schema = logical("bytes", "decimal", precision=1000, scale=2)
    orders = codec(schema)
    whole = orders.decode(written("bytes", (10**1000 - 1).to_bytes(416, "big")), orders.parse(text(schema)))
    assert data(orders.shape, whole) == {"value": "9" * 998 + ".99"}
    large = orders.decode(written("bytes", b"\x7f" * 5_000), orders.parse(text(schema)))
    with pytest.raises(Undecodable, match="more than 1,000 digits"):
        data(orders.shape, large)
    with pytest.raises(Undecodable, match="more than 1,000 digits"):
        orders.as_json(large)


@pytest.mark.parametrize(
    ("schema", "limits", "within", "beyond"),
    [
        (NODE, FormatLimits(depth_max=3), b"\x02\x02\x00", b"\x02\x02\x02\x00"),
        (TREE, FormatLimits(depth_max=4), b"\x02\x00\x00", b"\x02\x02\x00\x00\x00"),
        (NULLS, FormatLimits(items_max=20), b"\x04\x00", b"\x06\x00"),
        ({"type": "array", "items": "int"}, FormatLimits(items_max=1), b"\x02\x02\x00", b"\x04\x02\x02\x00"),
        ({"type": "map", "values": "null"}, FormatLimits(items_max=1), b"\x02\x00\x00", b"\x02\x00\x02\x00\x00"),
    ],
)
def test_value_may_be_as_large_as_the_limits(schema: Any, limits: FormatLimits, within: bytes, beyond: bytes) -> None:
    decoded(schema, within, limits=limits)
    decoded(schema, beyond)
    with pytest.raises(Undecodable):
        decoded(schema, beyond, limits=limits)


RECURSIVE: list[Any] = [
    NODE,
    TREE,
    {"type": "array", "items": {"type": "map", "values": NODE}},
    record(("node", record(("inner", record(("back", ["null", "Node"]), name="Inner")), name="Node")), name="Outer"),
    record(
        ("parts", {"type": "array", "items": {"type": "array", "items": ["Deep", "null"]}}), ("x", "int"), name="Deep"
    ),
    record(("a", ["null", record(("b", ["null", record(("c", ["null", "C", NODE]), name="C")]), name="B")]), name="A"),
]


@given(
    st.sampled_from(RECURSIVE), st.integers(8, 20), st.lists(st.sampled_from([0, 2, 2, 2, 4]), max_size=60).map(bytes)
)
def test_value_is_never_deeper_than_the_limit(schema: Any, depth_max: int, payload: bytes) -> None:
    """Also if it is so short that it is decoded without a walk."""
    try:
        found = decoded(schema, payload + b"\x00", limits=FormatLimits(depth_max=depth_max))
    except Undecodable:
        return
    # The object around a root that is none, and the one around a branch of a union, add none to the value.
    assert depth_of(found) - (schema is RECURSIVE[2]) <= depth_max


def depth_of(found: Any) -> int:
    match found:
        case (_, inner):
            return depth_of(inner)
        case dict():
            return 1 + max(map(depth_of, found.values()), default=0)
        case list():
            return 1 + max(map(depth_of, found), default=0)
        case _:
            return 0


def test_every_part_of_a_value_is_walked_through() -> None:
    """A recursive schema makes its values be walked through before they are decoded, with the same result."""
    schema = record(
        ("next", ["null", "Every"]),
        *((kind, kind) for kind in ("null", "boolean", "int", "long", "float", "double", "bytes", "string")),
        ("fixed", {"type": "fixed", "name": "F", "size": 3}),
        ("enum", {"type": "enum", "name": "E", "symbols": ["A", "B"]}),
        ("array", {"type": "array", "items": ["int", "string"]}),
        ("map", {"type": "map", "values": {"type": "map", "values": "double"}}),
        name="Every",
    )
    value = {
        "next": None,
        "null": None,
        "boolean": True,
        "int": -5,
        "long": -(2**63),
        "float": 0.5,
        "double": 1e300,
        "bytes": b"\xff" * 300,
        "string": "ö" * 100,
        "fixed": b"abc",
        "enum": "B",
        "array": [1, "a"],
        "map": {"a": {"b": 1.0}, "": {}},
    }
    payload = written(schema, value | {"next": value})
    orders = codec(schema)
    writer = orders.parse(text(schema))
    found = json.loads(orders.as_json(orders.decode(payload, writer)))
    assert found["next"]["string"] == found["string"] == "ö" * 100
    for length in range(len(payload)):
        with pytest.raises(Undecodable):
            orders.decode(payload[:length], writer)
    with pytest.raises(Undecodable, match="1 bytes are left"):
        orders.decode(payload + b"\x00", writer)
