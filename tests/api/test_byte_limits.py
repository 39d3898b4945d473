"""Limits in bytes: pages and histories end early, `values` is refused whole, and cursors have a length."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kvs_graphql.records import Record
from tests.applications import LIMITS, Application, open_application

VALUE_BYTES = 1_000
RECORDS = [Record(b"key-%d" % n, b"%d" % n * VALUE_BYTES, 0, n, n, None) for n in range(5)]
TWO_VALUES = 2 * VALUE_BYTES
PAGE = """
query($first: Int, $after: String, $last: Int, $before: String) {
  entries(first: $first, after: $after, last: $last, before: $before) {
    edges { cursor node { key } } pageInfo { hasNextPage hasPreviousPage endCursor startCursor }
  }
}
"""


@pytest.fixture(params=[1, TWO_VALUES], ids=["one byte", "two values"])
async def application(request: pytest.FixtureRequest, tmp_path: Path, table: str) -> AsyncIterator[Application]:
    limits = replace(LIMITS, read_bytes_max=request.param, cursor_bytes_max=40)
    async with open_application(tmp_path, RECORDS, limits=limits, name=table) as application:
        yield application


def limit_of(application: Application) -> int:
    return application.table.catalog.limits.read_bytes_max


async def page(application: Application, **variables: Any) -> tuple[list[str], dict[str, Any]]:
    """The keys of a page, and what it says of others."""
    found = (await application.query(PAGE, **variables))["data"]["entries"]
    return [edge["node"]["key"] for edge in found["edges"]], found["pageInfo"]


async def test_pages_that_end_early_hold_at_least_one_entry_and_lead_to_all(application: Application) -> None:
    length = 1 if limit_of(application) == 1 else 2
    keys: list[str] = []
    after = None
    while True:
        found, info = await page(application, first=5, after=after)
        assert 1 <= len(found) <= length
        keys += found
        if not info["hasNextPage"]:
            break
        after = info["endCursor"]
    assert keys == ["key-0", "key-1", "key-2", "key-3", "key-4"]


async def test_pages_read_backwards_end_early_at_their_other_end(application: Application) -> None:
    keys: list[str] = []
    before = None
    while True:
        found, info = await page(application, last=5, before=before)
        keys = found + keys
        if not info["hasPreviousPage"]:
            break
        before = info["startCursor"]
    assert keys == ["key-0", "key-1", "key-2", "key-3", "key-4"]


@pytest.mark.parametrize("document", ["query($k: [String!]!) { values(keys: $k) { key } }"])
@pytest.mark.parametrize(
    "keys",
    [["key-0", "key-1", "key-2"], ["key-0", "key-0", "key-0"]],
    ids=["of different keys", "of one key"],
)
async def test_values_with_too_many_bytes_are_refused_whole(
    application: Application, document: str, keys: list[str]
) -> None:
    answer = await application.query(document, k=keys)
    assert answer["data"] is None
    (error,) = answer["errors"]
    limit = limit_of(application)
    assert error["extensions"] == {"code": "LIMIT_EXCEEDED", "limit": limit, "setting": "KVS_READ_BYTES_MAX"}


async def test_fields_of_one_request_have_the_limit_together(application: Application) -> None:
    names = {"a": "key-0", "b": "key-1", "nothing": "nowhere", "c": "key-2"}
    fields = " ".join(f'{name}: value(key: "{key}") {{ key }}' for name, key in names.items())
    answer = await application.query(f"{{ {fields} }}")
    refused = ["a", "b", "c"] if limit_of(application) == 1 else ["b", "c"]
    assert [error["path"] for error in answer["errors"]] == [[name] for name in refused]


async def test_pages_after_one_that_took_the_last_byte_are_refused(application: Application) -> None:
    # Different pages: one that several fields ask for is read once.
    document = "{ a: entries(first: 5) { edges { cursor } } b: entries(first: 4) { edges { cursor } } }"
    answer = await application.query(document)
    assert answer["data"] is None
    assert [error["path"] for error in answer["errors"]] == [["b"]]


async def test_requests_that_share_a_read_have_the_limit_each(tmp_path: Path) -> None:
    async with open_application(tmp_path, RECORDS, limits=replace(LIMITS, read_bytes_max=TWO_VALUES)) as application:
        asking = [["key-0"], ["key-1"], ["key-2"], ["key-0", "key-1", "key-2"]]
        document = "query($k: [String!]!) { values(keys: $k) { key } }"
        answers = await asyncio.gather(*(application.query(document, k=keys) for keys in asking))
    found = [answer["data"] and [one["key"] for one in answer["data"]["values"]] for answer in answers]
    assert found == [*asking[:3], None]


async def test_history_ends_early_and_leaves_out_the_oldest(application: Application) -> None:
    await application.table.change(*((b"changing", b"%d" % n * VALUE_BYTES) for n in range(5)))
    document = '{ entries(prefix: "changing") { edges { node { history(last: 5) { offset } } } } }'
    (edge,) = (await application.query(document))["data"]["entries"]["edges"]
    # The entry itself is one of two values.
    assert [change["offset"] for change in edge["node"]["history"]] == [9]


@pytest.mark.parametrize(
    "document",
    [
        'query($c: Cursor!) { value(key: "key-0", atLeast: $c) { key } }',
        "query($c: Cursor!) { entries(first: 1, atLeast: $c) { edges { cursor } } }",
    ],
)
async def test_cursor_beyond_its_limit_is_refused_before_it_is_decoded(application: Application, document: str) -> None:
    (error,) = (await application.query(document, c="A" * 41))["errors"]
    assert error["extensions"] == {"code": "BAD_CURSOR", "limit": 40}
    (error,) = (await application.query(document, c="A" * 40))["errors"]
    name = application.table.served.name
    assert error["extensions"] == {"code": "BAD_CURSOR", **({"table": name} if name else {})}
