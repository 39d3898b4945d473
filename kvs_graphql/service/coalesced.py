"""Reads of many requests, coalesced: one hop to SQLite's thread for all that ask at the same time."""

from asyncio import Future
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

from cachetools import LRUCache

from kvs_graphql.access import ANYONE, Access, Fingerprint
from kvs_graphql.cursor import Cursor
from kvs_graphql.records import Record
from kvs_graphql.service.batch_loader import BatchLoader
from kvs_graphql.store import ReadBytes, Snapshot, Store, TooManyBytes, get_many

_KEYS_PER_BATCH_MAX = 1_000
_FEW_KEYS_PER_BATCH_MAX = 64
_LIVE_KEYS_PER_BATCH_MAX = 256
_SMALL_ENTRY_BYTES_MAX = 16_384
_PRINCIPALS_MAX = 1_024

Found = tuple[Cursor, list[Record | None] | TooManyBytes, int]
"""Where a snapshot stands, the record of each key that was asked for, and about how many bytes these have, at most.

`TooManyBytes` where the requests that share a read have too many together: each has to read alone.
"""


class Read(NamedTuple):
    """What was found of all keys of a batch."""

    cursor: Cursor
    records: list[Record | None] | TooManyBytes
    size_bytes: int
    left_out: frozenset[bytes] = frozenset()
    """The keys whose entries were too large to be read together with others."""


class ReadKeys(Protocol):
    """Reads keys of a table as a principal sees it."""

    def __call__(
        self, access: Access, keys: Sequence[bytes], seen: Callable[[Read], None] | None = None, /
    ) -> Awaitable[Read]:
        """Read them; `seen` gets the same earlier, in the thread that has read it."""
        ...


class CoalescedReads:
    """Reads keys for any number of requests; only principals with the same fingerprint share a read.

    A batch reads at most about `keys_per_batch_max` keys, because each request waits for the whole batch.
    """

    def __init__(self, read: ReadKeys, *, keys_per_batch_max: int = _KEYS_PER_BATCH_MAX, hurries: bool = False) -> None:
        """`hurries` as in `BatchLoader`."""
        self._read = read
        self._keys_per_batch_max = keys_per_batch_max
        self._hurries = hurries
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
            found = list[Found]()

            def seen(read: Read) -> None:
                found.extend(_of_each(asked, read))
                loader.answer_early(found)

            read = await self._read(access, [key for keys in asked for key in keys], seen)
            return found or list(_of_each(asked, read))

        loader = BatchLoader(answer, cost=len, batch_cost_max=self._keys_per_batch_max, hurries=self._hurries)
        return loader


def _of_each(asked: Sequence[Sequence[bytes]], read: Read) -> Iterator[Found]:
    """What was found for each request of a batch."""
    cursor, records, size_bytes, left_out = read
    start = 0
    for keys in asked:
        if isinstance(records, TooManyBytes):
            # Each of them reads alone, and goes on as soon as it has: all together they would hold too much.
            yield cursor, records, size_bytes
            continue
        own: list[Record | None] | TooManyBytes = records[start : start + len(keys)]
        start += len(keys)
        if left_out and not left_out.isdisjoint(keys):
            own = TooManyBytes(_SMALL_ENTRY_BYTES_MAX)
        yield cursor, own, size_bytes


def read_keys(store: Store, bytes_max: int, entry_bytes_max: int | None = None, *, is_queued: bool = True) -> ReadKeys:
    """Reads keys of a table, as everybody may see it: up to a number of bytes, and no larger entries than allowed."""

    async def read(_: Access, keys: Sequence[bytes], seen: Callable[[Read], None] | None = None) -> Read:
        within, left_out = ReadBytes(bytes_max), set[bytes]()

        def found(snapshot: Snapshot) -> Read:
            return Read(snapshot.cursor, snapshot.results[0], within.taken, frozenset(left_out))

        query = get_many(keys, within, entry_bytes_max, left_out)
        see = None if seen is None else lambda snapshot: seen(found(snapshot))
        return found(await store.read(query, is_queued=is_queued, seen=see))

    return read


def few_reads(store: Store, bytes_max: int) -> CoalescedReads:
    """The reads of requests that name few keys, of a table as everybody may see it: they wait for no others."""
    return _reads_of_small_entries(store, bytes_max, _FEW_KEYS_PER_BATCH_MAX, is_queued=False)


def live_reads(store: Store, bytes_max: int) -> CoalescedReads:
    """The first reads of live queries, of which many may wake at once, of a table as everybody may see it."""
    return _reads_of_small_entries(store, bytes_max, _LIVE_KEYS_PER_BATCH_MAX, is_queued=True)


def _reads_of_small_entries(
    store: Store, bytes_max: int, keys_per_batch_max: int, *, is_queued: bool
) -> CoalescedReads:
    """Entries that are not small are left out, so that whoever names one cannot have those of all others read anew."""
    entry_max = min(_SMALL_ENTRY_BYTES_MAX, bytes_max // keys_per_batch_max)
    read = read_keys(store, bytes_max, entry_max, is_queued=is_queued)
    return CoalescedReads(read, keys_per_batch_max=keys_per_batch_max, hurries=not is_queued)
