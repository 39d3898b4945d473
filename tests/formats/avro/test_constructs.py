"""Each construct of Avro: from a schema to types, to a value as GraphQL shows it, and as JSON."""

import datetime as dt
import decimal
import json
import uuid
from io import BytesIO
from typing import Any

import fastavro
import pytest

from kvs_graphql.formats.avro.codec import AvroCodec
from kvs_graphql.formats.errors import Undecodable
from tests.formats.avro.schemas import codec, logical, record, text, written
from tests.formats.data import data, sdl

NUMBER = {"type": "enum", "name": "Number", "symbols": ["ONE", "true", "TWO"], "doc": "A number."}
CARD = record(("number", "string"), name="com.shop.Card")
HASH = {"type": "fixed", "name": "Hash", "size": 2}
EMPTY = record(name="com.shop.Nothing")
NUMBER_SDL = "enum OrdersNumber { ONE true_ TWO }"


def fixed(size: int, logical_type: str, **others: Any) -> dict[str, Any]:
    return logical("fixed", logical_type, name="F", size=size, **others)


# A field's type; its type in GraphQL and the types made for it; a value; how it shows; its JSON where that differs.
FIELDS: dict[str, tuple[Any, ...]] = {
    "null": ("null", "JSON", None, None, None),
    "boolean": ("boolean", "Boolean!", True, True, True),
    "int": ("int", "Int!", -(2**31), -(2**31), -(2**31)),
    "long": ("long", "Int64!", 2**63 - 1, str(2**63 - 1), 2**63 - 1),
    "float": ("float", "Float!", 1.5, 1.5, 1.5),
    "double": ("double", "Float!", 0.1, 0.1, 0.1),
    "bytes": ("bytes", "Base64!", b"\xff\x00", "/wA=", "/wA="),
    "string": ("string", "String!", "größe", "größe", "größe"),
    "fixed": (HASH, "Base64!", b"\xff\x00", "/wA=", "/wA="),
    "enum": (NUMBER, f"OrdersNumber! | {NUMBER_SDL}", "true", "true_", "true"),
    "array": ({"type": "array", "items": "long"}, "[Int64!]!", [1, 2], ["1", "2"], [1, 2]),
    "array of nullable": ({"type": "array", "items": ["null", "int"]}, "[Int]!", [1, None], [1, None], [1, None]),
    "array of arrays": (
        {"type": "array", "items": {"type": "array", "items": "int"}},
        *("[[Int!]!]!", [[1], []], [[1], []], [[1], []]),
    ),
    "map": (
        {"type": "map", "values": "bytes"},
        "[OrdersPartEntry!]! | type OrdersPartEntry { key: String!, value: Base64! }",
        {"b": b"1", "a": b""},
        [{"key": "b", "value": "MQ=="}, {"key": "a", "value": ""}],
        {"b": "MQ==", "a": ""},
    ),
    "map of nullable maps": (
        {"type": "map", "values": ["null", {"type": "map", "values": "int"}]},
        (
            "[OrdersPartEntry!]! | type OrdersPartEntry { key: String!, value: [OrdersPartValueEntry!] } | "
            "type OrdersPartValueEntry { key: String!, value: Int! }"
        ),
        {"a": {"b": 1}, "c": None},
        [{"key": "a", "value": [{"key": "b", "value": 1}]}, {"key": "c", "value": None}],
        {"a": {"b": 1}, "c": None},
    ),
    "record": (CARD, "OrdersCard! | type OrdersCard { number: String! }", *({"number": "1"},) * 3),
    "record without fields": (EMPTY, "JSON!", {}, {}, {}),
    "nullable": (["null", "long"], "Int64", 5, "5", 5),
    "nullable that is null": (["string", "null"], "String", None, None, None),
    "union of one type": (["string"], "String!", "a", "a", "a"),
    "union of null": (["null"], "JSON", None, None, None),
    "nullable record": (["null", CARD], "OrdersCard | type OrdersCard { number: String! }", *({"number": "1"},) * 3),
    "decimal": (
        logical("bytes", "decimal", precision=9, scale=2),
        *("Decimal!", decimal.Decimal("-1.50"), "-1.50", "-1.50"),
    ),
    "decimal of fixed": (
        fixed(9, "decimal", precision=20, scale=0),
        *("Decimal!", decimal.Decimal(10**19), str(10**19), str(10**19)),
    ),
    "date": (logical("int", "date"), "Date!", dt.date(2024, 2, 29), *("2024-02-29",) * 2),
    "time-millis": (
        logical("int", "time-millis"),
        *("Time!", dt.time(1, 2, 3, 4000), "01:02:03.004", "01:02:03.004"),
    ),
    "time-micros": (
        logical("long", "time-micros"),
        *("Time!", dt.time(1, 2, 3, 4), "01:02:03.000004", "01:02:03.000004"),
    ),
    "timestamp-millis": (
        logical("long", "timestamp-millis"),
        *("DateTime!", -1, "1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z"),
    ),
    "timestamp-micros": (
        logical("long", "timestamp-micros"),
        *("DateTime!", 1, "1970-01-01T00:00:00.000001Z", "1970-01-01T00:00:00.000001Z"),
    ),
    "timestamp-nanos": (
        logical("long", "timestamp-nanos"),
        *("DateTime!", 1, "1970-01-01T00:00:00.000000001Z", "1970-01-01T00:00:00.000000001Z"),
    ),
    "local-timestamp-millis": (
        logical("long", "local-timestamp-millis"),
        *("LocalDateTime!", 1, "1970-01-01T00:00:00.001", "1970-01-01T00:00:00.001"),
    ),
    "local-timestamp-micros": (
        logical("long", "local-timestamp-micros"),
        *("LocalDateTime!", 1, "1970-01-01T00:00:00.000001", "1970-01-01T00:00:00.000001"),
    ),
    "local-timestamp-nanos": (
        logical("long", "local-timestamp-nanos"),
        *("LocalDateTime!", 1, "1970-01-01T00:00:00.000000001", "1970-01-01T00:00:00.000000001"),
    ),
    "uuid": (logical("string", "uuid"), "UUID!", uuid.UUID(int=7), *(str(uuid.UUID(int=7)),) * 2),
    "uuid of fixed": (fixed(16, "uuid"), "UUID!", uuid.UUID(int=7).bytes, *(str(uuid.UUID(int=7)),) * 2),
    "duration": (
        fixed(12, "duration"),
        *("Duration!", b"\x01\0\0\0\x02\0\0\0\xdc\x05\0\0", "P1M2DT1.500S", "P1M2DT1.500S"),
    ),
    "logical type of another type": (logical("int", "timestamp-millis"), "Int!", 1, 1, 1),
    "uuid of another size": (fixed(15, "uuid"), "Base64!", b"\0" * 15, "A" * 20, "A" * 20),
    "unknown logical type": (logical("string", "color"), "String!", "red", "red", "red"),
}


