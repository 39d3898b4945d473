"""Mutations of typed tables whose schemas come from files."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.state import State
from tests.formats.avro.schemas import logical, record
from tests.serving import serving_tables

AVRO = orjson.dumps({"type": "record", "name": "N", "fields": [{"name": "n", "type": "long"}]}).decode()
PROTOBUF = 'syntax = "proto3"; message N {{ {} n = 1; }}'
WRAPPED = 'syntax = "proto3"; import "google/protobuf/wrappers.proto"; message N { google.protobuf.UInt64Value n = 1; }'
JSON_SCHEMA = orjson.dumps({"type": "object", "properties": {"n": {"type": "integer"}}}).decode()
SIGNED, UNSIGNED = (-(2**63), 2**63 - 1), (0, 2**64 - 1)


@pytest.mark.parametrize(
    ("form", "schema", "bounds"),
    [
        pytest.param("avro", AVRO, SIGNED, id="avro"),
        pytest.param("json_schema", JSON_SCHEMA, SIGNED, id="json_schema"),
        pytest.param("protobuf", PROTOBUF.format("sint64"), SIGNED, id="sint64"),
        pytest.param("protobuf", PROTOBUF.format("uint64"), UNSIGNED, id="uint64"),
        pytest.param("protobuf", PROTOBUF.format("fixed64"), UNSIGNED, id="fixed64"),
        pytest.param("protobuf", WRAPPED, UNSIGNED, id="UInt64Value"),
    ],
)
async def test_whole_numbers_of_64_bits_are_written_up_to_the_bounds_of_their_fields(
    embedded_broker: EmbeddedBroker,
    embedded_topic: str,
    tmp_path: Path,
    form: str,
    schema: str,
    bounds: tuple[int, int],
) -> None:
    file = tmp_path / "schema"
    file.write_text(schema)
    tables = {"orders": {"topic": embedded_topic, "value": form, "schema": file, "writes": True}}
    document = 'mutation($n: Int64!) { ordersSet(key: "k", data: {n: $n}) { entry { data { n } json } } }'
    async with serving_tables(embedded_broker.bootstrap_servers, tables, tmp_path) as served:
        await served.state(State.LIVE, "orders")
        for number in bounds:
            for given in (number, str(number)):
                found = (await served.data(document, n=given))["ordersSet"]["entry"]
                assert found == {"data": {"n": str(number)}, "json": {"n": number}}
        for number in (bounds[0] - 1, bounds[1] + 1):
            (error,) = (await served.query(document, n=str(number)))["errors"]
            assert error["extensions"]["code"] == "BAD_INPUT"
            # What is no integer of 64 bits at all is refused with the variable.
            assert "data.n" in error["message"] or "$n" in error["message"]


PRICE = logical("bytes", "decimal", precision=4, scale=2)
AVRO_ORDER = record(
    {"name": "part", "type": ["null", record(("price", PRICE), name="Part")], "default": None},
    {"name": "parts", "type": {"type": "array", "items": "Part"}, "default": []},
    {"name": "named", "type": {"type": "map", "values": "Part"}, "default": {}},
    {"name": "by", "type": ["null", record(("price", PRICE), name="Card"), "string"], "default": None},
)
PROTOBUF_ORDER = """
syntax = "proto3";
message Order {
  Part part = 1; repeated Part parts = 2; map<string, Part> named = 3; oneof by { Card card = 4; string text = 5; }
}
message Part { uint32 price = 1; }
message Card { uint32 price = 1; }
"""
SHORT = {"type": "string", "maxLength": 4}
PART = {"type": "object", "properties": {"price": SHORT}}
JSON_ORDER = {
    "type": "object",
    "properties": {
        "part": PART,
        "parts": {"type": "array", "items": PART},
        "named": {"type": "object", "additionalProperties": PART},
        "by": {
            "oneOf": [
                {"type": "object", "required": ["kind"], "properties": {"kind": {"const": kind}, "price": SHORT}}
                for kind in ("card", "text")
            ]
        },
    },
}


def wrong_parts(good: str, wrong: str) -> dict[str, dict[str, Any]]:
    """By the path of what is wrong: orders with one wrong price each."""
    return {
        "data.part.price": {"part": {"price": wrong}},
        "data.parts[1].price": {"parts": [{"price": good}, {"price": wrong}]},
        "data.named[0].value.price": {"named": [{"key": "a", "value": {"price": wrong}}]},
        "data.by.card.price": {"by": {"card": {"price": wrong}}},
    }


@pytest.mark.parametrize(
    ("form", "schema", "good", "wrong", "one_of"),
    [
        pytest.param("avro", orjson.dumps(AVRO_ORDER).decode(), "1.25", "1.255", "OrdersByChoiceInput", id="avro"),
        pytest.param("protobuf", PROTOBUF_ORDER, "4294967295", "4294967296", "OrdersOrderByOneOfInput", id="protobuf"),
        pytest.param(
            "json_schema", orjson.dumps(JSON_ORDER).decode(), "1.25", "1.255", "OrdersByInput", id="json_schema"
        ),
    ],
)
async def test_a_part_that_does_not_fit_is_named_by_its_path_and_nothing_is_written(
    embedded_broker: EmbeddedBroker,
    embedded_topic: str,
    tmp_path: Path,
    form: str,
    schema: str,
    good: str,
    wrong: str,
    one_of: str,
) -> None:
    file = tmp_path / "schema"
    file.write_text(schema)
    tables = {"orders": {"topic": embedded_topic, "value": form, "schema": file, "writes": True}}
    document = 'mutation($data: OrdersInput!) { ordersSet(key: "k", data: $data) { offset } }'
    async with serving_tables(embedded_broker.bootstrap_servers, tables, tmp_path) as served:
        await served.state(State.LIVE, "orders")
        for path, data in wrong_parts(good, wrong).items():
            (error,) = (await served.query(document, data=data))["errors"]
            assert error["extensions"]["code"] == "BAD_INPUT"
            assert error["message"].startswith(f"The value does not fit its schema: {path}: ")
        for data in ({"by": {"card": {"price": good}, "text": None}}, {"by": {}}):
            (error,) = (await served.query(document, data=data))["errors"]
            assert error["extensions"]["code"] == "BAD_INPUT"
            assert "'$data' has invalid value at .by" in error["message"]
        introspected = await served.data("{ __schema { inputs: types { name isOneOf } } }")
        assert [one["name"] for one in introspected["__schema"]["inputs"] if one["isOneOf"]] == [one_of]
        for offset, data in enumerate(wrong_parts(good, good).values()):
            assert (await served.data(document, data=data))["ordersSet"] == {"offset": offset}


WORDS = ["mro", "_value_", "_order_", "_any_", "name", "value", "None", "class", "__x__"]
"""Symbols that Python's enumerations, or Python itself, have for something else."""


async def test_enumerations_may_have_any_names(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    kind = {"type": "enum", "name": "Kind", "symbols": WORDS}
    fields = [{"name": "kind", "type": kind}, {"name": "kinds", "type": {"type": "array", "items": "Kind"}}]
    file = tmp_path / "schema"
    file.write_text(orjson.dumps({"type": "record", "name": "Order", "fields": fields}).decode())
    tables = {"orders": {"topic": embedded_topic, "value": "avro", "schema": file, "writes": True}}
    document = """
        mutation($data: OrdersInput!) { ordersSet(key: "k", data: $data) { entry { data { kind kinds } json } } }
    """
    async with serving_tables(embedded_broker.bootstrap_servers, tables, tmp_path) as served:
        await served.state(State.LIVE, "orders")
        names = [value["name"] for value in (await served.data(VALUES_OF, name="OrdersKind"))["__type"]["enumValues"]]
        for name, word in zip(names, WORDS, strict=True):
            data = {"kind": name, "kinds": names}
            found = (await served.data(document, data=data))["ordersSet"]["entry"]
            assert found == {"data": data, "json": {"kind": word, "kinds": WORDS}}


VALUES_OF = "query($name: String!) { __type(name: $name) { enumValues { name } } }"
