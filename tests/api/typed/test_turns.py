"""Values of very many small parts: whoever waits for one lets others go on meanwhile, on both back ends."""

import math
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from kvs_graphql import budget
from kvs_graphql.api import build_schema
from kvs_graphql.api.typed import values
from kvs_graphql.executor import Executor
from kvs_graphql.formats import FormatLimits, SchemaFormat, SchemaText, TableFormats, load_codec
from kvs_graphql.records import Record
from kvs_graphql.turns import Turns
from tests.applications import LIMITS, Application, open_application
from tests.executor.subscribers import GraphQLCoreOnly, Subscriber

ITEMS = 6_000
TIME = {"type": "long", "logicalType": "timestamp-millis"}
ROOT = {
    "type": "record",
    "name": "Root",
    "fields": [
        {"name": "times", "type": {"type": "array", "items": TIME}},
        {"name": "nested", "type": {"type": "array", "items": {"type": "array", "items": TIME}}},
        {"name": "unions", "type": {"type": "array", "items": ["null", "int", "string"]}},
        {"name": "map", "type": {"type": "map", "values": "int"}},
    ],
}
COUNT = b"\xe0\x5d"
"""The number of items, as Avro has it."""
TIMES = COUNT + b"\2" * ITEMS + b"\0"
RAW = TIMES + b"\2" + TIMES + b"\0" + COUNT + b"\2\4" * ITEMS + b"\0" + COUNT + b"\2a\6" * ITEMS + b"\0"
DATA = "data { times nested unions { ... on RootUnionsInt { value } } map { key value } }"
DOCUMENTS = [
    '{ ordersValue(key: "a") { %s } }',
    '{ ordersValues(keys: ["a"]) { %s } }',
    '{ ordersValue(key: "a") { history { %s } } }',
    'subscription { ordersValue(key: "a") { %s } }',
    "subscription { ordersUpdates(snapshot: true) { entry { %s } } }",
]

AVRO = SchemaText("avro", orjson.dumps(ROOT).decode())
PROTOBUF = SchemaText(
    "protobuf", 'syntax = "proto3"; message Root { message Item { int32 a = 1; } repeated Item items = 1; }'
)

back_ends = pytest.mark.parametrize("executor", [Executor, GraphQLCoreOnly])
at_once = pytest.mark.parametrize("at_once", [True, False])


class Counted:
    """What happened meanwhile."""

    def __init__(self) -> None:
        self.turns = 0
        self.threads: list[bool] = []
        """Of each value that was decoded to its end, whether that was done aside."""


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    """A turn is over as soon as it began."""
    found, take, decode = Counted(), Turns.next, SchemaFormat.decode

    async def counted_turn(self: Turns) -> None:
        found.turns += 1
        await take(self)

    def counted_decode(self: SchemaFormat, *arguments: Any) -> Any:
        decoded = decode(self, *arguments)
        found.threads.append(threading.current_thread() is not threading.main_thread())
        return decoded

    monkeypatch.setattr(Turns, "next", counted_turn)
    monkeypatch.setattr(SchemaFormat, "decode", counted_decode)
    monkeypatch.setattr(budget, "TURN_SECONDS", 0.0)
    return found


def opened(directory: Path, executor: type[Executor], raw: bytes, source: SchemaText = AVRO) -> Any:
    formats = TableFormats(SchemaFormat(load_codec(source, "Root", frozenset(), FormatLimits()), source))
    schema = build_schema({"orders": True}, {"orders": formats}, json_bytes_max=10**6, data_bytes_max=10**6)
    record = Record(b"a", raw, 0, 0, 0, None)
    limits = replace(LIMITS, read_bytes_max=10**6)
    return open_application(directory, [record], schema=schema, executor=executor, limits=limits, name="orders")


async def shown(application: Application, document: str) -> Any:
    """The answer to a query, or the first event of a subscription."""
    if not document.startswith("subscription"):
        return await application.query(document)
    subscriber = Subscriber()
    await subscriber.subscribe(application, application.executor, document)
    return subscriber.results[0]


