"""The reads of one request on one table: all of one snapshot, whatever its fields ask for.

A request of one field shares its snapshot with other requests. The fields of a larger one are batched: their cursors
are waited for, and their queries run together. No snapshot is open while a request waits, for a client or for Kafka.
"""

from collections.abc import Callable, Coroutine, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from itertools import chain, islice
from typing import Any

from kvs_graphql.access import Access, Verb, within
from kvs_graphql.cursor import Cursor
from kvs_graphql.feed import Update, kind_of
from kvs_graphql.records import Positions, Record, advance, merge, position_in
from kvs_graphql.service.batch_loader import BatchLoader
from kvs_graphql.service.coalesced import CoalescedReads
from kvs_graphql.service.denials import Denials
from kvs_graphql.service.limits import ServiceLimits
from kvs_graphql.service.restricted import hidden, looked_up
from kvs_graphql.service.status import StatusReader, TableStatus
from kvs_graphql.service.usage import Usage
from kvs_graphql.service.waits import AtLeast
from kvs_graphql.store import (
    History,
    Page,
    Query,
    ReadBytes,
    Store,
    TooManyBytes,
    count_prefix,
    count_prefixes,
    get_groups,
    history,
    page,
    pages,
)

SMALL_READ_BYTES_MAX = 1_048_576
"""What a read may have at most and still be small."""
FEW_KEYS_MAX = 16
"""How many keys a request may name and still be read before others."""
ALL_KEYS = (b"",)
"""The prefixes of those who may read every key."""
_NO_END = 2**62


@dataclass(frozen=True, slots=True)
class Wait:
    """Read at this cursor or later, and wait at most so many seconds for it; None: as long as the service allows."""

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
    counted: bool = False
    """Whether to count all entries with the prefix, too, up to the limit of the request."""


@dataclass(frozen=True, slots=True)
class SharedReads:
    """What the reads of all requests on one table share."""

    table: str
    """The table's name."""
    store: Store
    limits: ServiceLimits
    few: CoalescedReads
    """Of requests that name few keys, the reads of small entries: they wait for no others."""
    many: CoalescedReads
    at_least: AtLeast
    statuses: StatusReader
    denials: Denials
    small_read_bytes_max: int
    """A request reads no more before there is room for a large operation."""


