"""Reads of many requests, made together."""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence

from kvs_graphql.cursor import Cursor
from kvs_graphql.errors import Unavailable
from kvs_graphql.records import Record
from kvs_graphql.store import Store, get_many

_KEYS_MAX = 1_000
_STOPPING = "The service is stopping."

Found = tuple[Cursor, list[Record | None]]


class SharedReads:
    """What is asked for while one snapshot is read is read in the next: one hop to SQLite's thread for many requests.

    The busier the service, the more share a hop; a lone request waits for nobody. A snapshot reads about `_KEYS_MAX`
    keys at most, for each request waits for those that it shares with.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: deque[tuple[Sequence[bytes], asyncio.Future[Found]]] = deque()
        self._asked = asyncio.Event()

    async def get_many(self, keys: Sequence[bytes]) -> Found:
        """The record of each key, all of one snapshot, and where it stands.

        Raises:
            Unavailable: The table cannot be read, or the service has stopped.
        """
        future: asyncio.Future[Found] = asyncio.get_running_loop().create_future()
        self._waiting.append((keys, future))
        self._asked.set()
        return await future

    async def run(self) -> None:
        """Read for whoever asks, until cancelled."""
        try:
            while True:
                await self._asked.wait()
                # Let those ask whose requests came at the same time.
                await asyncio.sleep(0)
                await self._answer(self._take())
                if not self._waiting:
                    self._asked.clear()
        finally:
            _fail((future for _, future in self._waiting), Unavailable(_STOPPING))

    def _take(self) -> list[tuple[Sequence[bytes], asyncio.Future[Found]]]:
        taken: list[tuple[Sequence[bytes], asyncio.Future[Found]]] = []
        number = 0
        while self._waiting and (not taken or number + len(self._waiting[0][0]) <= _KEYS_MAX):
            keys, future = self._waiting.popleft()
            if not future.done():
                taken.append((keys, future))
                number += len(keys)
        return taken

    async def _answer(self, taken: list[tuple[Sequence[bytes], asyncio.Future[Found]]]) -> None:
        error: Exception = Unavailable(_STOPPING)
        try:
            snapshot = await self._store.read(get_many([key for keys, _ in taken for key in keys]))
            (records,) = snapshot.results
            start = 0
            for keys, future in taken:
                if not future.done():
                    future.set_result((snapshot.cursor, records[start : start + len(keys)]))
                start += len(keys)
        except Exception as failure:  # noqa: BLE001 - it is raised where it was asked
            error = failure
        finally:
            _fail((future for _, future in taken), error)


def _fail(futures: Iterable[asyncio.Future[Found]], error: Exception) -> None:
    for future in futures:
        if not future.done():
            future.set_exception(error)
