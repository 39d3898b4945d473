"""Reads of many requests, coalesced: one hop to SQLite's thread for all that ask at the same time."""

from asyncio import Future
from collections.abc import Awaitable, Callable, Sequence

from cachetools import LRUCache

from kvs_graphql.access import ANYONE, Access, Fingerprint
from kvs_graphql.cursor import Cursor
from kvs_graphql.records import Record
from kvs_graphql.service.batch_loader import BatchLoader
from kvs_graphql.store import ReadBytes, Store, TooManyBytes, get_many

_KEYS_PER_BATCH_MAX = 1_000
_PRINCIPALS_MAX = 1_024

Found = tuple[Cursor, list[Record | None] | TooManyBytes, int]
"""Where a snapshot stands, the record of each key that was asked for, and about how many bytes these have, at most.

`TooManyBytes` where the requests that share a read have too many together: each has to read alone.
"""
ReadKeys = Callable[[Access, Sequence[bytes]], Awaitable[Found]]


class CoalescedReads:
    """Reads keys for any number of requests; only principals with the same fingerprint share a read.

    A batch reads at most about `_KEYS_PER_BATCH_MAX` keys, because each request waits for the whole batch.
    """

    def __init__(self, read: ReadKeys) -> None:
        self._read = read
        self._loaders: LRUCache[Fingerprint, BatchLoader[Sequence[bytes], Found]] = LRUCache(_PRINCIPALS_MAX)
        self._latest = ANYONE.fingerprint, self._loader(ANYONE)

    def get_many(self, access: Access, keys: Sequence[bytes]) -> Future[Found]:
        """The record of each key as that principal sees it, all of one snapshot, and where the snapshot stands.

        Raises:
            Unavailable: The table cannot be read.
        """
        latest, loader = self._latest
        fingerprint = access.fingerprint
        # Equal ones are mostly the same object; comparing them would cost a read one per cent.
        if latest is not fingerprint and latest != fingerprint:
            loader = self._loaders.get(fingerprint) or self._loader(access)
            self._loaders[fingerprint] = loader
            self._latest = fingerprint, loader
        return loader.load(keys)

    def _loader(self, access: Access) -> BatchLoader[Sequence[bytes], Found]:
        async def answer(asked: Sequence[Sequence[bytes]]) -> Sequence[Found]:
            cursor, records, size_bytes = await self._read(access, [key for keys in asked for key in keys])
            if isinstance(records, TooManyBytes):
                # Each of them reads alone, and goes on as soon as it has: all together they would hold too much.
                return [(cursor, records, size_bytes)] * len(asked)
            found, start = list[Found](), 0
            for keys in asked:
                found.append((cursor, records[start : start + len(keys)], size_bytes))
                start += len(keys)
            return found

        return BatchLoader(answer, cost=len, batch_cost_max=_KEYS_PER_BATCH_MAX)


def read_keys(store: Store, bytes_max: int) -> ReadKeys:
    """Reads keys of a table, as everybody may see it, up to a number of bytes."""

    async def read(_: Access, keys: Sequence[bytes]) -> Found:
        within = ReadBytes(bytes_max)
        snapshot = await store.read(get_many(keys, within))
        return snapshot.cursor, snapshot.results[0], within.taken

    return read
