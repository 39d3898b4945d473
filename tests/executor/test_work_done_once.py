"""However often an operation names a record, and under however many names, its value is parsed or decoded once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kvs_graphql.api import build_schema
from kvs_graphql.exact_json import parse
from kvs_graphql.executor import Executor
from kvs_graphql.formats import FormatLimits, SchemaFormat, SchemaText, TableFormats, load_codec
from kvs_graphql.records import Record
from kvs_graphql.store import history
from tests.applications import open_application
from tests.executor.subscribers import GraphQLCoreOnly

LONG = b'{"n": 1, "text": "%s"}' % (b"x" * 5_000)
RECORDS = [Record(b"small", b'{"n": 1}', 0, 0, 0, None), *(Record(b"%d" % n, LONG, 0, n, 0, None) for n in (1, 2))]
AVRO = SchemaText("avro", '{"type": "record", "name": "Root", "fields": [{"name": "n", "type": "int"}]}')

back_ends = pytest.mark.parametrize("executor", [Executor, GraphQLCoreOnly])


def counted(call: Callable[..., Any], calls: list[Any]) -> Callable[..., Any]:
    def counting(*arguments: Any, **options: Any) -> Any:
        calls.append(arguments)
        return call(*arguments, **options)

    return counting


@back_ends
@pytest.mark.parametrize(("keys", "number"), [(["small"], 1), (["1", "2", "1", "2"], 2)])
async def test_json_is_parsed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, executor: type[Executor], keys: list[str], number: int
) -> None:
    calls: list[Any] = []
    monkeypatch.setattr("kvs_graphql.api.json_values.parse", counted(parse, calls))
    document = 'query($k: [String!]!) { values(keys: $k) { a: json(pointer: "/n") b: json(pointer: "/n") } }'
    async with open_application(tmp_path, RECORDS, executor=executor) as application:
        assert (await application.query(document, k=keys))["data"]["values"] == [{"a": 1, "b": 1}] * len(keys)
    assert len(calls) == number


@back_ends
async def test_typed_data_is_decoded_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, executor: type[Executor]
) -> None:
    calls: list[Any] = []
    monkeypatch.setattr(SchemaFormat, "decode", counted(SchemaFormat.decode, calls))
    formats = TableFormats(SchemaFormat(load_codec(AVRO, "Root", frozenset(), FormatLimits()), AVRO))
    schema = build_schema({"orders": True}, {"orders": formats}, json_bytes_max=1_000, data_bytes_max=1_000)
    options: dict[str, Any] = {"schema": schema, "executor": executor, "name": "orders"}
    async with open_application(tmp_path, [Record(b"a", b"\2", 0, 0, 0, None)], **options) as application:
        answer = await application.query('{ ordersValue(key: "a") { a: data { n } b: data { n } json } }')
    assert answer["data"]["ordersValue"] == {"a": {"n": 1}, "b": {"n": 1}, "json": {"n": 1}}
    assert len(calls) == 1


@back_ends
async def test_window_is_searched_once_for_all_histories(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, executor: type[Executor]
) -> None:
    calls: list[Any] = []
    monkeypatch.setattr("kvs_graphql.service.reads.history", counted(history, calls))
    document = '{ values(keys: ["1", "2"]) { a: history { offset } b: history(last: 5) { offset } } }'
    async with open_application(tmp_path, RECORDS, executor=executor) as application:
        shown = (await application.query(document))["data"]["values"]
    assert shown == [{name: [{"offset": n}] for name in "ab"} for n in (1, 2)]
    assert len(calls) == 1
