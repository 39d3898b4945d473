"""The root fields: each decodes its arguments, calls the service, and wraps what comes back."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated, Any, TypeVar, cast

import strawberry
from strawberry import UNSET

from kvs_graphql.api.context import OperationInfo, SelectionInfo
from kvs_graphql.api.costs import sized_by
from kvs_graphql.api.encodings import Encoding, key_of
from kvs_graphql.api.json_values import JsonValues
from kvs_graphql.api.scalars import CursorToken
from kvs_graphql.api.sources import Source, one_by_one, size_of
from kvs_graphql.api.types import (
    EncodingArgument,
    Entry,
    EntryConnection,
    Node,
    Status,
    Update,
    connection,
    entry,
    status,
    viewed,
)
from kvs_graphql.errors import BadCursor, BadInput, BadKey
from kvs_graphql.records import Interest
from kvs_graphql.service import NO_WAIT, Latest, PageRequest, Start, Wait
from kvs_graphql.service import Status as ServiceStatus
from kvs_graphql.service import Update as ServiceUpdate

T = TypeVar("T")

AtLeast = Annotated[
    CursorToken | None, strawberry.argument(description="Read at this cursor or later, waiting for it if need be.")
]
MaxWait = Annotated[float | None, strawberry.argument(description="Seconds to wait for `atLeast`.")]


@strawberry.type
class Query:
    @strawberry.field(description="The entry of a key; null where there is none.")
    async def value(
        self,
        info: OperationInfo,
        key: str,
        key_encoding: EncodingArgument = Encoding.UTF8,
        at_least: AtLeast = UNSET,
        max_wait: MaxWait = UNSET,
    ) -> Entry | None:
        (record,) = await info.context.reads.get_many([info.context.key(key, key_encoding)], _wait(at_least, max_wait))
        return entry(record, info.context.json_values)

    @strawberry.field(
        description="The entry of each key, in the order of the keys; null where there is none.",
        directives=[sized_by("keys")],
    )
    async def values(
        self,
        info: OperationInfo,
        keys: list[str],
        key_encoding: EncodingArgument = Encoding.UTF8,
        at_least: AtLeast = UNSET,
        max_wait: MaxWait = UNSET,
    ) -> list[Entry | None]:
        wanted = [info.context.key(key, key_encoding) for key in keys]
        json_values = info.context.json_values
        records = await info.context.reads.get_many(wanted, _wait(at_least, max_wait))
        return [entry(record, json_values) for record in records]

    @strawberry.field(
        description="A page of entries in byte order of their keys; `first` defaults to 100.",
        directives=[sized_by("first", "last", assumed=100, fields=["edges"])],
    )
    async def entries(
        self,
        info: SelectionInfo,
        prefix: str | None = UNSET,
        first: int | None = UNSET,
        after: str | None = UNSET,
        last: int | None = UNSET,
        before: str | None = UNSET,
        key_encoding: EncodingArgument = Encoding.UTF8,
        at_least: AtLeast = UNSET,
        max_wait: MaxWait = UNSET,
    ) -> EntryConnection:
        within = _given(prefix)
        asked = PageRequest(
            b"" if within is None else info.context.key(within, key_encoding),
            _given(first),
            _edge(_given(after)),
            _given(last),
            _edge(_given(before)),
            counted="totalCount" in info.selected_names,
        )
        page = await info.context.reads.page(asked, _wait(at_least, max_wait))
        return connection(page, asked, info.context.json_values)

    @strawberry.field(description="The entry with that id; null where its key has no value.")
    async def node(self, info: OperationInfo, id: strawberry.ID) -> Node | None:  # noqa: A002
        (record,) = await info.context.reads.get_many([info.context.service.limits.key(key_of(id))])
        return entry(record, info.context.json_values)

    @strawberry.field(description="The status of the service, and how far it is behind Kafka.")
    async def status(self, info: OperationInfo) -> Status:
        return status(await info.context.reads.status(), info.context.connection.metrics.open_subscriptions())


@strawberry.type
class Subscription:
    @strawberry.subscription(
        description="Changes of keys as they arrive from Kafka: of these keys, of those with the prefix, or of all. "
        "`snapshot` sends the matching entries first; `after` resumes where another subscription stopped. "
        "With `interval`, changes come at most once every `interval` seconds, only the latest of each key; if others "
        "were left out, they come between CONFLATED and LIVE."
    )
    def updates(
        self,
        info: OperationInfo,
        keys: list[str] | None = UNSET,
        prefix: str | None = UNSET,
        key_encoding: EncodingArgument = Encoding.UTF8,
        after: CursorToken | None = UNSET,
        snapshot: bool = False,
        progress: bool = False,
        interval: float | None = UNSET,
    ) -> AsyncIterator[Update]:
        service, resume = info.context.service, info.context.connection.resume
        wanted, within, token = _given(keys), _given(prefix), _given(after)
        if resume is not None:
            token, snapshot = CursorToken(resume), False
        if wanted == []:
            raise BadInput("`keys` is empty: leave it out to watch every key.")
        if snapshot and token is not None:
            raise BadInput("`after` and `snapshot` exclude each other.")
        interest = Interest(
            None if wanted is None else frozenset(info.context.key(key, key_encoding) for key in wanted),
            None if within is None else info.context.key(within, key_encoding),
        )
        start = Start(None if token is None else service.limits.cursor(token), snapshot, progress, _given(interval))
        service.check_watch(interest, start)
        view = partial(viewed, json_values=info.context.json_values)
        return _stream(Source(lambda sink: service.updates(interest, start, sink), view, _size_of_update, updates=True))

    @strawberry.subscription(
        description="The entry of a key: its current state, then its latest state after each change."
    )
    def value(
        self, info: OperationInfo, key: str, key_encoding: EncodingArgument = Encoding.UTF8
    ) -> AsyncIterator[Entry | None]:
        latest = info.context.service.latest([info.context.key(key, key_encoding)])
        view = partial(_only_entry, json_values=info.context.json_values)
        return _stream(Source(lambda _: one_by_one(latest), view, _size_of_latest))

    @strawberry.subscription(
        description="The entry of each key: their current state, then their latest state after each change. "
        "No faster than every `interval` seconds.",
        directives=[sized_by("keys")],
    )
    def values(
        self,
        info: OperationInfo,
        keys: list[str],
        key_encoding: EncodingArgument = Encoding.UTF8,
        interval: float | None = UNSET,
    ) -> AsyncIterator[list[Entry | None]]:
        wanted = [info.context.key(key, key_encoding) for key in keys]
        latest = info.context.service.latest(wanted, _given(interval))
        view = partial(_entries, json_values=info.context.json_values)
        return _stream(Source(lambda _: one_by_one(latest), view, _size_of_latest))

    @strawberry.subscription(description="The status of the service, every `interval` seconds.")
    def status(self, info: OperationInfo, interval: float = 1) -> AsyncIterator[Status]:
        metrics = info.context.connection.metrics
        statuses = info.context.service.statuses(info.context.access, interval)

        def view(found: ServiceStatus) -> Status:
            return status(found, metrics.open_subscriptions())

        return _stream(Source(lambda _: one_by_one(statuses), view, lambda _: (1, 0)))


def _stream(source: Source[Any]) -> AsyncIterator[Any]:
    """A source, as what Strawberry takes for a subscription; the executor takes it for what it is."""
    return cast("AsyncIterator[Any]", source)


def _size_of_update(update: ServiceUpdate) -> tuple[int, int]:
    return 1, 0 if update.record is None else update.record.size_bytes


def _size_of_latest(latest: Latest) -> tuple[int, int]:
    return size_of(latest.records)


def _only_entry(latest: Latest, json_values: JsonValues) -> Entry | None:
    return entry(latest.records[0], json_values, latest.cursor)


def _entries(latest: Latest, json_values: JsonValues) -> list[Entry | None]:
    return [entry(record, json_values, latest.cursor) for record in latest.records]


def _given(argument: T | None) -> T | None:
    """An argument left out is the same as null."""
    return None if argument is UNSET else argument


def _wait(at_least: CursorToken | None, max_wait: float | None) -> Wait:
    if at_least is UNSET and max_wait is UNSET:
        return NO_WAIT
    return Wait(_given(at_least), _given(max_wait))


def _edge(cursor: str | None) -> bytes | None:
    try:
        return None if cursor is None else key_of(cursor)
    except BadKey:
        raise BadCursor("That is not a cursor of a page of entries.") from None