@pytest.mark.parametrize(("kind", "types", "value", "shown", "as_json"), FIELDS.values(), ids=FIELDS.keys())
def test_construct_as_a_field(kind: Any, types: str, value: Any, shown: Any, as_json: Any) -> None:
    schema = record(("part", kind))
    orders = codec(schema)
    field_type, *others = types.split(" | ")
    assert sdl(orders.shape).split("\n") == [f"type Orders {{ part: {field_type} }}", *others]
    found = orders.decode(written(schema, {"part": value}), orders.parse(text(schema)))
    assert data(orders.shape, found) == {"part": shown}
    assert json.loads(orders.as_json(found)) == {"part": as_json}


@pytest.mark.parametrize(
    ("kind", "types", "payload", "shown"),
    [
        (logical("bytes", "decimal", precision=1, scale=2), "Base64!", b"\x02\x01", "AQ=="),
        (fixed(1, "decimal", precision=3), "Base64!", b"\x01", "AQ=="),
        ({"type": {"type": "string"}}, "String!", b"\x02a", "a"),
        ({"type": "error", "name": "E", "fields": [{"name": "a", "type": "int"}]}, "OrdersE!", b"\x02", {"a": 1}),
    ],
)
def test_construct_that_fastavro_does_not_have(kind: Any, types: str, payload: bytes, shown: Any) -> None:
    orders = codec(record(("part", kind)))
    assert sdl(orders.shape).split("\n")[0] == f"type Orders {{ part: {types} }}"
    assert data(orders.shape, orders.decode(payload, orders.parse(text(record(("part", kind)))))) == {"part": shown}


