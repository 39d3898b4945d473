"""Reads of requests that come together are one read, unless their principals may see different things."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from kvs_graphql.access import ANYONE, Access, Grant, Grants, Verb
from kvs_graphql.cursor import Cursor, decode_cursor
from kvs_graphql.errors import Unavailable
from kvs_graphql.records import Batch, Record
from kvs_graphql.service.coalesced import CoalescedReads, Found, Read, few_reads
from kvs_graphql.store import TooManyBytes, WindowLimits, open_store
from tests.applications import open_application


def reader(name: str, prefix: bytes) -> Access:
    return Access(name, Grants(frozenset({Grant(Verb.READ, prefix=prefix)})))


ALICE, BOB = reader("alice", b"a/"), reader("bob", b"b/")
CURSOR = Cursor(bytes(16), (1,))


class Table:
    """Holds every key for everybody but Bob, and records the reads."""

    def __init__(self) -> None:
        self.reads: list[tuple[Access, list[bytes]]] = []

    async def read(self, access: Access, keys: Sequence[bytes], seen: Callable[[Read], None] | None = None) -> Read:
        self.reads.append((access, list(keys)))
        records = [None if access == BOB else Record(key, b"v", 0, 0, None, None) for key in keys]
        return Read(CURSOR, records, len(keys))


def keys_of(found: Found) -> list[bytes | None]:
    assert isinstance(found[1], list)
    return [record and record.key for record in found[1]]


async def test_requests_that_come_together_share_a_read_and_get_their_own_keys() -> None:
    table = Table()
    coalesced = CoalescedReads(table.read)
    found = await asyncio.gather(*(coalesced.get_many(ANYONE, keys) for keys in ([b"a", b"b"], [], [b"a"])))
    assert table.reads == [(ANYONE, [b"a", b"b", b"a"])]
    assert [keys_of(one) for one in found] == [[b"a", b"b"], [], [b"a"]]
    assert all(cursor == CURSOR for cursor, _, _ in found)


async def test_reads_of_principals_with_different_rights_are_not_coalesced() -> None:
    table = Table()
    coalesced = CoalescedReads(table.read)
    found = await asyncio.gather(*(coalesced.get_many(access, [b"key"]) for access in (ALICE, BOB, ALICE, BOB)))
    assert [keys_of(one) for one in found] == [[b"key"], [None], [b"key"], [None]]
    assert sorted(table.reads, key=str) == [(ALICE, [b"key"] * 2), (BOB, [b"key"] * 2)]


async def test_principals_with_the_same_fingerprint_share_a_read() -> None:
    table = Table()
    coalesced = CoalescedReads(table.read)
    await asyncio.gather(*(coalesced.get_many(reader(name, b"a/"), [b"key"]) for name in ("ann", "ben", "cho")))
    assert len(table.reads) == 1


async def test_principals_of_one_name_with_different_rights_share_no_read() -> None:
    """Such as the holder of a static token, and a subject of an issuer."""
    table = Table()
    coalesced = CoalescedReads(table.read)
    await asyncio.gather(*(coalesced.get_many(reader("ann", prefix), [b"key"]) for prefix in (b"a/", b"b/", b"a/")))
    assert [len(keys) for _, keys in table.reads] == [2, 1]


async def test_large_requests_are_read_one_after_the_other() -> None:
    table = Table()
    coalesced = CoalescedReads(table.read)
    many = [b"%d" % number for number in range(600)]
    await asyncio.gather(*(coalesced.get_many(ANYONE, many) for _ in range(3)))
    assert [len(keys) for _, keys in table.reads] == [600, 600, 600]


async def test_every_request_of_a_failed_read_gets_its_error() -> None:
    async def read(_: Access, __: Sequence[bytes], ___: object = None) -> Read:
        raise Unavailable("closed")

    coalesced = CoalescedReads(read)
    for waiting in [coalesced.get_many(ANYONE, [b"a"]) for _ in range(2)]:
        with pytest.raises(Unavailable):
            await waiting


async def test_requests_are_answered_while_the_read_of_their_batch_ends() -> None:
    table, over = Table(), asyncio.Event()

    async def read(access: Access, keys: Sequence[bytes], seen: Callable[[Read], None] | None = None) -> Read:
        found = await table.read(access, keys)
        assert seen is not None
        await asyncio.to_thread(seen, found)
        await over.wait()
        return found

    coalesced = CoalescedReads(read)
    found = await asyncio.gather(*(coalesced.get_many(ANYONE, keys) for keys in ([b"a", b"b"], [b"c"])))
    assert [keys_of(one) for one in found] == [[b"a", b"b"], [b"c"]]
    over.set()


async def test_a_large_entry_of_one_request_has_no_other_request_read_anew(tmp_path: Path) -> None:
    window = WindowLimits(changes_max=100, bytes_max=10**7, deletes_max=100)
    async with open_store(tmp_path / "kvs.db", window, readers=3) as store:
        await store.begin("topic", bytes(16), (0,))
        values = {b"small": b"1", b"large": bytes(20_000)}
        records = [Record(key, value, 0, n, None, None) for n, (key, value) in enumerate(values.items())]
        await store.apply(Batch((records,), (len(records),), 0, 0))
        few = few_reads(store, 1_048_576)
        asked = [[b"small"], [b"large", b"small"], [b"large"], [b"small", b"absent"]]
        found = [records for _, records, _ in await asyncio.gather(*(few.get_many(ANYONE, keys) for keys in asked))]
        assert [isinstance(records, TooManyBytes) for records in found] == [False, True, True, False]
        assert found[0] == [records[0]]
        assert found[3] == [records[0], None]


@pytest.mark.parametrize("document", ['{ a: value(key: "k") { value } b: value(key: "l") { value } }', None])
@pytest.mark.parametrize("size", [10, 2_000, 40_000])
async def test_entries_of_any_size_are_found_with_those_of_other_requests(
    tmp_path: Path, document: str | None, size: int
) -> None:
    records = [Record(key, key * size, 0, n, 0, None) for n, key in enumerate((b"k", b"l"))]
    async with open_application(tmp_path, records) as application:
        one = '{ a: value(key: "k") { value } }'
        asked = [document or one, one, one, '{ b: value(key: "l") { value } }', '{ c: value(key: "absent") { value } }']
        for answer in await asyncio.gather(*map(application.query, asked)):
            expected = {"a": {"value": "k" * size}, "b": {"value": "l" * size}, "c": None}
            assert "errors" not in answer
            assert answer["data"] == {name: expected[name] for name in answer["data"]}
            assert decode_cursor(answer["extensions"]["cursor"]).positions == (2,)
