"""Pages of entries, as Relay asks for them."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from kvs_graphql.demo.broker import EmbeddedBroker
from tests.api.test_values import Holding, holding
from tests.serving import Served

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEYS = [b"", b"a", b"a/1", b"a/2", b"a/\xff", b"b", b"\xc3\xa9", b"\xff", b"\xff\xff"]
SHOWN = ["", "a", "a/1", "a/2", "a/\\xff", "b", "é", "\\xff", "\\xff\\xff"]
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
async def held(embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Holding]:
    records = [(key, b"v") for key in reversed(KEYS)] + [(b"a/0", b"v"), (b"a/0", None)]
    directory = tmp_path_factory.mktemp("entries")
    async with holding(embedded_broker, directory, *records, page_entries_max=PAGE_ENTRIES_MAX) as held:
        yield held


@pytest.fixture
def served(held: Holding) -> Served:
    return held.served


async def page(served: Served, **arguments: Any) -> dict[str, Any]:
    found: dict[str, Any] = (await served.data(PAGE, **arguments))["entries"]
    return found


async def keys(served: Served, **arguments: Any) -> list[str]:
    return [edge["node"]["key"] for edge in (await page(served, **arguments))["edges"]]


async def all_pages(served: Served, size: str, way: str, edge: str, more: str, **arguments: Any) -> list[list[str]]:
    """The keys of every page, two entries each, walked by Relay's rules."""
    pages = []
    place: dict[str, str] = {}
    while True:
        found = await page(served, **{size: 2}, **place, **arguments)
        pages.append([edge["node"]["key"] for edge in found["edges"]])
        if not found["pageInfo"][more]:
            return pages
        place = {way: found["pageInfo"][edge]}


async def test_entries_go_by_the_bytes_of_their_keys_and_leave_deleted_ones_out(served: Served) -> None:
    assert await keys(served, first=5) == SHOWN[:5]
    assert await keys(served, last=5) == SHOWN[-5:]


async def test_paging_forward_meets_every_entry_once(served: Served) -> None:
    pages = await all_pages(served, "first", "after", "endCursor", "hasNextPage")
    assert pages == [SHOWN[0:2], SHOWN[2:4], SHOWN[4:6], SHOWN[6:8], SHOWN[8:9]]


async def test_paging_backward_meets_every_entry_once(served: Served) -> None:
    pages = await all_pages(served, "last", "before", "startCursor", "hasPreviousPage")
    assert pages == [SHOWN[7:9], SHOWN[5:7], SHOWN[3:5], SHOWN[1:3], SHOWN[0:1]]


async def test_paging_within_a_prefix_ends_with_the_prefix(served: Served) -> None:
    pages = await all_pages(served, "first", "after", "endCursor", "hasNextPage", prefix="a")
    assert pages == [["a", "a/1"], ["a/2", "a/\\xff"]]


@pytest.mark.parametrize(
    ("prefix", "encoding", "found"),
    [
        ("", "UTF8", SHOWN[:5]),
        ("a/", "UTF8", ["a/1", "a/2", "a/\\xff"]),
        ("é", "UTF8", ["é"]),
        ("nothing", "UTF8", []),
        ("ff", "HEX", ["\\xff", "\\xff\\xff"]),
        ("/w==", "BASE64", ["\\xff", "\\xff\\xff"]),
    ],
)
async def test_a_prefix_is_of_bytes(served: Served, prefix: str, encoding: str, found: list[str]) -> None:
    assert await keys(served, prefix=prefix, encoding=encoding, first=5) == found


async def test_a_page_lies_strictly_between_its_bounds(served: Served) -> None:
    edges = (await page(served, first=5))["edges"]
    bounds = {"after": edges[1]["cursor"], "before": edges[4]["cursor"]}
    assert await keys(served, first=5, **bounds) == SHOWN[2:4]
    assert await keys(served, last=1, **bounds) == SHOWN[3:4]


async def test_a_bound_need_not_be_an_entry(served: Served) -> None:
    assert await keys(served, after="YS8w", first=1) == ["a/1"]


async def test_the_cursors_of_a_page_are_those_of_its_ends(served: Served) -> None:
    found = await page(served, first=2, prefix="a/")
    assert found["pageInfo"] == {
        "hasNextPage": True,
        "hasPreviousPage": False,
        "startCursor": found["edges"][0]["cursor"],
        "endCursor": found["edges"][1]["cursor"],
    }
    assert [edge["cursor"] for edge in found["edges"]] == ["YS8x", "YS8y"]


@pytest.mark.parametrize("size", ["first", "last"])
async def test_a_page_of_none_tells_only_whether_there_are_more(served: Served, size: str) -> None:
    more = "hasNextPage" if size == "first" else "hasPreviousPage"
    nothing = {"hasNextPage": False, "hasPreviousPage": False, "startCursor": None, "endCursor": None}
    assert await page(served, **{size: 0}) == {"edges": [], "pageInfo": {**nothing, more: True}}
    assert await page(served, **{size: 0}, prefix="nothing") == {"edges": [], "pageInfo": nothing}


async def test_a_page_of_no_stated_size_is_no_longer_than_a_page_may_be(served: Served) -> None:
    assert await keys(served) == SHOWN[:PAGE_ENTRIES_MAX]


@pytest.mark.parametrize("size", [{"first": 1, "last": 1}, {"first": -1}, {"last": -1}, {"first": 6}, {"last": 6}])
async def test_a_page_size_that_is_not_allowed_is_bad_input(served: Served, size: dict[str, int]) -> None:
    assert await served.code(PAGE, **size) == "BAD_INPUT"


async def test_a_page_over_the_limit_is_told_the_limit(served: Served) -> None:
    (error,) = (await served.query(PAGE, first=6))["errors"]
    assert error["extensions"] == {"code": "BAD_INPUT", "limit": PAGE_ENTRIES_MAX}


@pytest.mark.parametrize("bound", ["after", "before"])
@pytest.mark.parametrize("cursor", ["é", "YQ==", "YR", "no cursor"])
async def test_a_bound_that_is_no_cursor_of_a_page_is_a_bad_cursor(served: Served, bound: str, cursor: str) -> None:
    assert await served.code(PAGE, **{bound: cursor}) == "BAD_CURSOR"


async def test_a_bound_or_prefix_of_null_is_the_same_as_none(served: Served) -> None:
    assert await keys(served, prefix=None, first=1, after=None, last=None, before=None) == [""]