@pytest.mark.parametrize(
    ("index", "shown", "as_json"),
    [
        (0, None, None),
        (1, {"__typename": "OrdersPartInt", "value": 5}, 5),
        (2, {"__typename": "OrdersPartLong", "value": "5"}, 5),
        (3, {"__typename": "OrdersCard", "number": "1"}, {"number": "1"}),
        (4, {"__typename": "OrdersPartNumber", "value": "true_"}, "true"),
        (5, {"__typename": "OrdersPartHash", "value": "/wA="}, "/wA="),
        (6, {"__typename": "OrdersPartArray", "value": ["5", None]}, [5, None]),
        (7, {"__typename": "OrdersPartMap", "value": [{"key": "a", "value": 5}]}, {"a": 5}),
        (8, {"__typename": "OrdersPartNothing", "value": {}}, {}),
        (9, {"__typename": "OrdersPartBytes", "value": "1.50"}, "1.50"),
    ],
)
def test_union_of_several_types_tells_each_of_them(index: int, shown: Any, as_json: Any) -> None:
    branches: list[tuple[Any, Any]] = [
        ("null", None),
        ("int", 5),
        ("long", 5),
        (CARD, {"number": "1"}),
        (NUMBER, "true"),
        (HASH, b"\xff\x00"),
        ({"type": "array", "items": ["null", "long"]}, [5, None]),
        ({"type": "map", "values": "int"}, {"a": 5}),
        (EMPTY, {}),
        (logical("bytes", "decimal", precision=3, scale=2), decimal.Decimal("1.5")),
    ]
    schema = record(("part", [branch for branch, _ in branches]))
    orders = codec(schema)
    branch, value = branches[index]
    payload = bytes([2 * index]) + written(branch, value)
    found = orders.decode(payload, orders.parse(text(schema)))
    assert data(orders.shape, found) == {"part": shown}
    assert json.loads(orders.as_json(found)) == {"part": as_json}
    assert sdl(orders.shape).split("\n")[:2] == [
        "type Orders { part: OrdersPartChoice }",
        (
            "union OrdersPartChoice = OrdersPartInt | OrdersPartLong | OrdersCard | OrdersPartNumber | "
            "OrdersPartHash | OrdersPartArray | OrdersPartMap | OrdersPartNothing | OrdersPartBytes"
        ),
    ]


def test_library_keeps_its_logical_types_for_others() -> None:
    """Nothing here replaces the library's global functions."""
    schema = record(("at", logical("long", "timestamp-millis")))
    orders = codec(schema)
    payload = written(schema, {"at": 0})
    orders.decode(payload, orders.parse(text(schema)))
    read = fastavro.schemaless_reader(BytesIO(payload), schema, None)
    assert read == {"at": dt.datetime(1970, 1, 1, tzinfo=dt.UTC)}


def test_record_may_lie_in_itself() -> None:
    schema = record(
        ("name", "string"),
        ("parent", ["null", "Order"]),
        ("parts", {"type": "array", "items": "com.shop.Order"}),
        ("byName", {"type": "map", "values": record(("order", ["Order", "string"]), name="Named")}),
    )
    orders = codec(schema)
    assert sdl(orders.shape) == (
        "type Orders { name: String!, parent: Orders, parts: [Orders!]!, byName: [OrdersByNameEntry!]! }\n"
        "type OrdersByNameEntry { key: String!, value: OrdersNamed! }\n"
        "type OrdersNamed { order: OrdersNamedOrderChoice! }\n"
        "union OrdersNamedOrderChoice = Orders | OrdersNamedOrderString\n"
        "type OrdersNamedOrderString { value: String! }"
    )
    leaf: dict[str, Any] = {"name": "leaf", "parent": None, "parts": [], "byName": {}}
    value = leaf | {"parent": leaf, "parts": [leaf], "byName": {"a": {"order": ("com.shop.Order", leaf)}}}
    found = orders.decode(written(schema, value), orders.parse(text(schema)))
    assert json.loads(orders.as_json(found)) == value | {"byName": {"a": {"order": leaf}}}


@pytest.mark.parametrize(
    ("schema", "types", "value", "shown", "as_json"),
    [
        ("long", "type Orders { value: Int64! }", 5, "5", 5),
        (["null", "string"], "type Orders { value: String }", None, None, None),
        (NUMBER, f"type Orders {{ value: OrdersNumber! }}\n{NUMBER_SDL}", "ONE", "ONE", "ONE"),
        (
            {"type": "map", "values": "int"},
            "type Orders { value: [OrdersValueEntry!]! }\ntype OrdersValueEntry { key: String!, value: Int! }",
            {"a": 1},
            [{"key": "a", "value": 1}],
            {"a": 1},
        ),
        (EMPTY, "type Orders { value: JSON! }", {}, {}, {}),
        (
            [CARD, "string"],
            (
                "type Orders { value: OrdersValueChoice! }\n"
                "union OrdersValueChoice = OrdersComShopCard | OrdersValueString\n"
                "type OrdersComShopCard { number: String! }\n"
                "type OrdersValueString { value: String! }"
            ),
            ("com.shop.Card", {"number": "1"}),
            {"__typename": "OrdersComShopCard", "number": "1"},
            {"number": "1"},
        ),
    ],
)
def test_root_that_is_no_object_lies_in_one(schema: Any, types: str, value: Any, shown: Any, as_json: Any) -> None:
    orders = codec(schema)
    assert sdl(orders.shape) == types
    found = orders.decode(written(schema, value), orders.parse(text(schema)))
    assert data(orders.shape, found) == {"value": shown}
    assert json.loads(orders.as_json(found)) == as_json


def test_docs_are_descriptions() -> None:
    schema = record({"name": "number", "type": NUMBER, "doc": "How many."}, doc="What was ordered.")
    shape = codec(schema).shape
    number = shape.fields[0]
    assert (shape.description, number.description, getattr(number.shape, "description", None)) == (
        *("What was ordered.", "How many.", "A number."),
    )


