"""What a principal sees of a table of which it may read only some keys: by comparison with what all see."""

import asyncio
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvs_graphql.access import Access, Grant, Grants, Verb, outermost
from kvs_graphql.errors import LimitExceeded
from kvs_graphql.feed import Kind
from kvs_graphql.records import Interest, Record
from kvs_graphql.service import PageRequest, Usage
from kvs_graphql.service.restricted import hidden, looked_up, restricted
from kvs_graphql.watch import Start
from tests.applications import LIMITS, open_application
from tests.deadline import SECONDS_MAX

KEYS = st.text("ab/", min_size=1, max_size=4).map(str.encode)
PREFIXES = st.sets(st.text("ab/", max_size=3).map(str.encode), max_size=4).map(outermost)
RECORDS = [
    Record(b"%c/%c" % (one, other), b"v", 0, 8 * n + m, None, None)
    for n, one in enumerate(b"abc")
    for m, other in enumerate(b"abc")
]


@given(
    PREFIXES, st.none() | st.frozensets(KEYS, min_size=1), st.none() | st.text("ab/", max_size=3).map(str.encode), KEYS
)
def test_restricted_interest_is_in_what_is_asked_for_and_granted(
    prefixes: tuple[bytes, ...], keys: frozenset[bytes] | None, prefix: bytes | None, key: bytes
) -> None:
    interest = Interest(keys, prefix)
    expected = interest.matches(key) and key.startswith(prefixes)
    found = restricted(prefixes, interest)
    assert found.matches(key) is expected
    assert not found.everything or prefixes == (b"",)


@given(PREFIXES, st.lists(KEYS))
def test_key_that_may_not_be_read_is_looked_up_like_any_other_such_key(
    prefixes: tuple[bytes, ...], keys: list[bytes]
) -> None:
    forbidden = {
        found for key, found in zip(keys, looked_up(prefixes, keys), strict=True) if not key.startswith(prefixes)
    }
    assert len(forbidden) <= 1, "what is looked up tells nothing about the key"
    records: list[Record | None] = [Record(key, b"", 0, 0, None, None) for key in keys]
    shown = [record.key for record in hidden(prefixes, keys, records) if record is not None]
    assert shown == [key for key in keys if key.startswith(prefixes)]


@pytest.mark.parametrize("prefixes", [(), (b"",), (b"a/",), (b"a/", b"c/"), (b"a/b", b"b/", b"c/c"), (b"x", b"z")])
@pytest.mark.parametrize("length", [1, 2, 3, 9])
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("asked", [b"", b"a", b"b/", b"c/c"])
async def test_pages_have_all_that_may_be_read_and_nothing_else(
    tmp_path: Path, prefixes: tuple[bytes, ...], length: int, backwards: bool, asked: bytes
) -> None:
    grants = Grants(frozenset(Grant(Verb.READ, prefix=prefix) for prefix in prefixes))
    expected = [r.key for r in RECORDS if r.key.startswith(prefixes) and r.key.startswith(asked)]
    found: list[bytes] = []
    edge: bytes | None = None
    async with open_application(tmp_path, RECORDS, threads=False) as application:
        while True:
            reads = application.table.served.reads(Access("ann", grants), Usage())
            page = await reads.page(
                PageRequest(asked, None, None, length, edge, counted=True)
                if backwards
                else PageRequest(asked, length, edge, counted=True)
            )
            keys = [record.key for record in page.records]
            assert len(keys) <= length
            assert page.total_count == len(expected)
            found = [*keys, *found] if backwards else [*found, *keys]
            assert page.has_more is (len(found) < len(expected))
            if not page.has_more:
                break
            edge = keys[0] if backwards else keys[-1]
    assert found == expected


async def test_history_is_of_keys_that_may_be_read_only(tmp_path: Path) -> None:
    grants = Grants(frozenset({Grant(Verb.READ, prefix=b"a/")}))
    async with open_application(tmp_path, RECORDS, threads=False) as application:
        for access, key, known in (("ann", b"a/b", 1), ("ann", b"b/b", 0), ("operator", b"b/b", 1)):
            granted = None if access == "operator" else grants
            reads = application.table.served.reads(Access(access, granted), Usage())
            # The end of a history is the snapshot of its request.
            await reads.get_many([b"a/a"])
            assert len(list(await reads.history(key, 10, None))) == known


