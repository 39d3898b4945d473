"""Reads of requests that come together are one read, unless their principals may see different things."""

import asyncio
from collections.abc import Sequence

import pytest

from kvs_graphql.access import ANYONE, Access, Grant, Grants, Verb
from kvs_graphql.cursor import Cursor
from kvs_graphql.errors import Unavailable
from kvs_graphql.records import Record
from kvs_graphql.service.coalesced import CoalescedReads, Found


def reader(name: str, prefix: bytes) -> Access:
    return Access(name, Grants(frozenset({Grant(Verb.READ, prefix=prefix)})))


ALICE, BOB = reader("alice", b"a/"), reader("bob", b"b/")
CURSOR = Cursor(bytes(16), (1,))


class Table:
    """Holds every key for everybody but Bob, and records the reads."""

    def __init__(self) -> None:
        self.reads: list[tuple[Access, list[bytes]]] = []

    async def read(self, access: Access, keys: Sequence[bytes]) -> Found:
        self.reads.append((access, list(keys)))
        records = [None if access == BOB else Record(key, b"v", 0, 0, None, None) for key in keys]
        return CURSOR, records, len(keys)


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
    async def read(_: Access, __: Sequence[bytes]) -> Found:
        raise Unavailable("closed")

    coalesced = CoalescedReads(read)
    for waiting in [coalesced.get_many(ANYONE, [b"a"]) for _ in range(2)]:
        with pytest.raises(Unavailable):
            await waiting
