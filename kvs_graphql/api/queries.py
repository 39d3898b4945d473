"""The root fields of queries: each decodes its arguments, reads, and wraps what comes back."""

from collections.abc import Sequence
from typing import Any

import strawberry
from strawberry import UNSET
from strawberry.types.field import StrawberryField

from kvs_graphql.api.context import Operation, OperationInfo, SelectionInfo
from kvs_graphql.api.costs import sized_by
from kvs_graphql.api.encodings import Encoding, key_of
from kvs_graphql.api.fields import AtLeast, MaxWait, given, root_field
from kvs_graphql.api.scalars import CursorToken
from kvs_graphql.api.status import Status, status
from kvs_graphql.api.tables import TableTypes
from kvs_graphql.api.types import EncodingArgument, Node
from kvs_graphql.errors import BadCursor, BadKey
from kvs_graphql.records import Record
from kvs_graphql.service import NO_WAIT, PageRequest, Wait


def query_fields(types: TableTypes) -> list[StrawberryField]:
    """The fields that read one table."""
    table, entry_of, page_of = types.table, types.entry_of, types.page_of
    key_of, adapted = types.keys.of_argument, types.keys.adapted
    needs_schemas, has_encodings = types.needs_schemas, types.keys.encodings is not None

    async def latest(context: Operation, keys: list[Any], encoding: Encoding, wait: Wait) -> list[Record | None]:
        wanted = types.keys.wanted(context, keys, encoding)
        return wanted.latest(await context.reads(table).get_many(wanted.all, wait))

    async def value(
        self: Any,
        info: OperationInfo,
        key: str,
        key_encoding: EncodingArgument = Encoding.UTF8,
        at_least: AtLeast = UNSET,
        max_wait: MaxWait = UNSET,
    ) -> Any:
        context = info.context
        if has_encodings:
            (record,) = await latest(context, [key], key_encoding, _wait(at_least, max_wait))
        else:
            wanted = [key_of(context, key, key_encoding)]
            (record,) = await context.reads(table).get_many(wanted, _wait(at_least, max_wait))
        if needs_schemas:
            await types.prepare([record])
        return entry_of(record, context.json_values)

    async def values(
        self: Any,
        info: OperationInfo,
        keys: list[str],
        key_encoding: EncodingArgument = Encoding.UTF8,
        at_least: AtLeast = UNSET,
        max_wait: MaxWait = UNSET,
    ) -> Any:
        context, json_values = info.context, info.context.json_values
        if has_encodings:
            records = await latest(context, keys, key_encoding, _wait(at_least, max_wait))
        else:
            wanted = [key_of(context, key, key_encoding) for key in keys]
            records = await context.reads(table).get_many(wanted, _wait(at_least, max_wait))
        if needs_schemas:
            await types.prepare(records)
        return [entry_of(record, json_values) for record in records]

    async def entries(  # noqa: PLR0913, PLR0917 - one for each argument of the field
        self: Any,
        info: SelectionInfo,
        prefix: str | None = UNSET,
        first: int | None = UNSET,
        after: str | None = UNSET,
        last: int | None = UNSET,
        before: str | None = UNSET,
        key_encoding: EncodingArgument = Encoding.UTF8,
        at_least: AtLeast = UNSET,
        max_wait: MaxWait = UNSET,
    ) -> Any:
        context, within = info.context, given(prefix)
        asked = PageRequest(
            b"" if within is None else context.key(within, key_encoding),
            given(first),
            _edge(given(after)),
            given(last),
            _edge(given(before)),
            counted="totalCount" in info.selected_names,
        )
        page = await context.reads(table).page(asked, _wait(at_least, max_wait))
        if needs_schemas:
            await types.prepare(page.records)
        return page_of(page, asked, context.json_values)

    return [
        root_field(
            table,
            "value",
            strawberry.field,
            adapted(value),
            graphql_type=types.entry | None,
            description="The entry of a key; null where there is none.",
        ),
        root_field(
            table,
            "values",
            strawberry.field,
            adapted(values),
            graphql_type=types.entries,
            description="The entry of each key, in the order of the keys; null where there is none.",
            directives=[sized_by("keys")],
        ),
        root_field(
            table,
            "entries",
            strawberry.field,
            adapted(entries),
            graphql_type=types.connection,
            description="A page of entries in byte order of their keys; `first` defaults to 100.",
            directives=[sized_by("first", "last", assumed=100, fields=["edges"])],
        ),
    ]


def shared_query_fields(tables: Sequence[TableTypes]) -> list[StrawberryField]:
    """The fields of all tables together."""
    types_of = {types.table: types for types in tables}

    async def node(self: Any, info: OperationInfo, id: strawberry.ID) -> Any:  # noqa: A002
        context = info.context
        table, key = _located(key_of(id), types_of)
        (record,) = await context.reads(table).get_many([context.catalog.limits.key(key)])
        types = types_of[table]
        if types.needs_schemas:
            await types.prepare([record])
        return types.entry_of(record, context.json_values)

    async def status_(self: Any, info: OperationInfo) -> Status:
        context = info.context
        return status(
            await context.catalog.status(context.access, context.reads), context.connection.metrics.open_subscriptions()
        )

    return [
        root_field(
            "",
            "node",
            strawberry.field,
            node,
            graphql_type=Node | None,
            description="The entry with that id; null where its key has no value.",
        ),
        root_field(
            "",
            "status",
            strawberry.field,
            status_,
            description="The status of the service, and how far its tables are behind Kafka.",
        ),
    ]


def _located(raw: bytes, tables: dict[str, TableTypes]) -> tuple[str, bytes]:
    """The table and the key that the bytes of an id name. Raises: BadKey: There is no such table."""
    if "" in tables:
        return "", raw
    name, end, key = raw.partition(b"\0")
    table = next((table for table in tables if end and table.encode() == name), None)
    if table is None:
        raise BadKey("That is not an id of this service.")
    return table, key


def _wait(at_least: CursorToken | None, max_wait: float | None) -> Wait:
    if at_least is UNSET and max_wait is UNSET:
        return NO_WAIT
    return Wait(given(at_least), given(max_wait))


def _edge(cursor: str | None) -> bytes | None:
    try:
        return None if cursor is None else key_of(cursor)
    except BadKey:
        raise BadCursor("That is not a cursor of a page of entries.") from None
