"""What compiles, and what a selection shows of an object."""

from pathlib import Path
from typing import Any

import pytest

from kvs_graphql.api import build_schema
from kvs_graphql.executor import Executor, PreparedOperation, Request
from kvs_graphql.metrics import Metrics
from kvs_graphql.records import Record
from tests.applications import EXECUTOR_LIMITS, open_application

RECORDS = [Record(b"a", b'{"n": 1}', 0, 0, 0, None)]
ENTRY = {"key": "a", "value": '{"n": 1}', "size": 8, "partition": 0, "offset": 0}


def prepared(document: str) -> PreparedOperation:
    executor = Executor(build_schema({"": True}), EXECUTOR_LIMITS, Metrics())
    operation = executor.prepare(Request(document))
    assert isinstance(operation, PreparedOperation), operation
    return operation


@pytest.mark.parametrize(
    "document",
    [
        '{ value(key: "a") { id key value } }',
        'query($k: String! = "a") { value(key: $k) { json } values(keys: [""]) { size } }',
        "{ entries(first: 1) { edges { cursor node { headers { key value } } } pageInfo { hasNextPage } } }",
        "{ entries(first: 1) { ...F } } fragment F on EntryConnection { totalCount }",
        '{ value(key: "a") { ...F ... { size } ... on Node { id } } } fragment F on Entry { __typename }',
        "subscription { updates { kind cursor entry { value } } }",
        'subscription { value(key: "a") { value } }',
    ],
)
def test_document_of_plain_fields_compiles(document: str) -> None:
    assert prepared(document).compiled is not None


@pytest.mark.parametrize(
    "document",
    [
        "{ __typename }",
        "{ __schema { types { name } } }",
        'query($yes: Boolean!) { value(key: "a") { size @include(if: $yes) } }',
        'query($yes: Boolean!) { value(key: "a") @skip(if: $yes) { size } }',
        'query($yes: Boolean!) { value(key: "a") { ... @include(if: $yes) { size } } }',
        '{ node(id: "YQ") { id } }',
        '{ value(key: "a") { history { kind } } }',
        "query($k: String!) { values(keys: [$k]) { size } }",
        'mutation { set(key: "a", value: "") { offset } }',
    ],
)
def test_anything_else_is_left_to_graphql_core(document: str) -> None:
    assert prepared(document).compiled is None


@pytest.mark.parametrize(
    ("selection", "shown"),
    [
        ("key value size partition offset", ENTRY),
        ("offset size key", {"offset": 0, "size": 8, "key": "a"}),
        ("a: key b: key", {"a": "a", "b": "a"}),
        ("key ...F key } } fragment F on Entry { size key", {"key": "a", "size": 8}),
        ("... on Node { id } ... on Entry { size }", {"id": "YQ", "size": 8}),
        ("t: timestamp __typename", {"t": "1970-01-01T00:00:00+00:00", "__typename": "Entry"}),
        ('hex: key(encoding: HEX) n: json(pointer: "/n")', {"hex": "61", "n": 1}),
        (" ".join(f"k{n}: offset" for n in range(14)), {f"k{n}": 0 for n in range(14)}),
    ],
)
async def test_fields_are_shown_once_in_the_order_of_the_document(
    tmp_path: Path, selection: str, shown: dict[str, Any]
) -> None:
    document = f'{{ value(key: "a") {{ {selection} }}' + ("" if "fragment" in selection else " }")
    async with open_application(tmp_path, RECORDS) as application:
        answer = await application.query(document)
        assert application.counted("kvs_operations_total", backend="compiled") == 1
    assert answer["data"] == {"value": shown}
    assert list(answer["data"]["value"]) == list(shown)


async def test_selections_of_the_same_field_are_merged(tmp_path: Path) -> None:
    document = """
    { entries { edges { cursor } ...F pageInfo { hasNextPage } } }
    fragment F on EntryConnection { edges { node { key } } pageInfo { endCursor } }
    """
    async with open_application(tmp_path, RECORDS) as application:
        answer = await application.query(document)
        assert application.counted("kvs_operations_total", backend="compiled") == 1
    assert answer["data"]["entries"] == {
        "edges": [{"cursor": "YQ", "node": {"key": "a"}}],
        "pageInfo": {"hasNextPage": False, "endCursor": "YQ"},
    }
