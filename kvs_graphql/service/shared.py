"""Reads of many requests, made together."""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

from kvs_graphql.errors import Unavailable
from kvs_graphql.store import Query, Snapshot, Store

_QUERIES_MAX = 256
_STOPPING = "The service is stopping."


class SharedReads:
    """What is asked for while one snapshot is read is read in the next: one hop to SQLite's thread for many requests.

    The busier the service, the more share a hop; a lone request waits for nobody. Only for short queries: each waits
    for those that it shares its snapshot with.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: deque[tuple[Sequence[Query[Any]], asyncio.Future[Snapshot]]] = deque()
        self._asked = asyncio.Event()

    async def read(self, queries: Sequence[Query[Any]]) -> Snapshot:
        """The results of queries, all of one snapshot.

        Raises:
            Unavailable: The table cannot be read, or the service has stopped.
        """
        future: asyncio.Future[Snapshot] = asyncio.get_running_loop().create_future()
        self._waiting.append((queries, future))
        self._asked.set()
        return await future

    async def run(self) -> None:
        """Read for whoever asks, until cancelled."""
        try:
            while True:
                await self._asked.wait()
                await self._answer(self._take())
                if not self._waiting:
                    self._asked.clear()
        finally:
            _fail((future for _, future in self._waiting), Unavailable(_STOPPING))

    def _take(self) -> list[tuple[Sequence[Query[Any]], asyncio.Future[Snapshot]]]:
        taken, number = [], 0
        while self._waiting and number < _QUERIES_MAX:
            queries, future = self._waiting.popleft()
            if not future.done():
                taken.append((queries, future))
                number += len(queries)
        return taken

    async def _answer(self, taken: list[tuple[Sequence[Query[Any]], asyncio.Future[Snapshot]]]) -> None:
        error: Exception = Unavailable(_STOPPING)
        try:
            snapshot = await self._store.read(*(query for queries, _ in taken for query in queries))
            results = iter(snapshot.results)
            for queries, future in taken:
                mine = [next(results) for _ in queries]
                if not future.done():
                    future.set_result(Snapshot(snapshot.cursor, mine))
        except Exception as failure:  # noqa: BLE001 - it is raised where it was asked
            error = failure
        finally:
            _fail((future for _, future in taken), error)


def _fail(futures: Iterable[asyncio.Future[Snapshot]], error: Exception) -> None:
    for future in futures:
        if not future.done():
            future.set_exception(error)
