"""The root fields of queries: values of many keys, and pages of entries by the rules of Relay."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from kvs_graphql.demo.broker import EmbeddedBroker
from tests.serving import Served, ServedTopic, serving_topic

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEYS = [b"", b"a", b"a/1", b"a/2", b"a/\xff", b"b", b"\xc3\xa9", b"\xff", b"\xff\xff"]
AS_TEXT = ["", "a", "a/1", "a/2", "a/\\xff", "b", "é", "\\xff", "\\xff\\xff"]
PAGE_ENTRIES_MAX = 5
PAGE = """
query($prefix: String, $encoding: Encoding! = UTF8, $first: Int, $after: String, $last: Int, $before: String) {
  entries(prefix: $prefix, keyEncoding: $encoding, first: $first, after: $after, last: $last, before: $before) {
    edges { cursor node { key } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def topic(
    embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory, table: str
) -> AsyncIterator[ServedTopic]:
    records = [(key, b"v") for key in reversed(KEYS)] + [(b"a/0", b"v"), (b"a/0", None)]
    directory = tmp_path_factory.mktemp("entries")
    async with serving_topic(
        embedded_broker, directory, *records, table=table, page_entries_max=PAGE_ENTRIES_MAX
    ) as topic:
        yield topic


@pytest.fixture
def served(topic: ServedTopic) -> Served:
    return topic.served


async def page(served: Served, **arguments: Any) -> dict[str, Any]:
    found: dict[str, Any] = (await served.data(PAGE, **arguments))["entries"]
    return found


async def keys(served: Served, **arguments: Any) -> list[str]:
    return [edge["node"]["key"] for edge in (await page(served, **arguments))["edges"]]


async def all_pages(
    served: Served, size: str, argument: str, edge: str, more: str, **arguments: Any
) -> list[list[str]]:
    """Walk pages of two entries by the rules of Relay; return the keys of each."""
    pages = []
    bound: dict[str, str] = {}
    while True:
        found = await page(served, **{size: 2}, **bound, **arguments)
        pages.append([edge["node"]["key"] for edge in found["edges"]])
        if not found["pageInfo"][more]:
            return pages
        bound = {argument: found["pageInfo"][edge]}


async def test_entries_are_in_the_order_of_their_key_bytes_without_deleted_ones(served: Served) -> None:
    assert await keys(served, first=5) == AS_TEXT[:5]
    assert await keys(served, last=5) == AS_TEXT[-5:]


async def test_paging_forward_shows_every_entry_once(served: Served) -> None:
    pages = await all_pages(served, "first", "after", "endCursor", "hasNextPage")
    assert pages == [AS_TEXT[0:2], AS_TEXT[2:4], AS_TEXT[4:6], AS_TEXT[6:8], AS_TEXT[8:9]]


async def test_paging_backward_shows_every_entry_once(served: Served) -> None:
    pages = await all_pages(served, "last", "before", "startCursor", "hasPreviousPage")
    assert pages == [AS_TEXT[7:9], AS_TEXT[5:7], AS_TEXT[3:5], AS_TEXT[1:3], AS_TEXT[0:1]]


async def test_total_count_is_that_of_the_prefix_on_every_page(served: Served) -> None:
    document = (
        "query ($p: String, $a: String) { entries(first: 1, prefix: $p, after: $a) { totalCount edges { cursor } } }"
    )
    for prefix in (None, "a", "none"):
        number = len([key for key in KEYS if key.startswith((prefix or "").encode())])
        after = None
        for _ in range(number + 1):
            found = (await served.data(document, p=prefix, a=after))["entries"]
            assert found["totalCount"] == number
            after = found["edges"][0]["cursor"] if found["edges"] else after


async def test_paging_within_a_prefix_ends_with_the_prefix(served: Served) -> None:
    pages = await all_pages(served, "first", "after", "endCursor", "hasNextPage", prefix="a")
    assert pages == [["a", "a/1"], ["a/2", "a/\\xff"]]


@pytest.mark.parametrize(
    ("prefix", "encoding", "found"),
    [
        ("", "UTF8", AS_TEXT[:5]),
        ("a/", "UTF8", ["a/1", "a/2", "a/\\xff"]),
        ("é", "UTF8", ["é"]),
        ("nothing", "UTF8", []),
        ("ff", "HEX", ["\\xff", "\\xff\\xff"]),
        ("/w==", "BASE64", ["\\xff", "\\xff\\xff"]),
    ],
)
async def test_prefix_matches_the_bytes_of_keys(served: Served, prefix: str, encoding: str, found: list[str]) -> None:
    assert await keys(served, prefix=prefix, encoding=encoding, first=5) == found


async def test_page_excludes_its_bounds(served: Served) -> None:
    edges = (await page(served, first=5))["edges"]
    bounds = {"after": edges[1]["cursor"], "before": edges[4]["cursor"]}
    assert await keys(served, first=5, **bounds) == AS_TEXT[2:4]
    assert await keys(served, last=1, **bounds) == AS_TEXT[3:4]


async def test_bound_need_not_be_an_entry(served: Served) -> None:
    assert await keys(served, after="YS8w", first=1) == ["a/1"]


async def test_cursors_of_a_page_are_those_of_its_ends(served: Served) -> None:
    found = await page(served, first=2, prefix="a/")
    assert found["pageInfo"] == {
        "hasNextPage": True,
        "hasPreviousPage": False,
        "startCursor": found["edges"][0]["cursor"],
        "endCursor": found["edges"][1]["cursor"],
    }
    assert [edge["cursor"] for edge in found["edges"]] == ["YS8x", "YS8y"]


@pytest.mark.parametrize("size", ["first", "last"])
async def test_empty_page_says_whether_there_are_more_entries(served: Served, size: str) -> None:
    more = "hasNextPage" if size == "first" else "hasPreviousPage"
    nothing = {"hasNextPage": False, "hasPreviousPage": False, "startCursor": None, "endCursor": None}
    assert await page(served, **{size: 0}) == {"edges": [], "pageInfo": {**nothing, more: True}}
    assert await page(served, **{size: 0}, prefix="nothing") == {"edges": [], "pageInfo": nothing}


async def test_page_without_a_size_keeps_to_the_limit(served: Served) -> None:
    assert await keys(served) == AS_TEXT[:PAGE_ENTRIES_MAX]


@pytest.mark.parametrize("size", [{"first": 1, "last": 1}, {"first": -1}, {"last": -1}, {"first": 6}, {"last": 6}])
async def test_page_size_out_of_range_is_bad_input(served: Served, size: dict[str, int]) -> None:
    assert await served.code(PAGE, **size) == "BAD_INPUT"


async def test_page_over_the_limit_is_refused_with_the_limit(served: Served) -> None:
    (error,) = (await served.query(PAGE, first=6))["errors"]
    assert error["extensions"] == {"code": "BAD_INPUT", "limit": PAGE_ENTRIES_MAX}


@pytest.mark.parametrize("bound", ["after", "before"])
@pytest.mark.parametrize("cursor", ["é", "YQ==", "YR", "no cursor"])
async def test_bound_that_is_no_page_cursor_is_a_bad_cursor(served: Served, bound: str, cursor: str) -> None:
    assert await served.code(PAGE, **{bound: cursor}) == "BAD_CURSOR"


async def test_null_means_no_bound_and_no_prefix(served: Served) -> None:
    assert await keys(served, prefix=None, first=1, after=None, last=None, before=None) == [""]


async def test_values_keep_the_order_and_the_duplicates_of_their_keys(served: Served) -> None:
    keys = ["b", "never", "a", "b", "a/0"]
    found = await served.data("query($keys: [String!]!) { values(keys: $keys) { key } }", keys=keys)
    assert found["values"] == [{"key": "b"}, None, {"key": "a"}, {"key": "b"}, None]


async def test_no_keys_give_no_values(served: Served) -> None:
    assert await served.data("{ values(keys: []) { key } }") == {"values": []}