def inside(answer: Any) -> Any:
    """What an answer has of the value."""
    while "data" not in answer and "json" not in answer:
        (answer,) = answer.values() if isinstance(answer, dict) else answer
    return answer


@back_ends
@at_once
@pytest.mark.parametrize("document", DOCUMENTS)
async def test_value_of_many_parts_is_shown_in_turns(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    executor: type[Executor],
    document: str,
    counted: Counted,
    at_once: bool,
) -> None:
    monkeypatch.setattr(values, "_AT_ONCE_SECONDS", math.inf if at_once else 0.0)
    time = "1970-01-01T00:00:00.001Z"
    async with opened(tmp_path, executor, RAW) as application:
        answer = await shown(application, document % (DATA + " json"))
    assert "errors" not in answer
    data = inside(answer["data"])
    assert data["data"]["times"] == [time] * ITEMS
    assert data["data"]["nested"] == [[time] * ITEMS]
    assert data["data"]["unions"] == [{"value": 2}] * ITEMS
    assert data["data"]["map"] == [{"key": "a", "value": 3}]
    assert data["json"]["times"] == [time] * ITEMS
    assert data["json"]["nested"] == [[time] * ITEMS]
    # Each of three lists is converted in pieces of 256.
    assert counted.turns > 3 * ITEMS / 256
    assert set(counted.threads) == {not at_once}


@back_ends
@at_once
async def test_broken_value_of_many_parts_is_an_error_of_its_field(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, executor: type[Executor], at_once: bool
) -> None:
    monkeypatch.setattr(values, "_AT_ONCE_SECONDS", math.inf if at_once else 0.0)
    async with opened(tmp_path, executor, RAW[:-1]) as application:
        answer = await application.query('{ ordersValue(key: "a") { key data { times } json } }')
    assert answer["data"] == {"ordersValue": {"key": "a", "data": None, "json": None}}
    assert [(error["path"], error["extensions"]["code"]) for error in answer["errors"]] == [
        (["ordersValue", "data"], "UNDECODABLE"),
        (["ordersValue", "json"], "UNDECODABLE"),
    ]


@pytest.mark.parametrize("fields", ["data { times }", "json"])
async def test_decoding_that_takes_long_is_begun_once_and_ended_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fields: str
) -> None:
    begun, read = list[bool](), SchemaFormat.decode

    def counted_begin(self: SchemaFormat, *arguments: Any) -> Any:
        begun.append(threading.current_thread() is not threading.main_thread())
        return read(self, *arguments)

    monkeypatch.setattr(values, "_AT_ONCE_SECONDS", 0.0)
    monkeypatch.setattr(SchemaFormat, "decode", counted_begin)
    async with opened(tmp_path, Executor, RAW) as application:
        answer = await application.query(f'{{ ordersValue(key: "a") {{ {fields} }} }}')
    assert "errors" not in answer
    assert begun == [False, True]


@back_ends
async def test_long_list_of_messages_is_shown_in_turns_and_made_json_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, executor: type[Executor], counted: Counted
) -> None:
    made, as_json = list[bool](), SchemaFormat.as_json

    def counted_json(self: SchemaFormat, decoded: Any) -> bytes:
        made.append(threading.current_thread() is not threading.main_thread())
        return as_json(self, decoded)

    monkeypatch.setattr(SchemaFormat, "as_json", counted_json)
    async with opened(tmp_path, executor, b"\x0a\2\x08\1" * ITEMS, PROTOBUF) as application:
        typed = await application.query('{ ordersValue(key: "a") { data { items { a } } } }')
        turns = counted.turns
        json = await application.query('{ ordersValue(key: "a") { json } }')
    value = {"items": [{"a": 1}] * ITEMS}
    assert (typed["data"], json["data"]) == ({"ordersValue": {"data": value}}, {"ordersValue": {"json": value}})
    assert turns > ITEMS / 32
    assert made == [True]
