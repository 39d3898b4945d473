"""The reads of one request: all of one snapshot, whatever its fields ask for.

The first field to read lets its siblings start, waits for the cursors that all of them ask for, and runs their
queries at once. No read is left open while a request waits, for a client or for Kafka.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, Protocol

from kvs_graphql.cursor import Cursor
from kvs_graphql.errors import BadCursor, BadInput, NotCaughtUp
from kvs_graphql.feed import Kind, Update
from kvs_graphql.records import Positions, Record, advance, covers, merge, position_in
from kvs_graphql.service.status import Status
from kvs_graphql.service.together import Together
from kvs_graphql.store import History, Page, Query, Sizes, Snapshot, count_entries, get_many, history, page, sizes

_STRANGER = "The cursor belongs to another topic, or to this one before it was created again."


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
    async def get_many(self, keys: Sequence[bytes]) -> tuple[Cursor, list[Record | None]]: ...
    async def wait_until_applied(self, wanted: Iterable[Cursor], seconds_max: float) -> set[bytes]: ...
    def wanted(self, wait: "Wait") -> tuple[Cursor | None, float]: ...
    def not_caught_up(self, wanted: Cursor, reached: Cursor) -> NotCaughtUp: ...
    def status(self, cursor: Cursor, sizes: Sizes, entries: int | None) -> Status: ...


class Reads:
    """Made by `Service.request`, for one request; `alone` where it has one field, which need not wait for others."""

    def __init__(self, reader: Reader, *, alone: bool = False) -> None:
        self._alone = alone
        self._reader = reader
        self._fields = Together(self._answer)
        self._histories = Together(self._look_back)
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
        if self._alone and wait.at_least is None:
            self.cursor, found = await self._reader.get_many(keys)
            return found
        (records,) = await self._run(wait, get_many(keys))
        return list(records)

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

    async def history(self, key: bytes, last: int, until: Cursor | None) -> list[Update]:
        """The last changes of a key in the window, oldest first, up to `until` or to this request's snapshot.

        All keys that a request asks for together are looked for together.

        Raises:
            BadInput, Unavailable: As their classes say.
        """
        if not 0 <= last <= self._reader.page_entries_max:
            raise BadInput(f"`last` is from 0 to {self._reader.page_entries_max}.", limit=self._reader.page_entries_max)
        place = until or self.cursor
        assert place is not None
        found = await self._histories.ask(_LookBack(key, last, place.positions))
        below = [r for r in found.changes[key] if r.offset < position_in(place.positions, r.partition)]
        return [
            _past(record, place.topic_id, found.window_start) for record in below[len(below) - min(last, len(below)) :]
        ]

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
        return await self._fields.ask(_Asked(queries, *self._reader.wanted(wait)))

    async def _answer(self, asked: "Sequence[_Asked]") -> list[list[Any] | Exception]:
        """Wait for what all fields of the request want, then run their queries; who waited in vain gets an error."""
        wanted = [field.wanted for field in asked if field.wanted is not None]
        strangers = await self._reader.wait_until_applied(wanted, max(field.seconds_max for field in asked))
        snapshot = await self._reader.read(*(query for field in asked for query in field.queries))
        self.cursor, results = snapshot.cursor, iter(snapshot.results)
        answers: list[list[Any] | Exception] = []
        for field in asked:
            found = [next(results) for _ in field.queries]
            if field.wanted is None or _is_at_least(snapshot.cursor, field.wanted):
                answers.append(found)
            elif field.wanted.topic_id in strangers:
                answers.append(BadCursor(_STRANGER))
            else:
                answers.append(self._reader.not_caught_up(field.wanted, snapshot.cursor))
        return answers

    async def _look_back(self, asked: "Sequence[_LookBack]") -> list[History | Exception]:
        """Look through the window once for all keys, as far as anybody wants; each takes its part."""
        until = reduce(merge, (one.until for one in asked))
        query = history([one.key for one in asked], until, max(one.last for one in asked))
        (found,) = (await self._reader.read(query)).results
        return [found] * len(asked)


def _is_at_least(reached: Cursor, wanted: Cursor) -> bool:
    return reached.topic_id == wanted.topic_id and covers(reached.positions, wanted.positions)


def _past(record: Record, topic_id: bytes, window_start: Positions) -> Update:
    """A change of the past. Its cursor stands just after it in its partition, in the others at the window's start."""
    cursor = Cursor(topic_id, advance(window_start, record.partition, record.offset + 1))
    return Update(Kind.DELETE if record.value is None else Kind.SET, cursor, record)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What one field of the request asks for, at which positions, and how long it waits for them."""

    queries: tuple[Query[Any], ...]
    wanted: Cursor | None
    seconds_max: float


@dataclass(frozen=True, slots=True)
class _LookBack:
    """Whose history is asked for, how much of it, and up to where."""

    key: bytes
    last: int
    until: Positions