_Queries = Callable[[ReadBytes], tuple[Query[Any], ...]]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What one field of the request asks for, at which cursor, and how long it waits for that."""

    keys: Sequence[bytes] | None
    """The entries of all fields are read together: one that several of them name is read once. None: no entries."""
    queries: _Queries
    same: Hashable
    """Fields for which this is the same share the results of their queries."""
    wanted: Cursor | None
    seconds_max: float


@dataclass(frozen=True, slots=True)
class _LookBack:
    """The key whose history is asked for, how much of it, and up to where."""

    key: bytes
    last: int
    until: Positions


class Reads:
    """Made by `Table.reads`, for one request: of the keys with these prefixes.

    `single_field` where no other field of the request reads.
    """

    cursor: Cursor | None = None
    """Where the snapshot stands, once there was a read."""
    _fields: BatchLoader[_Asked, list[Any]] | None = None
    _histories: BatchLoader[_LookBack, History] | None = None

    def __init__(
        self,
        shared: SharedReads,
        access: Access,
        usage: Usage,
        prefixes: tuple[bytes, ...] = ALL_KEYS,
        *,
        single_field: bool = False,
    ) -> None:
        self._shared = shared
        self._access = access
        self._usage = usage
        self._prefixes = prefixes
        self._single_field = single_field

    async def get_many(self, keys: Sequence[bytes], wait: Wait = NO_WAIT) -> list[Record | None]:
        """The entry of each key, in order; None where there is none.

        Raises:
            TooManyKeys, LimitExceeded, BadCursor, BadInput, NotCaughtUp, Unavailable: As their classes say.
        """
        usage = self._usage
        usage.keys += len(keys)
        self._shared.limits.check_number_of_keys(usage.keys)
        usage.records += len(keys)
        if self._single_field and wait is NO_WAIT:
            if len(keys) <= FEW_KEYS_MAX:
                self.cursor, found, usage.size_bytes = await self._shared.few.get_many(self._access, keys)
                if not isinstance(found, TooManyBytes):
                    return found
            self.cursor, found, usage.size_bytes = await self._shared.many.get_many(self._access, keys)
            if not isinstance(found, TooManyBytes):
                return found
        (found,) = await self._run(wait, keys=keys)
        records: list[Record | None] = self._whole(found)
        return records

    async def page(self, asked: PageRequest, wait: Wait = NO_WAIT) -> Page:
        """A page of entries by key; it ends early at the limit in bytes, with at least one entry.

        Raises:
            LimitExceeded, BadCursor, BadInput, NotCaughtUp, Unavailable: As their classes say.
        """
        found, *counts = await self._run(wait, partial(self._page, asked), asked)
        records: Page = self._whole(found)
        self._usage.records += len(records.records)
        return replace(records, total_count=counts[0]) if counts else records

    async def applied(self, cursor: Cursor) -> None:
        """Wait until everything below a cursor is applied, as long as the service allows.

        Raises:
            BadCursor, NotCaughtUp: As their classes say.
        """
        with self._usage.waiting():
            await self._shared.at_least.applied(cursor, self._shared.limits.wait_seconds(None))

    async def history(self, key: bytes, last: int, until: Cursor | None) -> Iterator[Update]:
        """The last changes of a key in the window, oldest first, up to `until` or to this request's snapshot.

        Changes beyond the bytes that the request has left, over all keys that are asked for together, are left out, the
        oldest first; one is always there. The window is searched once for all of them.

        Raises:
            BadInput, Unavailable: As their classes say.
        """
        last = self._shared.limits.history_length(last)
        end = until or self.cursor
        assert end is not None
        if self._histories is None:
            self._histories = BatchLoader(self._look_back)
        found = await self._histories.load(_LookBack(key, last, end.positions))
        newest = (r for r in reversed(found.changes[key]) if r.offset < position_in(end.positions, r.partition))
        shown = list(islice(newest, last))
        self._usage.records += len(shown)
        past = _Past(end, found.window_start)
        return (Update(kind_of(record), past, record) for record in reversed(shown))

    async def status(self) -> TableStatus:
        """How the table is.

        Raises:
            Unavailable: The table cannot be read.
        """
        statuses = self._shared.statuses
        found = await self._run(NO_WAIT, lambda _: statuses.queries(), TableStatus)
        assert self.cursor is not None
        return statuses.status(self.cursor, *found)

    def _page(self, asked: PageRequest, within_bytes: ReadBytes) -> tuple[Query[Any], ...]:
        """The query of a page, and the one that counts where that is asked for."""
        limits, prefix = self._shared.limits, asked.prefix
        length, last = limits.page_length(asked.first, asked.last), asked.last is not None
        query = page(length, within_bytes, prefix=prefix, after=asked.after, before=asked.before, last=last)
        if not asked.counted:
            return (query,)
        return query, count_prefix(limits.counted_entries_max, prefix, within_bytes)

    async def _run(
        self,
        wait: Wait,
        queries: _Queries = lambda _: (),
        same: Hashable = None,
        *,
        keys: Sequence[bytes] | None = None,
    ) -> list[Any]:
        """Run queries, and read the entries of keys, with those of the request's other fields.

        Fields that ask for the `same` share what is found.
        """
        seconds_max = self._shared.limits.wait_seconds(wait.seconds_max)
        wanted = None if wait.at_least is None else self._shared.limits.cursor(wait.at_least, self._shared.table)
        asked = _Asked(keys, queries, same, wanted, 0.0 if wanted is None else seconds_max)
        if self._single_field:
            (answer,) = await self._answer([asked])
            if isinstance(answer, Exception):
                raise answer
            return answer
        if self._fields is None:
            self._fields = BatchLoader(self._answer)
        return await self._fields.load(asked)

    async def _answer(self, asked: Sequence[_Asked]) -> list[list[Any] | Exception]:
        """Wait for the cursors of all fields of the request, then run their queries in one snapshot."""
        at_least, foreign = self._shared.at_least, set[Cursor]()
        if wanted := [field.wanted for field in asked if field.wanted is not None]:
            with self._usage.waiting():
                foreign = await at_least.wait(wanted, max(field.seconds_max for field in asked))
        groups = [field.keys for field in asked if field.keys is not None]
        distinct = {field.same: field.queries for field in asked}
        only_keys = len(groups) == len(asked)
        # A single field that waits for nothing has been through it.
        was_too_much = self._single_field and not wanted
        entries = await self._few(groups) if only_keys and not was_too_much else None
        found: list[list[Any]] = [[] for _ in distinct]
        if entries is None:
            self.cursor, ((entries,), *found) = await self._read(
                lambda within: [(get_groups(groups, within),), *(queries(within) for queries in distinct.values())]
            )
        assert self.cursor is not None
        found_by = dict(zip(distinct, found, strict=True))
        answers: list[list[Any] | Exception] = []
        of_fields = iter(entries)
        for field in asked:
            results = list(found_by[field.same])
            if field.keys is not None:
                results.append(next(of_fields))
            failure = None if field.wanted is None else at_least.failure(field.wanted, self.cursor, foreign)
            answers.append(failure or results)
        return answers

    async def _few(self, groups: Sequence[Sequence[bytes]]) -> list[Any] | None:
        """The entries of groups of keys, read with those of other requests; None where that is too much."""
        keys, usage, shared = list(chain.from_iterable(groups)), self._usage, self._shared
        if len(keys) > FEW_KEYS_MAX:
            return None
        async with usage.turn:
            cursor, found, _ = await shared.few.get_many(self._access, keys)
            if isinstance(found, TooManyBytes):
                return None
            size_bytes = usage.size_bytes + sum(record.size_bytes for record in found if record is not None)
            if size_bytes > shared.small_read_bytes_max:
                return None
            self.cursor, usage.size_bytes = cursor, size_bytes
        records = iter(found)
        return [list(islice(records, len(group))) for group in groups]

    async def _look_back(self, asked: Sequence[_LookBack]) -> list[History | Exception]:
        """Search the window once for all keys, as far as any of them wants; each takes its part."""
        until, last = reduce(merge, (one.until for one in asked)), max(one.last for one in asked)
        keys = [one.key for one in asked]
        _, ((found,),) = await self._read(lambda within: [(history(keys, until, last, within),)])
        return [found] * len(asked)

    async def _read(
        self, queries: Callable[[ReadBytes], Sequence[tuple[Query[Any], ...]]]
    ) -> tuple[Cursor, list[list[Any]]]:
        """Run queries in one snapshot; again once there is room for a large read, where they need that.

        The bytes that they may have together are those that the request has left.
        """
        usage, limit = self._usage, self._shared.limits.read_bytes_max
        async with usage.turn:
            if usage.is_large:
                await usage.enlarge()
            while True:
                bytes_max = limit if usage.is_large else self._shared.small_read_bytes_max
                within = ReadBytes(bytes_max)
                within.taken, within.counted = usage.size_bytes, usage.counted
                groups = queries(within)
                snapshot = await self._shared.store.read(*chain.from_iterable(groups))
                if not within.exhausted or bytes_max == limit:
                    break
                # Many may wait for room, with as much as a small read may have each.
                del groups, snapshot
                await usage.enlarge()
            usage.size_bytes, usage.counted = within.taken, within.counted
        results = iter(snapshot.results)
        return snapshot.cursor, [[next(results) for _ in group] for group in groups]

    def _whole(self, found: Any) -> Any:
        """What was found. Raises: LimitExceeded: It would have more bytes than the request has left."""
        if isinstance(found, TooManyBytes):
            raise self._shared.limits.too_many_bytes()
        return found


class RestrictedReads(Reads):
    """The reads of a principal that may read only the keys with some prefixes; see `service.restricted`."""

    def get_many(self, keys: Sequence[bytes], wait: Wait = NO_WAIT) -> Coroutine[Any, Any, list[Record | None]]:
        """The entry of each key that may be read, in order; None for the others."""
        prefixes = self._prefixes
        for key in keys:
            if not key.startswith(prefixes):
                return self._get_some(keys, wait)
        return super().get_many(keys, wait)

    async def _get_some(self, keys: Sequence[bytes], wait: Wait) -> list[Record | None]:
        self._shared.denials.add(self._access, Verb.READ)
        found = await super().get_many(looked_up(self._prefixes, keys), wait)
        return hidden(self._prefixes, keys, found)

    async def page(self, asked: PageRequest, wait: Wait = NO_WAIT) -> Page:
        """A page of the entries that may be read."""
        self._shared.denials.add_prefix(self._access, self._prefixes, asked.prefix)
        return await super().page(asked, wait)

    async def history(self, key: bytes, last: int, until: Cursor | None) -> Iterator[Update]:
        """The last changes of a key that may be read."""
        return await super().history(key, last, until) if key.startswith(self._prefixes) else iter(())

    async def status(self) -> TableStatus:
        """How the table is; of its entries, those that may be read count. The size of its file would tell of others."""
        statuses, prefixes = self._shared.statuses, self._prefixes
        number = statuses.counted_recently(prefixes)
        counts = (count_prefixes(_NO_END, prefixes, ReadBytes(0)),) if number is None else ()
        found = await self._run(NO_WAIT, lambda _: (*statuses.queries(), *counts), (TableStatus, len(counts)))
        if counts:
            number = found.pop()
            statuses.keep_count(prefixes, number)
        assert self.cursor is not None
        assert number is not None
        status = statuses.status(self.cursor, *found)
        return replace(status, entries=number, sizes=replace(status.sizes, database_bytes=0))

    def _page(self, asked: PageRequest, within_bytes: ReadBytes) -> tuple[Query[Any], ...]:
        limits, prefixes = self._shared.limits, within(self._prefixes, asked.prefix)
        length, last = limits.page_length(asked.first, asked.last), asked.last is not None
        query = pages(length, prefixes, within_bytes, after=asked.after, before=asked.before, last=last)
        if not asked.counted:
            return (query,)
        return query, count_prefixes(limits.counted_entries_max, prefixes, within_bytes)


@dataclass(frozen=True, slots=True)
class _Past:
    """Makes the cursors of past changes, which few ask for.

    Each stands just after its change in that one's partition, and in the others at the window's start.
    """

    until: Cursor
    window_start: Positions

    def cursor_at(self, record: Record | None) -> Cursor:
        assert record is not None
        positions = advance(self.window_start, record.partition, record.offset + 1)
        return self.until._replace(positions=positions, pending=())

    def token_at(self, record: Record | None) -> str:
        return self.cursor_at(record).encode()
