"""Values and keys of very many parts: no piece of what shows them is large, and all pieces together are the whole."""

import gc
import math
import sys
from dataclasses import replace
from operator import attrgetter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from kvs_graphql import budget
from kvs_graphql.api import build_schema
from kvs_graphql.api.typed import outputs, values
from kvs_graphql.budget import Workload
from kvs_graphql.executor import Executor
from kvs_graphql.executor.compiled import Bound, operations, selections
from kvs_graphql.formats import FormatLimits, KeyFormat, SchemaFormat, SchemaText, TableFormats, load_codec
from kvs_graphql.formats.protobuf import reading, shaping
from kvs_graphql.records import Record
from kvs_graphql.turns import Turns
from tests.api.typed.test_turns import AVRO, ITEMS, RAW
from tests.applications import LIMITS, open_application
from tests.executor.subscribers import GraphQLCoreOnly
from tests.formats.protobuf.schemas import schema, written
from tests.turns import turns_taken

HEAD = 'syntax = "proto3"; import "google/protobuf/struct.proto"; import "google/protobuf/any.proto"; '
LISTS = HEAD + "message Root { repeated Group groups = 1; } message Group { repeated Item items = 1; } "
LISTS += "message Item { int32 a = 1; int32 b = 2; Item left = 3; Item right = 4; }"
EVERYTHING = HEAD + (
    "message Root { int32 a = 1; float f = 2; repeated Root roots = 3; map<string, Root> by_name = 4; "
    "repeated float floats = 5; google.protobuf.ListValue list = 6; google.protobuf.Struct row = 7; "
    "repeated google.protobuf.Value any_values = 8; oneof one { string text = 9; Root root = 10; } Root next = 11; "
    "repeated int32 numbers = 12; repeated uint32 larger = 13; google.protobuf.Any any = 14; }"
)
PARTS = "a f floats numbers larger list row any_values any one { __typename ... on RootRootTextValue { value } }"
NESTED = f"{PARTS} roots {{ {PARTS} roots {{ a }} }} by_name {{ key value {{ {PARTS} }} }} next {{ a roots {{ f }} }}"

back_ends = pytest.mark.parametrize("executor", [Executor, GraphQLCoreOnly])


def opened(
    directory: Path, executor: type[Executor], source: SchemaText, raws: list[bytes], *, keys: bool = False
) -> Any:
    directory.mkdir(exist_ok=True)
    codec = load_codec(source, "Root", frozenset(), FormatLimits())
    formats = TableFormats(key=KeyFormat(codec, source)) if keys else TableFormats(SchemaFormat(codec, source))
    graph = build_schema({"orders": False}, {"orders": formats}, json_bytes_max=10**6, data_bytes_max=10**6)
    records = [Record(raw if keys else b"%04d" % n, b"1" if keys else raw, 0, n, 0, None) for n, raw in enumerate(raws)]
    limits = replace(LIMITS, read_bytes_max=10**7, page_entries_max=10**4)
    return open_application(directory, records, schema=graph, executor=executor, limits=limits, name="orders")


def random_value(random: Random, depth: int = 0) -> dict[str, Any]:
    def few(make: Any) -> list[Any]:
        return [make() for _ in range(random.randrange(5))]

    def json(levels: int = 2) -> Any:
        leaves: list[Any] = [None, True, 1.5, "é", random.randrange(9)]
        return random.choice([*leaves, few(lambda: json(levels - 1))] if levels else leaves)

    value: dict[str, Any] = {
        "a": random.randrange(5),
        "f": random.choice([0.1, 2, 1e20]),
        "floats": few(random.random),
        "list": few(json),
        "row": {str(n): json() for n in range(random.randrange(4))},
        "any_values": few(json),
        "numbers": few(lambda: random.randrange(9)),
        "larger": few(lambda: random.randrange(9)),
        "text": "x",
    }
    if depth < 2:
        value |= {
            "roots": few(lambda: random_value(random, depth + 1)),
            "by_name": {f"é{n}": random_value(random, depth + 1) for n in range(random.randrange(3))},
            "next": random_value(random, depth + 1),
        }
    return {name: one for name, one in value.items() if random.random() < 0.7}