@pytest.mark.parametrize("key", [b"\0", b"", b"other/1", b"\xff"])
async def test_value_of_a_forbidden_key_counts_against_no_limit(tmp_path: Path, key: bytes) -> None:
    """Whatever is looked up instead of forbidden keys is no key: its value would be read as often as they are named."""
    records = [Record(key, b"v" * 10_000, 0, 0, None, None)]
    grants = Grants(frozenset({Grant(Verb.READ, prefix=b"mine/")}))
    async with open_application(tmp_path, records, threads=False) as application:
        usage = Usage()
        reads = application.table.served.reads(Access("ann", grants), usage)
        assert await reads.get_many([*(b"theirs/%d" % n for n in range(5)), key]) == [None] * 6
        assert usage.size_bytes == 0


async def test_live_query_reads_nothing_of_a_forbidden_key(tmp_path: Path) -> None:
    """A value that is larger than an operation may read would be an error, where an absent one is null."""
    records = [Record(b"theirs/1", b"v" * 10_000, 0, 0, None, None), Record(b"mine/1", b"v", 0, 1, None, None)]
    grants, limits = Grants(frozenset({Grant(Verb.READ, prefix=b"mine/")})), replace(LIMITS, read_bytes_max=5_000)
    async with open_application(tmp_path, records, limits=limits, threads=False) as application:
        for access, shown in ((Access("ann", grants), [None, b"mine/1"]), (Access("operator"), None)):
            async with aclosing(application.table.served.latest(access, [b"theirs/1", b"mine/1"])) as latest:
                if shown is None:
                    with pytest.raises(LimitExceeded):
                        await anext(latest)
                else:
                    found = (await anext(latest)).records
                    assert [None if record is None else record.key for record in found] == shown


async def test_keys_that_are_named_again_are_restricted_again(tmp_path: Path) -> None:
    """As they are where the keys of a table have one more encoding."""
    first, later = Interest(frozenset({b"a/a"})), Interest(frozenset({b"a/a", b"b/a"}))
    grants = Grants(frozenset({Grant(Verb.READ, prefix=b"a/")}))
    async with open_application(tmp_path, RECORDS, threads=False) as application:
        table = application.table
        for access, expected in ((Access("ann", grants), [b"a/a"]), (Access("operator"), [b"b/a", b"a/a"])):
            updates = table.served.updates(access, first, Start(progress=True), None, lambda: later)
            async with asyncio.timeout(SECONDS_MAX), aclosing(updates) as pages:
                assert [update.kind for update in await anext(pages)] == [Kind.LIVE]
                table.feed.widen()
                await table.change((b"b/a", b"new"), (b"a/a", b"new"))
                found: list[bytes] = []
                while b"a/a" not in found:
                    found += [update.record.key for update in await anext(pages) if update.record is not None]
                assert found == expected


async def test_size_of_the_file_is_told_to_those_who_may_read_all_of_it(tmp_path: Path) -> None:
    """It grows with the values of forbidden keys."""
    async with open_application(tmp_path, RECORDS, threads=False) as application:
        for prefix, told in ((b"", True), (b"a/", False)):
            grants = Grants(frozenset({Grant(Verb.READ, prefix=prefix), Grant(Verb.STATUS)}))
            status = await application.table.served.reads(Access("ann", grants), Usage()).status()
            assert (status.sizes.database_bytes > 0) is told
            assert status.sizes.window_changes > 0, "of the topic, as its offsets are"


async def test_page_over_several_prefixes_ends_early_at_the_limit_in_bytes(tmp_path: Path) -> None:
    records = [
        Record(b"%c/%d" % (first, n), b"v" * 30_000, 0, 10 * first + n, None, None) for first in b"ab" for n in range(4)
    ]
    grants = Grants(frozenset({Grant(Verb.READ, prefix=b"a/"), Grant(Verb.READ, prefix=b"b/")}))
    found: list[bytes] = []
    async with open_application(tmp_path, records, threads=False) as application:
        edge = None
        while True:
            reads = application.table.served.reads(Access("ann", grants), Usage())
            page = await reads.page(PageRequest(first=20, after=edge))
            assert 0 < len(page.records) < len(records)
            found += [record.key for record in page.records]
            if not page.has_more:
                break
            edge = found[-1]
    assert found == [record.key for record in records]
