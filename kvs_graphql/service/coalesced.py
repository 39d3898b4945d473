"""Reads of many requests, coalesced: one hop to SQLite's thread for all that ask at the same time."""

import asyncio
from asyncio import Future
from collections.abc import Awaitable, Callable, Sequence

from cachetools import LRUCache

from kvs_graphql.access import ANYONE, Access, Fingerprint
from kvs_graphql.cursor import Cursor
from kvs_graphql.errors import LimitExceeded
from kvs_graphql.records import Record
from kvs_graphql.service.batch_loader import BatchLoader

_KEYS_PER_BATCH_MAX = 1_000
_PRINCIPALS_MAX = 1_024

Found = tuple[Cursor, list[Record | None]]
"""Where a snapshot stands, and the record of each key that was asked for."""
ReadKeys = Callable[[Access, Sequence[bytes]], Awaitable[Found]]


class CoalescedReads:
    """Reads keys for any number of requests; only principals with the same fingerprint share a read.

    A batch reads about `_KEYS_PER_BATCH_MAX` keys at most, for each request waits for those that it shares with.
    """

    def __init__(self, read: ReadKeys) -> None:
        self._read = read
        self._loaders: LRUCache[Fingerprint, BatchLoader[Sequence[bytes], Found]] = LRUCache(_PRINCIPALS_MAX)
        self._latest = ANYONE.fingerprint, self._loader(ANYONE)

    def get_many(self, access: Access, keys: Sequence[bytes]) -> Future[Found]:
        """The record of each key as that principal sees it, all of one snapshot, and where the snapshot stands.

        Raises:
            LimitExceeded: The records have more bytes than one request may read.
            Unavailable: The table cannot be read.
        """
        latest, loader = self._latest
        if latest != access.fingerprint:
            loader = self._loaders.get(access.fingerprint) or self._loader(access)
            self._loaders[access.fingerprint] = loader
            self._latest = access.fingerprint, loader
        return loader.load(keys)

    async def _alone(self, access: Access, keys: Sequence[bytes]) -> Found | Exception:
        """The read of one request out of several that have too many bytes together."""
        try:
            return await self._read(access, keys)
        except LimitExceeded as error:
            return error

    def _loader(self, access: Access) -> BatchLoader[Sequence[bytes], Found]:
        async def answer(asked: Sequence[Sequence[bytes]]) -> Sequence[Found | Exception]:
            try:
                cursor, records = await self._read(access, [key for keys in asked for key in keys])
            except LimitExceeded:
                return await asyncio.gather(*(self._alone(access, keys) for keys in asked))
            found, start = list[Found | Exception](), 0
            for keys in asked:
                found.append((cursor, records[start : start + len(keys)]))
                start += len(keys)
            return found

        return BatchLoader(answer, cost=len, batch_cost_max=_KEYS_PER_BATCH_MAX)
