"""Values that were written with another schema than the one that reads them."""

import json
from typing import Any

import pytest

from kvs_graphql.formats.errors import Undecodable
from tests.formats.avro.inputs import given
from tests.formats.avro.schemas import cannot_read, codec, decoded, logical, record, text, written
from tests.formats.data import data


def enum(*symbols: str, name: str = "E", **others: Any) -> dict[str, Any]:
    return {"type": "enum", "name": name, "symbols": list(symbols), **others}


def fixed(size: int, name: str = "F", **others: Any) -> dict[str, Any]:
    return {"type": "fixed", "name": name, "size": size, **others}


def array(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items}


A = record(("x", "int"), name="n.A")
B = record(("y", "string"), name="n.B")
OTHER_A = record(("x", "long"), name="m.A")
NODE = record(("value", "int"), ("next", ["null", "Node"]), name="Node")
LONG_NODE = record(("value", "long"), ("next", ["null", "Node"]), name="Node")

# The reader's type, the writer's type, a value as fastavro writes it, and as the reader shows it.
READABLE: dict[str, tuple[Any, ...]] = {
    "the same": ("string", "string", "a", "a"),
    "int as long": ("long", "int", 5, "5"),
    "int as float": ("float", "int", 5, 5.0),
    "int as double": ("double", "int", 5, 5.0),
    "long as float": ("float", "long", 5, 5.0),
    "long as double": ("double", "long", 2**40, float(2**40)),
    "float as double": ("double", "float", 1.5, 1.5),
    "string as bytes": ("bytes", "string", "ö", "w7Y="),
    "bytes as string": ("string", "bytes", "ö".encode(), "ö"),
    "items": (array("long"), array("int"), [1, 2], ["1", "2"]),
    "values": (
        *({"type": "map", "values": kind} for kind in ("double", "int")),
        *({"a": 1}, [{"key": "a", "value": 1.0}]),
    ),
    "known symbols": (enum("A", "B"), enum("B"), "B", "B"),
    "symbol that is unknown": (enum("A", "B", default="A"), enum("B", "C"), "C", "A"),
    "symbol that is known beside a default": (enum("A", "B", default="A"), enum("B", "C"), "B", "B"),
    "enum of another namespace": (enum("A", name="n.E"), enum("A", name="m.E"), "A", "A"),
    "enum with an alias": (enum("A", name="n.E", aliases=["D"]), enum("A", name="n.D"), "A", "A"),
    "fixed with an alias": (fixed(1, name="n.F", aliases=["m.G"]), fixed(1, name="m.G"), b"a", "YQ=="),
    "became nullable": (["null", "long"], "int", 5, "5"),
    "was nullable": (["null", "long"], ["int", "null"], 5, "5"),
    "null that was nullable": (["null", "long"], ["int", "null"], None, None),
    "union of one type": ("long", ["int"], 5, "5"),
    "became a choice": (["string", "long"], "long", 5, {"__typename": "OrdersPartLong", "value": "5"}),
    "choice in another order": (
        *(["string", "long", "null"], ["null", "long", "string"]),
        *(5, {"__typename": "OrdersPartLong", "value": "5"}),
    ),
    "null of a choice": (["string", "long", "null"], ["null", "long", "string"], None, None),
    "choice that is promoted": (
        ["string", "double"],
        ["int", "string"],
        5,
        {"__typename": "OrdersPartDouble", "value": 5.0},
    ),
    "choice with the same type": (["double", "int"], ["int"], 5, {"__typename": "OrdersPartInt", "value": 5}),
    "choice that became one type": ("double", ["int", "long", "float"], 1.5, 1.5),
    "record of a choice": (["null", "string", A], [A, B][:1], {"x": 1}, {"__typename": "OrdersNA", "x": 1}),
    "record of a choice by its full name": (
        *([OTHER_A, A], [A]),
        *({"x": 1}, {"__typename": "OrdersNA", "x": 1}),
    ),
    "record of another namespace": (["null", OTHER_A, "string"], A, {"x": 1}, {"__typename": "OrdersMA", "x": "1"}),
    "field that was added": (
        record(("x", "int"), {"name": "y", "type": "string", "default": "none"}, name="A"),
        *(record(("x", "int"), name="A"), {"x": 1}, {"x": 1, "y": "none"}),
    ),
    "field that was removed": (
        record(("x", "int"), name="A"),
        *(record(("w", array("int")), ("x", "int"), name="A"), {"w": [1], "x": 1}, {"x": 1}),
    ),
    "fields in another order": (
        record(("y", "int"), ("x", "int"), name="A"),
        *(record(("x", "int"), ("y", "int"), name="A"), {"x": 1, "y": 2}, {"y": 2, "x": 1}),
    ),
    "field with an alias": (
        record({"name": "y", "type": "long", "aliases": ["w", "x"]}, name="A"),
        *(record(("x", "int"), name="A"), {"x": 1}, {"y": "1"}),
    ),
    "field with a name before one with an alias": (
        record({"name": "y", "type": "int", "aliases": ["x"]}, name="A"),
        *(record(("x", "int"), ("y", "int"), name="A"), {"x": 1, "y": 2}, {"y": 2}),
    ),
    "record that lost its fields": (record(name="A"), record(("x", "int"), name="A"), {"x": 1}, {}),
    "record that got fields": (
        record({"name": "x", "type": "int", "default": 7}, name="A"),
        *(record(name="A"), {}, {"x": 7}),
    ),
    "record in itself": (
        *(record(("node", LONG_NODE), name="L"), record(("node", NODE), name="L")),
        {"node": {"value": 1, "next": {"value": 2, "next": None}}},
        {"node": {"value": "1", "next": {"value": "2", "next": None}}},
    ),
    "precision that grew": (
        *(logical("bytes", "decimal", precision=precision, scale=2) for precision in (9, 4)),
        *(b"\x01", "0.01"),
    ),
    "meaning that was added": (logical("long", "timestamp-millis"), "int", 0, "1970-01-01T00:00:00.000Z"),
    "meaning that was removed": ("int", logical("int", "date"), 5, 5),
}