def test_field_with_a_default_may_be_left_out() -> None:
    fields = [
        {"name": "a", "type": "int", "default": 1},
        {"name": "b", "type": ["null", "int"], "default": None},
        {"name": "c", "type": ["int", "null"], "default": 1},
        {"name": "d", "type": "int", "default": "of another type"},
        {"name": "e", "type": CARD, "default": {"number": "1"}},
        {"name": "f", "type": "com.shop.Card", "default": {}},
    ]
    assert [(field.name, field.nullable, field.optional) for field in codec(record(*fields)).shape.fields] == [
        ("a", False, True),
        ("b", True, False),
        ("c", True, False),
        ("d", False, False),
        ("e", False, True),
        ("f", False, False),
    ]


def test_types_of_other_texts_are_used() -> None:
    money = record(("amount", "long"), name="com.money.Amount")
    price = text(record(("net", "com.money.Amount"), name="com.shop.Price"), **{"com.money.Amount": text(money)})
    schema = text(
        record(("price", "Price"), ("tax", "com.money.Amount")),
        **{"com.shop.Price": price, "com.money.Amount": text(money)},
    )
    orders = codec(schema)
    assert sdl(orders.shape) == (
        "type Orders { price: OrdersPrice!, tax: OrdersMoneyAmount! }\n"
        "type OrdersPrice { net: OrdersMoneyAmount! }\n"
        "type OrdersMoneyAmount { amount: Int64! }"
    )
    found = orders.decode(b"\x02\x04", orders.parse(schema))
    assert data(orders.shape, found) == {"price": {"net": {"amount": "1"}}, "tax": {"amount": "2"}}


def names(orders: AvroCodec) -> set[str]:
    return {line.split()[1] for line in sdl(orders.shape).split("\n")}


def test_names_of_types_are_the_same_in_any_order_and_beside_others() -> None:
    parts: list[Any] = [
        ("id", "long"),
        ("lines", {"type": "array", "items": record(("kind", NUMBER), name="lines.Line")}),
        ("paid", ["null", "string", CARD]),
        ("tags", {"type": "map", "values": "string"}),
    ]
    before = names(codec(record(*parts)))
    assert before == {
        "Orders",
        *("OrdersLinesLine", "OrdersLinesNumber", "OrdersPaidChoice", "OrdersPaidString"),
        *("OrdersCard", "OrdersTagsEntry"),
    }
    assert names(codec(record(*reversed(parts)))) == before
    assert names(codec(record(*parts, ("more", {"type": "map", "values": record(name="New")})))) >= before


def test_types_that_would_have_the_same_name_are_told_apart() -> None:
    schema = record(("a", record(("x", "int"), name="a.Part")), ("b", record(("x", "int"), name="a_.part")))
    found = names(codec(schema))
    assert len(found) == 3
    assert all(name == "Orders" or name.startswith("OrdersA") for name in found)


def test_types_give_way_to_reserved_names_and_the_root() -> None:
    schema = record(("a", record(("x", "int"), name="Entry")), ("b", record(("y", "int"), name="XInput")))
    found = names(codec(schema, reserved=frozenset({"OrdersEntry"})))
    assert found == {"Orders", "OrdersEntry_", "OrdersXInput_"}


def test_fields_have_legal_names() -> None:
    schema = record(("id", "int"), ("_id", "int"), ("item-count", "int"), ("__x", "int"))
    shape = codec(schema).shape
    assert [(field.name, field.key) for field in shape.fields] == [
        ("id_", "id"),
        ("_id_", "_id"),
        ("item_count", "item-count"),
        ("_x", "__x"),
    ]


@pytest.mark.parametrize(
    ("kind", "value", "reason"),
    [
        ("double", float("nan"), "nan has no form in JSON"),
        ("float", float("inf"), "inf has no form in JSON"),
        (logical("long", "timestamp-millis"), 2**62, "no form in RFC 3339"),
        (logical("int", "date"), 2**31 - 1, "no form in RFC 3339"),
    ],
)
def test_value_that_json_cannot_have_harms_no_neighbour(kind: Any, value: Any, reason: str) -> None:
    raw = kind if isinstance(kind, str) else kind["type"]
    orders = codec(record(("bad", kind), ("good", "int")))
    payload = written(record(("bad", raw), ("good", "int")), {"bad": value, "good": 5})
    found = orders.decode(payload, orders.parse(text(record(("bad", kind), ("good", "int")))))
    bad, good = orders.shape.fields
    assert good.read(found) == 5
    with pytest.raises(Undecodable, match=reason):
        data(bad.shape, bad.read(found))
    with pytest.raises(Undecodable, match=reason):
        orders.as_json(found)
