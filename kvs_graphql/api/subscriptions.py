"""The root fields of subscriptions: each decodes its arguments, and says where its events come from."""

from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from typing import Any, NamedTuple

import strawberry
from strawberry import UNSET
from strawberry.types.field import StrawberryField

from kvs_graphql.api.context import OperationInfo
from kvs_graphql.api.costs import sized_by
from kvs_graphql.api.encodings import Encoding
from kvs_graphql.api.fields import given, root_field
from kvs_graphql.api.keys import Wanted
from kvs_graphql.api.scalars import CursorToken
from kvs_graphql.api.sources import Source, one_by_one, size_of
from kvs_graphql.api.status import Status, status
from kvs_graphql.api.tables import TableTypes
from kvs_graphql.api.types import EncodingArgument
from kvs_graphql.errors import BadInput
from kvs_graphql.records import Interest
from kvs_graphql.service import Latest, Sink, Start
from kvs_graphql.service import Status as ServiceStatus
from kvs_graphql.service import Update as ServiceUpdate


class _Latest(NamedTuple):
    """What was found, and of which keys."""

    wanted: Wanted
    found: Latest


# Resolvers return a `Source`, which the executor reads. Strawberry only needs the type of the events.


def subscription_fields(types: TableTypes) -> list[StrawberryField]:
    """The fields that watch one table."""
    name, entry_of, update_of = types.table, types.entry_of, types.update_of
    key_of, keys_of, adapted = types.keys.of_argument, types.keys.wanted, types.keys.adapted
    has_encodings = types.keys.encodings is not None

    of_update = types.preparation(lambda update: (update.record,))
    of_latest = types.preparation(lambda event: event.found.records)

    def updates(
        self: Any,
        info: OperationInfo,
        keys: list[str] | None = UNSET,
        prefix: str | None = UNSET,
        key_encoding: EncodingArgument = Encoding.UTF8,
        after: CursorToken | None = UNSET,
        snapshot: bool = False,
        progress: bool = False,
        interval: float | None = UNSET,
    ) -> Any:
        context = info.context
        table, resume = context.catalog.tables[name], context.connection.resume
        wanted, within, token = given(keys), given(prefix), given(after)
        if resume is not None:
            token, snapshot = CursorToken(resume), False
        if wanted == []:
            raise BadInput("`keys` is empty: leave it out to watch every key.")
        if snapshot and token is not None:
            raise BadInput("`after` and `snapshot` exclude each other.")

        def interest_now() -> Interest:
            return Interest(
                None if wanted is None else frozenset(keys_of(context, wanted, key_encoding).all),
                None if within is None else key_of(context, within, key_encoding),
            )

        interest, again = interest_now(), interest_now if has_encodings and wanted is not None else None
        cursor = None if token is None else table.limits.cursor(token, name)
        start = Start(cursor, snapshot, progress, given(interval))
        table.check_watch(interest, start)
        json_values = context.json_values
        return Source(
            lambda sink: table.updates(context.access, interest, start, sink, again),
            lambda update: update_of(update, json_values),
            _size_of_update,
            updates=True,
            prepare=of_update,
        )

    def value(self: Any, info: OperationInfo, key: str, key_encoding: EncodingArgument = Encoding.UTF8) -> Any:
        context, json_values = info.context, info.context.json_values
        table = context.catalog.tables[name]
        pages = _latest(
            lambda: keys_of(context, [key], key_encoding), lambda wanted: table.latest(context.access, wanted)
        )

        def view(event: _Latest) -> Any:
            (record,) = event.wanted.latest(event.found.records)
            return entry_of(record, json_values, event.found.cursor)

        return Source(pages, view, _size_of_latest, prepare=of_latest)

    def values(
        self: Any,
        info: OperationInfo,
        keys: list[str],
        key_encoding: EncodingArgument = Encoding.UTF8,
        interval: float | None = UNSET,
    ) -> Any:
        context, json_values = info.context, info.context.json_values
        table, pause = context.catalog.tables[name], given(interval)
        pages = _latest(
            lambda: keys_of(context, keys, key_encoding), lambda wanted: table.latest(context.access, wanted, pause)
        )

        def view(event: _Latest) -> Any:
            wanted, found = event
            return [entry_of(record, json_values, found.cursor) for record in wanted.latest(found.records)]

        return Source(pages, view, _size_of_latest, prepare=of_latest)

    return [
        root_field(
            name,
            "updates",
            strawberry.subscription,
            adapted(updates),
            graphql_type=types.update,
            description="Changes of keys as they arrive from Kafka: of these keys, of those with the prefix, or of "
            "all. `snapshot` sends the matching entries first; `after` resumes where another subscription stopped. "
            "With `interval`, changes come at most once every `interval` seconds, only the latest of each key; if "
            "others were left out, they come between CONFLATED and LIVE.",
        ),
        root_field(
            name,
            "value",
            strawberry.subscription,
            adapted(value),
            graphql_type=types.entry | None,
            description="The entry of a key: its current state, then its latest state after each change.",
        ),
        root_field(
            name,
            "values",
            strawberry.subscription,
            adapted(values),
            graphql_type=types.entries,
            description="The entry of each key: their current state, then their latest state after each change. "
            "No faster than every `interval` seconds.",
            directives=[sized_by("keys")],
        ),
    ]


def shared_subscription_fields() -> list[StrawberryField]:
    """The fields of all tables together."""

    def status_(self: Any, info: OperationInfo, interval: float = 1) -> Any:
        metrics = info.context.connection.metrics
        statuses = info.context.catalog.statuses(info.context.access, interval)

        def view(found: ServiceStatus) -> Status:
            return status(found, metrics.open_subscriptions())

        return Source(lambda _: one_by_one(statuses), view, lambda found: (len(found.tables), 0))

    return [
        root_field(
            "",
            "status",
            strawberry.subscription,
            status_,
            graphql_type=Status,
            description="The status of the service, every `interval` seconds.",
        )
    ]


def _size_of_update(update: ServiceUpdate) -> tuple[int, int]:
    return 1, 0 if update.record is None else update.record.size_bytes


def _latest(
    name: Callable[[], Wanted], latest_of: Callable[[list[bytes]], AsyncGenerator[Latest, None]]
) -> Callable[[Sink | None], AsyncGenerator[Iterable[_Latest], None]]:
    """The latest records of keys, which are named again whenever there is one more encoding of them."""
    first = name()
    events_of_first = latest_of(first.all)

    async def pages(_: Sink | None) -> AsyncGenerator[Iterable[_Latest], None]:
        wanted, events = first, events_of_first
        while True:
            async with aclosing(events):
                async for found in events:
                    yield (_Latest(wanted, found),)
            wanted = name()
            events = latest_of(wanted.all)

    return pages


def _size_of_latest(event: _Latest) -> tuple[int, int]:
    return size_of(event.found.records)