def plain(schema: Any) -> Any:
    """The same schema for fastavro without meanings, so that it takes the raw values."""
    match schema:
        case dict():
            return {
                key: plain(value) for key, value in schema.items() if key not in ("logicalType", "scale", "precision")
            }
        case list():
            return [plain(one) for one in schema]
        case _:
            return schema


@pytest.mark.parametrize(("reader", "writer", "value", "shown"), READABLE.values(), ids=READABLE.keys())
def test_value_of_another_schema_is_read(reader: Any, writer: Any, value: Any, shown: Any) -> None:
    reading, writing = record(("part", reader)), record(("part", writer))
    assert cannot_read(reading, writing) is None
    orders = codec(reading)
    found = orders.decode(written(plain(writing), {"part": value}), orders.parse(text(writing)))
    assert data(orders.shape, found) == {"part": shown}
    again = orders.encode(given(orders.shape, {"part": shown}))
    assert orders.decode(again, orders.parse(text(reading))) == found


# The reader's type, the writer's type, and why the one cannot read the other.
UNREADABLE: dict[str, tuple[Any, ...]] = {
    "another primitive": ("int", "string", "part: string was written, and the reader has int"),
    "a narrower number": ("int", "long", "part: long was written, and the reader has int"),
    "a double as a float": ("float", "double", "part: double was written, and the reader has float"),
    "items": (array("int"), array("string"), "part[]: string was written, and the reader has int"),
    "values": (
        *({"type": "map", "values": kind} for kind in ("int", "null")),
        "part{}: null was written, and the reader has int",
    ),
    "a list as a map": (
        {"type": "map", "values": "int"},
        array("int"),
        "part: array was written, and the reader has map",
    ),
    "a symbol": (enum("A"), enum("A", "B"), "part: the symbol B is unknown to the reader, which has no default for it"),
    "a name": (
        enum("A", name="n.E"),
        enum("A", name="n.D"),
        "part: n.D was written, and the reader has n.E without that alias",
    ),
    "a size": (fixed(2), fixed(3), "part: 3 bytes were written, and the reader has 2"),
    "a fixed as bytes": ("bytes", fixed(3, name="n.F"), "part: n.F was written, and the reader has bytes"),
    "null": ("int", ["null", "int"], "part: null was written, and the reader has int"),
    "a branch": (
        *(["null", "int"], ["null", "int", "string"]),
        "part: string was written, which no type of the reader's union reads",
    ),
    "a field without a default": (
        A | {"name": "A"},
        record(name="A"),
        "part.x: it was not written, and has no default",
    ),
    "a field with a bad default": (
        *(record({"name": "x", "type": "int", "default": "a"}, name="A"), record(name="A")),
        "part.x: it was not written, and has a default that does not fit its type",
    ),
    "deep inside": (
        array(["null", record(("m", {"type": "map", "values": enum("A")}), name="R")]),
        array(record(("m", {"type": "map", "values": enum("B")}), name="R")),
        "part[].m{}: the symbol B is unknown to the reader, which has no default for it",
    ),
    "scale": (
        *(logical("bytes", "decimal", precision=5, scale=scale) for scale in (2, 3)),
        "part: a decimal of scale 3 was written, and the reader has scale 2",
    ),
    "meaning": (
        *(logical("long", f"timestamp-{unit}") for unit in ("micros", "millis")),
        "part: timestamp-millis was written, and the reader has timestamp-micros",
    ),
    "record in itself": (
        record(("v", "int"), ("next", ["null", "N"]), name="N"),
        record(("v", "string"), ("next", ["null", "N"]), name="N"),
        "part.v: string was written, and the reader has int",
    ),
}