def counted_asides(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """An item for each piece of work that is done in the thread."""
    aside, made = Workload.aside, list[None]()

    async def counted(self: Workload, work: Any) -> Any:
        made.append(None)
        return await aside(self, work)

    monkeypatch.setattr(Workload, "aside", counted)
    return made


def cut(monkeypatch: pytest.MonkeyPatch, number: int, seconds: float) -> None:
    """Have all pieces be so large."""
    monkeypatch.setattr(selections, "_WEIGHT_MAX", 4 * number)
    monkeypatch.setattr(outputs, "_CONVERTED_AT_ONCE_MAX", number)
    monkeypatch.setattr(outputs, "_CONVERTED_PER_PIECE", number)
    monkeypatch.setattr(shaping, "_SHOWN_AT_ONCE_BYTES_MAX", number)
    monkeypatch.setattr(shaping, "_ANY_AT_ONCE_BYTES_MAX", number)
    monkeypatch.setattr(values, "_SHORT_BYTES_MAX", number)
    monkeypatch.setattr(values, "_CONVERTED_AT_ONCE_BYTES_MAX", sys.maxsize)
    monkeypatch.setattr(values, "_AT_ONCE_SECONDS", seconds)


@back_ends
async def test_pieces_of_random_values_are_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, executor: type[Executor]
) -> None:
    raws = [written(EVERYTHING, random_value(Random(seed))) for seed in range(300)]
    document = f"{{ ordersEntries(first: 300) {{ edges {{ node {{ key json data {{ {NESTED} }} }} }} }} }}"
    cut(monkeypatch, sys.maxsize // 4, math.inf)
    async with opened(tmp_path / "whole", executor, schema(EVERYTHING), raws) as application:
        whole = await application.query(document)
    assert "errors" not in whole, whole["errors"][:2]
    for number in (1, 5):
        cut(monkeypatch, number, 0.0)
        async with opened(tmp_path / f"in pieces of {number}", executor, schema(EVERYTHING), raws) as application:
            assert await application.query(document) == whole


PART = b"\x0a\0"
"""An item, or a group of none."""
MANY = {
    "lists of a thousand": (b"\x0a\xd0\x0f" + PART * 1_000) * 30,
    "lists of few": (b"\x0a\x0e" + PART * 7) * 1_000,
    "items in items": (b"\x0a\x10" + PART * 4 + b"\x0a\6\x1a\4\x1a\0\x22\0") * 800,
}


@back_ends
@pytest.mark.parametrize("what", MANY)
async def test_no_piece_shows_very_many_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, executor: type[Executor], what: str
) -> None:
    pieces, of_field, take = [0], reading.of_field, Turns.next

    def counted_field(*arguments: Any) -> reading.Read:
        read = of_field(*arguments)

        def counted(message: Any) -> Any:
            pieces[-1] += 1
            return read(message)

        return counted

    async def counted_turn(self: Turns) -> None:
        await take(self)
        pieces.append(0)

    monkeypatch.setattr(reading, "of_field", counted_field)
    monkeypatch.setattr(Turns, "next", counted_turn)
    monkeypatch.setattr(budget, "TURN_SECONDS", 0.0)
    item = "a b left { a b left { a } right { b } } right { a }"
    document = f'{{ ordersValue(key: "0000") {{ data {{ groups {{ items {{ {item} }} }} }} }} }}'
    async with opened(tmp_path, executor, schema(LISTS), [MANY[what]]) as application:
        answer = await application.query(document)
    assert "errors" not in answer, answer["errors"][:2]
    assert sum(pieces) > 2 * selections._WEIGHT_MAX
    assert max(pieces) <= selections._WEIGHT_MAX


@back_ends
@pytest.mark.parametrize("field", ["list", "row", "any"])
async def test_long_json_in_a_message_is_made_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, executor: type[Executor], field: str
) -> None:
    made = counted_asides(monkeypatch)
    value: Any = {"list": [1] * 2_000, "row": {str(n): n for n in range(2_000)}}
    value["any"] = {"@type": "x/Root", "numbers": [1] * 5_000}
    raws = [written(EVERYTHING, {field: one}) for one in (value[field], small(value[field]))]
    document = f"{{ ordersEntries {{ edges {{ node {{ data {{ {field} }} }} }} }} }}"
    async with opened(tmp_path, executor, schema(EVERYTHING), raws) as application:
        answer = await application.query(document)
    first, second = (edge["node"]["data"][field] for edge in answer["data"]["ordersEntries"]["edges"])
    assert {name: first[name] for name in value[field]} == value[field] if field != "list" else first == value[field]
    assert len(second) < 20
    assert len(made) == 1


