"""The reads of one request: all of one snapshot, whatever its fields ask for.

The first field to read lets its siblings start, waits for the cursors that all of them ask for, and runs their
queries at once. No read is left open while a request waits, for a client or for Kafka.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, Protocol

from kvs_graphql.cursor import Cursor
from kvs_graphql.errors import BadInput, NotCaughtUp
from kvs_graphql.records import Positions, Record, covers, merge
from kvs_graphql.service.status import Status
from kvs_graphql.store import Page, Query, Sizes, Snapshot, count_entries, get_many, page, sizes


@dataclass(frozen=True, slots=True)
class Wait:
    """Read at this cursor or later, and wait so many seconds for it; None: as long as the service allows."""

    at_least: str | None = None
    seconds_max: float | None = None


NO_WAIT = Wait()


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A Relay page over keys: `first` of those after `after`, or `last` of those before `before`."""

    prefix: bytes = b""
    first: int | None = None
    after: bytes | None = None
    last: int | None = None
    before: bytes | None = None


class Reader(Protocol):
    """What the reads of a request need of the service."""

    @property
    def page_entries_max(self) -> int: ...
    @property
    def entries_known(self) -> bool: ...
    def check_number_of_keys(self, number: int) -> None: ...
    async def read(self, *queries: Query[Any]) -> Snapshot: ...
    async def wait_until_applied(self, wanted: Positions, seconds_max: float) -> Positions: ...
    def wanted(self, wait: "Wait") -> tuple[Positions, float]: ...
    def not_caught_up(self, wanted: Positions) -> NotCaughtUp: ...
    def status(self, cursor: Cursor, sizes: Sizes, entries: int | None) -> Status: ...


class Reads:
    """Made by `Service.request`, for one request."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._asked: list[_Asked] = []
        self._keys = 0
        self.cursor: Cursor | None = None
        """Where the snapshot stands, once there was a read."""

    async def get_many(self, keys: Sequence[bytes], wait: Wait = NO_WAIT) -> list[Record | None]:
        """The entry of each key, in order; None where there is none.

        Raises:
            TooManyKeys, BadCursor, BadInput, NotCaughtUp, Unavailable: As their classes say.
        """
        self._keys += len(keys)
        self._reader.check_number_of_keys(self._keys)
        (records,) = await self._run(wait, get_many(keys))
        found: list[Record | None] = records
        return found

    async def page(self, asked: PageRequest, wait: Wait = NO_WAIT) -> Page:
        """A page of entries by key.

        Raises:
            BadCursor, BadInput, NotCaughtUp, Unavailable: As their classes say.
        """
        query = page(
            self._page_limit(asked),
            prefix=asked.prefix,
            after=asked.after,
            before=asked.before,
            last=asked.last is not None,
        )
        (records,) = await self._run(wait, query)
        found: Page = records
        return found

    async def status(self) -> Status:
        """How the service is. Entries are counted at most once a second, for all requests."""
        counted = () if self._reader.entries_known else (count_entries(),)
        stored, *entries = await self._run(NO_WAIT, sizes(), *counted)
        assert self.cursor is not None
        return self._reader.status(self.cursor, stored, entries[0] if entries else None)

    def _page_limit(self, asked: PageRequest) -> int:
        if asked.first is not None and asked.last is not None:
            raise BadInput("`first` and `last` exclude each other.")
        limit = asked.last if asked.first is None else asked.first
        if limit is None:
            return min(100, self._reader.page_entries_max)
        if not 0 <= limit <= self._reader.page_entries_max:
            raise BadInput(
                f"A page has from 0 to {self._reader.page_entries_max} entries.", limit=self._reader.page_entries_max
            )
        return limit

    async def _run(self, wait: Wait, *queries: Query[Any]) -> list[Any]:
        asked = _Asked(queries, *self._reader.wanted(wait), asyncio.get_running_loop().create_future())
        self._asked.append(asked)
        if len(self._asked) == 1:
            await self._lead()
        return await asked.result

    async def _lead(self) -> None:
        """Run what all fields of the request ask for by now; whatever happens, none of them is left waiting."""
        try:
            await asyncio.sleep(0)
        finally:
            asked, self._asked = self._asked, []
        try:
            await self._answer(asked)
        except Exception as error:  # noqa: BLE001 - it is the fields' to raise
            for field in asked:
                field.fail(error)
        finally:
            for field in asked:
                field.result.cancel()

    async def _answer(self, asked: "list[_Asked]") -> None:
        wanted = reduce(merge, (field.wanted for field in asked))
        reached = await self._reader.wait_until_applied(wanted, max(field.seconds_max for field in asked))
        served = [field for field in asked if covers(reached, field.wanted)]
        if served:
            snapshot = await self._reader.read(*(query for field in served for query in field.queries))
            self.cursor = snapshot.cursor
            results = iter(snapshot.results)
            for field in served:
                field.result.set_result([next(results) for _ in field.queries])
        for field in asked:
            if not covers(reached, field.wanted):
                field.fail(self._reader.not_caught_up(field.wanted))


@dataclass(frozen=True, slots=True)
class _Asked:
    """What one field of the request waits for."""

    queries: tuple[Query[Any], ...]
    wanted: Positions
    seconds_max: float
    result: asyncio.Future[list[Any]]

    def fail(self, error: Exception) -> None:
        if not self.result.done():
            self.result.set_exception(error)