@pytest.mark.parametrize(("reader", "writer", "reason"), UNREADABLE.values(), ids=UNREADABLE.keys())
def test_schema_that_cannot_be_read_is_refused_with_the_path(reader: Any, writer: Any, reason: str) -> None:
    assert cannot_read(record(("part", reader)), record(("part", writer))) == reason


def test_branch_that_turns_out_unreadable_leaves_nothing_behind() -> None:
    """What was decided about records inside of it, while it was not known to be unreadable, is decided again."""
    inner = record(("back", ["null", "Outer"]), name="Inner")
    writing = record(("a", record(("inner", inner), ("v", "string"), name="Outer")), ("b", "Inner"))
    unreadable = record(("inner", inner | {"name": "x.Inner"}), ("v", "int"), name="x.Outer")
    readable = record(("inner", inner | {"name": "y.Inner"}), ("v", "string"), name="y.Outer")
    reading = record(("a", [unreadable, readable]), ("b", "x.Inner"))
    reason = "b.back: com.shop.Outer was written, which no type of the reader's union reads"
    assert cannot_read(reading, writing) == reason
    assert cannot_read(record(("a", [unreadable, readable]), ("b", "y.Inner")), writing) is None


def test_root_may_become_an_object() -> None:
    orders = codec(["null", record(("x", "int"))])
    found = orders.decode(b"\x02", orders.parse(text(record(("x", "int")))))
    assert data(orders.shape, found) == {"value": {"x": 1}}
    back = codec(record(("x", "long")))
    found = back.decode(b"\x00\x02", back.parse(text([record(("x", "int"))])))
    assert data(back.shape, found) == {"x": "1"}
    found = orders.decode(b"\x00\x02", orders.parse(text([record(("x", "int"))])))
    assert json.loads(orders.as_json(found)) == {"x": 1}


def test_bytes_that_are_no_text_are_undecodable_as_text() -> None:
    orders = codec(record(("part", "string")))
    with pytest.raises(Undecodable, match="utf-8"):
        orders.decode(b"\x02\xff", orders.parse(text(record(("part", "bytes")))))


@pytest.mark.parametrize(
    ("kind", "default", "shown"),
    [
        ("bytes", "\u00ff", "/w=="),
        (fixed(1), "\u00ff", "/w=="),
        (enum("A"), "A", "A"),
        (array("long"), [1], ["1"]),
        ({"type": "map", "values": "int"}, {"a": 1}, [{"key": "a", "value": 1}]),
        (["null", "int"], 5, 5),
        (["string", "long"], 5, {"__typename": "OrdersPartLong", "value": "5"}),
        (["long", A], {"x": 1}, {"__typename": "OrdersNA", "x": 1}),
        (record({"name": "x", "type": "int", "default": 3}, name="A"), {}, {"x": 3}),
        (logical("int", "date"), 0, "1970-01-01"),
        ("double", 1, 1.0),
    ],
)
def test_field_that_was_not_written_has_its_default(kind: Any, default: Any, shown: Any) -> None:
    reading, writing = record({"name": "part", "type": kind, "default": default}), record()
    orders = codec(reading)
    found = orders.decode(b"", orders.parse(text(writing)))
    assert data(orders.shape, found) == {"part": shown}
    assert orders.decode(orders.encode({}), orders.parse(text(reading))) == found


@pytest.mark.parametrize("kind", ["int", "long"])
def test_whole_number_that_is_read_as_a_float_has_its_precision(kind: str) -> None:
    """As other readers round it; else it could not be written again."""
    number = 2**24 + 1
    assert decoded("float", written(kind, number), kind) == {"value": float(number - 1)}
    assert decoded("double", written(kind, number), kind) == {"value": float(number)}


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("number", "nearest"), [(2**60 + 2**36 + 1, 2**60 + 2**37), (2**60 + 3 * 2**36 - 1, 2**60 + 2**37)]
)
def test_whole_number_that_is_read_as_a_float_is_rounded_once(number: int, nearest: int, sign: int) -> None:
    """As Java does it; by way of a double, these would first become the middle between two floats."""
    assert decoded("float", written("long", sign * number), "long") == {"value": float(sign * nearest)}
