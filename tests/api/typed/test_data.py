"""Typed data as clients see it, the same on both back ends."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.message_factory import GetMessageClass

from kvs_graphql.api import build_schema
from kvs_graphql.executor import Executor
from kvs_graphql.formats import FormatLimits, SchemaFormat, SchemaText, TableFormats, load_codec
from kvs_graphql.records import Record
from tests.applications import Application, open_application
from tests.executor.subscribers import GraphQLCoreOnly, Subscriber
from tests.formats.protobuf.schemas import linked

ORDER = """
syntax = "proto3";
package shop;
message Order {
  string id = 1;
  int64 amount = 2;
  Colour colour = 3;
  Address address = 4;
  repeated Line lines = 5;
  map<string, int64> tags = 6;
  oneof payment { Card card = 7; string voucher = 8; }
  bytes seal = 9;
  double weight = 10;
  bool paid = 11;
  Order replaces = 12;
  optional string note = 13;
}
message Address { string street = 1; }
message Line { string product = 1; int32 count = 2; }
message Card { string holder = 1; }
enum Colour { NONE = 0; RED = 1; }
"""
EVERYTHING = """
    id_ amount colour address { street } lines { product count } tags { key value }
    payment { __typename ... on OrdersCard { holder } ... on OrdersOrderVoucherValue { value } }
    seal weight paid note replaces { id_ replaces { id_ } }
"""
FULL = {
    "id_": "o-1",
    "amount": "9007199254740993",
    "colour": "RED",
    "address": {"street": "Elm"},
    "lines": [{"product": "tea", "count": 2}, {"product": "cup", "count": 1}],
    "tags": [{"key": "vip", "value": "1"}],
    "payment": {"__typename": "OrdersCard", "holder": "Ann"},
    "seal": "AAH/",
    "weight": 1.5,
    "paid": True,
    "note": "soon",
    "replaces": {"id_": "o-0", "replaces": None},
}
IN_PROTOBUF_JSON = {
    "id": "o-1",
    "amount": "9007199254740993",
    "colour": "RED",
    "address": {"street": "Elm"},
    "lines": [{"product": "tea", "count": 2}, {"product": "cup", "count": 1}],
    "tags": {"vip": "1"},
    "card": {"holder": "Ann"},
    "seal": "AAH/",
    "weight": 1.5,
    "paid": True,
    "note": "soon",
    "replaces": {"id": "o-0"},
}

BACK_ENDS = pytest.mark.parametrize("executor", [Executor, GraphQLCoreOnly], ids=["compiled", "graphql-core"])


def formats() -> TableFormats:
    text = SchemaText("protobuf", ORDER)
    return TableFormats(SchemaFormat(load_codec(text, "Orders", frozenset(), FormatLimits()), text))


def order(**fields: Any) -> bytes:
    """An order as Protobuf's own library writes it, from its JSON."""
    schema = linked(ORDER)
    message = GetMessageClass(schema.root())()
    written: bytes = json_format.ParseDict(fields, message).SerializeToString()
    return written


def record(key: str, value: bytes | None, offset: int) -> Record:
    return Record(key.encode(), value, 0, offset, 0, None)


@asynccontextmanager
async def orders(
    directory: Path,
    *values: bytes | None,
    executor: Callable[..., Executor] = Executor,
    bytes_max: int = 100_000,
) -> AsyncIterator[Application]:
    """A table of orders with these values, whose keys are their numbers."""
    schema = build_schema({"orders": True}, {"orders": formats()}, json_bytes_max=100_000, data_bytes_max=bytes_max)
    records = [record(str(number), value, number) for number, value in enumerate(values)]
    async with open_application(directory, records, schema=schema, executor=executor, name="orders") as application:
        yield application


@BACK_ENDS
async def test_a_value_shows_its_fields_as_their_types_say(tmp_path: Path, executor: type[Executor]) -> None:
    async with orders(tmp_path, order(**IN_PROTOBUF_JSON), executor=executor) as application:
        answer = await application.query(f'{{ ordersValue(key: "0") {{ data {{ {EVERYTHING} }} }} }}')
        assert "errors" not in answer
        assert answer["data"]["ordersValue"]["data"] == FULL
        backend = "compiled" if executor is Executor else "graphql-core"
        assert application.counted("kvs_operations_total", backend=backend) == 1


@BACK_ENDS
async def test_a_value_that_cannot_be_decoded_harms_no_neighbour(tmp_path: Path, executor: type[Executor]) -> None:
    async with orders(tmp_path, order(id="a"), b"\xff\xff", order(id="c"), executor=executor) as application:
        document = '{ ordersValues(keys: ["0", "1", "2"]) { value(encoding: HEX) data { id_ } json } }'
        answer = await application.query(document)
    assert [one and one["data"] for one in answer["data"]["ordersValues"]] == [{"id_": "a"}, None, {"id_": "c"}]
    assert answer["data"]["ordersValues"][1]["value"] == "ffff"
    assert [(error["path"], error["extensions"]["code"]) for error in answer["errors"]] == [
        (["ordersValues", 1, "data"], "UNDECODABLE"),
        (["ordersValues", 1, "json"], "UNDECODABLE"),
    ]


@BACK_ENDS
async def test_json_is_of_the_decoded_value(tmp_path: Path, executor: type[Executor]) -> None:
    async with orders(tmp_path, order(**IN_PROTOBUF_JSON), executor=executor) as application:
        answer = await application.post({"query": '{ ordersValue(key: "0") { json(pointer: "/amount") } }'})
    assert b'"json":9007199254740993' in answer.content


@BACK_ENDS
async def test_the_past_of_a_key_is_typed_too(tmp_path: Path, executor: type[Executor]) -> None:
    async with orders(tmp_path, order(id="first"), executor=executor) as application:
        await application.table.change((b"0", None), (b"0", order(id="third")))
        answer = await application.query('{ ordersValue(key: "0") { history { kind data { id_ } } } }')
    assert [one["data"] for one in answer["data"]["ordersValue"]["history"]] == [
        {"id_": "first"},
        None,
        {"id_": "third"},
    ]


@BACK_ENDS
async def test_subscribers_get_typed_data(tmp_path: Path, executor: type[Executor]) -> None:
    async with orders(tmp_path, order(id="first"), executor=executor) as application:
        subscriber = Subscriber(room=10, expected=3)
        document = "subscription { ordersUpdates(snapshot: true) { entry { data { id_ payment { __typename } } } } }"
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(subscriber.subscribe(application, application.executor, document))
            await application.table.watched_by(1)
            await application.table.change((b"1", order(id="second", voucher="v")))
    shown = [one["data"]["ordersUpdates"]["entry"] for one in subscriber.results]
    assert [one and one["data"] for one in shown] == [
        {"id_": "first", "payment": None},
        None,
        {"id_": "second", "payment": {"__typename": "OrdersOrderVoucherValue"}},
    ]


@BACK_ENDS
async def test_a_value_beyond_the_limit_is_not_decoded(tmp_path: Path, executor: type[Executor]) -> None:
    small = order(id="a")
    async with orders(tmp_path, small, order(id="ab"), executor=executor, bytes_max=len(small)) as application:
        answer = await application.query('{ ordersValues(keys: ["0", "1"]) { data { id_ } json } }')
    assert [one["data"] for one in answer["data"]["ordersValues"]] == [{"id_": "a"}, None]
    assert {(error["extensions"]["code"], error["extensions"]["setting"]) for error in answer["errors"]} == {
        ("LIMIT_EXCEEDED", "KVS_DATA_BYTES_MAX")
    }