def small(value: Any) -> Any:
    return value[:3] if isinstance(value, list) else {"@type": value["@type"]} if "@type" in value else {"a": 1}


@pytest.mark.parametrize("takes_long", [False, True])
async def test_few_bytes_that_become_long_json_are_made_it_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, takes_long: bool
) -> None:
    monkeypatch.setattr(values, "_AT_ONCE_SECONDS", 0.0 if takes_long else math.inf)
    made = counted_asides(monkeypatch)
    async with opened(tmp_path, Executor, schema(LISTS), [PART * 1_000]) as application:
        answer = await application.query('{ ordersValue(key: "0000") { json } }')
    assert answer["data"]["ordersValue"]["json"] == {"groups": [{"items": []}] * 1_000}
    assert len(made) == takes_long


@back_ends
async def test_key_that_takes_long_is_decoded_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, executor: type[Executor]
) -> None:
    monkeypatch.setattr(values, "_AT_ONCE_SECONDS", 0.0)
    made = counted_asides(monkeypatch)
    async with opened(tmp_path, executor, AVRO, [RAW], keys=True) as application:
        answer = await application.query("{ ordersEntries { edges { node { keyData { map { key } nested } } } } }")
    (edge,) = answer["data"]["ordersEntries"]["edges"]
    assert edge["node"]["keyData"] == {"map": [{"key": "a"}], "nested": [["1970-01-01T00:00:00.001Z"] * ITEMS]}
    assert len(made) == 1


@back_ends
async def test_key_of_very_many_parts_is_shown_in_turns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, executor: type[Executor]
) -> None:
    turns = turns_taken(monkeypatch)
    key = b"\x0a\xe0\x5d" + PART * 6_000
    async with opened(tmp_path, executor, schema(LISTS), [key], keys=True) as application:
        answer = await application.query("{ ordersEntries { edges { node { keyData { groups { items { a } } } } } } }")
    (edge,) = answer["data"]["ordersEntries"]["edges"]
    assert edge["node"]["keyData"] == {"groups": [{"items": [{"a": 0}] * 6_000}]}
    assert len(turns) > 6_000 / 256


@back_ends
async def test_items_of_large_values_may_have_fields_named_as_entries_do(
    tmp_path: Path, executor: type[Executor]
) -> None:
    source = HEAD + "message Root { repeated Item items = 1; } message Item { string record = 1; bytes b = 2; }"
    raw = written(source, {"items": [{"record": "x", "b": "1" * 100_000}] * 6})
    async with opened(tmp_path, executor, schema(source), [raw]) as application:
        answer = await application.query('{ ordersValue(key: "0000") { data { items { record } } } }')
    assert "errors" not in answer
    assert answer["data"] == {"ordersValue": {"data": {"items": [{"record": "x"}] * 6}}}


async def test_what_shows_lists_keeps_no_variables(tmp_path: Path) -> None:
    document = "query ($key: String!) { ordersValue(key: $key) { data { groups { items { a } } } } }"
    async with opened(tmp_path, Executor, schema(LISTS), []) as application:
        answer = await application.query(document, key="of a request")
        assert answer["data"] == {"ordersValue": None}
        gc.collect()
        kept = [one for one in gc.get_objects() if isinstance(one, Bound) and "of a request" in one.values.values()]
        assert not kept


async def test_root_fields_are_shown_in_turns_where_all_of_them_take_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown, turns, take = list[int](), list[int](), Turns.next

    def counted(message: Any) -> Any:
        shown.append(1)
        return message.groups

    async def counted_turn(self: Turns) -> None:
        turns.append(len(shown))
        await take(self)

    monkeypatch.setattr(Turns, "next", counted_turn)
    monkeypatch.setattr(reading, "of_field", lambda name, _: counted if name == "groups" else attrgetter(name))
    monkeypatch.setattr(operations, "TURN_SECONDS", 0.0)
    monkeypatch.setattr(budget, "TURN_SECONDS", 0.0)
    fields = [f'n{n}: ordersValue(key: "0000") {{ data {{ groups {{ items {{ a }} }} }} }}' for n in range(3)]
    async with opened(tmp_path, Executor, schema(LISTS), [PART * 3]) as application:
        answer = await application.query(f"{{ {' '.join(fields)} }}")
    assert answer["data"] == {f"n{n}": {"data": {"groups": [{"items": []}] * 3}} for n in range(3)}
    assert {1, 2, 3} <= set(turns)
