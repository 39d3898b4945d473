"""The types of one table. Those of a named table have its name before theirs; all implement the `Any…` interfaces."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import strawberry

from kvs_graphql.api.context import OperationInfo
from kvs_graphql.api.costs import Cost, sized_by
from kvs_graphql.api.encodings import id_of
from kvs_graphql.api.json_values import JsonValues
from kvs_graphql.api.keys import TEXT_KEYS, Keys, json_keys, typed_keys
from kvs_graphql.api.typed.data import Data, json_field, row_field
from kvs_graphql.api.typed.inputs import InputTypes
from kvs_graphql.api.typed.outputs import OutputTypes
from kvs_graphql.api.typed.values import TypedValues
from kvs_graphql.api.types import AnyEntry, AnyRevision, AnyUpdate, AnyWrite, PageInfo
from kvs_graphql.formats import TableFormats
from kvs_graphql.records import Record
from kvs_graphql.service import CursorSource, Page, PageRequest
from kvs_graphql.service import Update as ServiceUpdate
from kvs_graphql.service import Write as ServiceWrite


@dataclass(frozen=True, slots=True)
class TableTypes:
    """The types of a table, and how its records become objects of them."""

    table: str
    """The table's name; empty for the only table of a service without a catalog."""
    entry: type[AnyEntry]
    entries: Any
    """The type of a list of entries, with null for keys that have none."""
    update: type[AnyUpdate]
    write: type[AnyWrite]
    edge: Any
    connection: Any
    formats: TableFormats
    keys: Keys
    data: Data | None
    """The typed data of values; None where they have no schema."""
    of_schemas: Callable[[], set[str]]
    """The names of the types that were made of schemas until now."""

    def entry_of(self, record: Record | None, json_values: JsonValues, at: CursorSource | None = None) -> Any:
        """The entry of a record, as of that cursor; None for none, and for a tombstone."""
        if record is None or record.value is None:
            return None
        return self.entry(record=record, json_values=json_values, cursor_source=at)

    async def prepare(self, records: Iterable[Record | None]) -> None:
        """Have whatever is needed to show the records; only of use where `needs_schemas`."""
        await _prepare(self.formats, records)

    @property
    def needs_schemas(self) -> bool:
        """Whether records have to be prepared before they are shown."""
        return self.formats.are_framed

    def preparation(
        self, records_of: Callable[[Any], Iterable[Record | None]]
    ) -> Callable[[Any], Awaitable[None]] | None:
        """What to await before showing an event that has these records; None for nothing."""
        if not self.needs_schemas:
            return None
        return lambda event: self.prepare(records_of(event))

    def update_of(self, update: ServiceUpdate, json_values: JsonValues) -> AnyUpdate:
        """An update as clients see it."""
        return self.update(update=update, json_values=json_values)

    def write_of(self, write: ServiceWrite, json_values: JsonValues) -> AnyWrite:
        """A write as clients see it."""
        return self.write(write=write, json_values=json_values)

    def page_of(self, page: Page, asked: PageRequest, json_values: JsonValues) -> Any:
        """The page as Relay wants it. On the side that a page comes from, more exists exactly if there was a bound."""
        backwards = asked.last is not None
        return self.connection(
            edges=[self.edge(node=self.entry(record=one, json_values=json_values)) for one in page.records],
            page_info=PageInfo(
                has_next_page=asked.before is not None if backwards else page.has_more,
                has_previous_page=page.has_more if backwards else asked.after is not None,
                start_cursor=id_of(page.records[0].key) if page.records else None,
                end_cursor=id_of(page.records[-1].key) if page.records else None,
            ),
            total_count=page.total_count,
        )


TEXT = TableFormats()
"""The formats of a table without any schema."""


def _record_of(change: ServiceUpdate) -> Record:
    assert change.record is not None
    return change.record


def id_prefix_of(table: str) -> bytes:
    """What the ids of a table's entries have before the key."""
    return table.encode() + b"\0" if table else b""


def table_types(
    table: str, formats: TableFormats = TEXT, json_bytes_max: int = 0, data_bytes_max: int = 0
) -> TableTypes:
    """The types of the table with that name, which may be empty.

    Keys and values are decoded up to `data_bytes_max`, and values are shown as JSON up to `json_bytes_max`.
    """
    prefix, of_id = table[:1].upper() + table[1:], id_prefix_of(table)
    outputs = OutputTypes()
    inputs = InputTypes(outputs)
    keys = _keys(formats, outputs, inputs, data_bytes_max)
    data = None if formats.value is None else Data(formats, outputs, inputs, TypedValues(formats.value, data_bytes_max))
    as_json = _json_values(formats, json_bytes_max) if data is None else JsonValues(json_bytes_max, data.values.text)
    # Annotations that are evaluated at run time, as Strawberry wants them.
    Entry: Any = _entry_type(table, prefix, formats, keys, data, as_json)  # noqa: N806

    @strawberry.type(
        name=f"{prefix}Update",
        description="One event of a subscription: a change of a key, or a marker, whose other fields are null.",
    )
    class Update(AnyUpdate):
        if keys.show is not None:
            key_data = keys.field(attrgetter("update.record"))

        @strawberry.field(description="The entry as this change left it; null for a DELETE.")
        def entry(self) -> Entry | None:
            record = self.update.record
            if record is None or record.value is None:
                return None
            return Entry(record=record, json_values=self.json_values, cursor_source=self.update.cursor_source)

    @strawberry.type(name=f"{prefix}Write", description="A write that Kafka has, on all in-sync replicas.")
    class Write(AnyWrite):
        if keys.show is not None:
            key_data = keys.field(attrgetter("write.record"))

        @strawberry.field(
            description="The entry as written, null after a delete, and without the right to read it. It may be older "
            "than an update delivered meanwhile. Its `history` waits until the service has read the record."
        )
        def entry(self) -> Entry | None:
            record, cursor = self.write.record, self.write.cursor
            if record.value is None or not self.write.is_readable:
                return None
            return Entry(record=record, json_values=self.json_values, cursor_source=cursor, is_applied=False)

    @strawberry.type(name=f"{prefix}EntryEdge")
    class Edge:
        node: Entry

        @strawberry.field(description="Pass it as `after` or `before`.")
        def cursor(self) -> str:
            return id_of(self.node.record.key)

    @strawberry.type(
        name=f"{prefix}EntryConnection", description="A page of entries, ordered by the bytes of their keys."
    )
    class Connection:
        edges: list[Edge]
        page_info: PageInfo
        total_count: int | None = strawberry.field(
            description="How many entries there are with the prefix, on all pages together; null if they are more than "
            "the service counts in one request: 10,000 by default.",
            directives=[Cost(weight="1000")],
        )

    for kind in (Entry, Update, Write):
        kind.id_prefix = of_id

    def of_schemas() -> set[str]:
        return {*outputs.names, *inputs.names}

    return TableTypes(
        table, Entry, list[Entry | None], Update, Write, Edge, Connection, formats, keys, data, of_schemas
    )


async def _prepare(formats: TableFormats, records: Iterable[Record | None]) -> None:
    there = [record for record in records if record is not None]
    await formats.prepare((record.key for record in there), (record.value for record in there))


def _keys(formats: TableFormats, outputs: OutputTypes, inputs: InputTypes, bytes_max: int) -> Keys:
    if formats.key is not None:
        return typed_keys(formats.key, outputs, inputs, bytes_max)
    return TEXT_KEYS if formats.key_json is None else json_keys(formats.key_json)


def _json_values(formats: TableFormats, bytes_max: int) -> JsonValues | None:
    json_of = formats.json_of
    return None if json_of is None else JsonValues(bytes_max, lambda record: json_of(record.value or b""))


def _entry_type(
    table: str, prefix: str, formats: TableFormats, keys: Keys, typed: Data | None, as_json: JsonValues | None
) -> type[AnyEntry]:
    """The type of a table's entries, whose history is of its revisions."""

    @strawberry.type(
        name=f"{prefix}Revision",
        description="A past record of a key: what it was set to, or that it was deleted. It has no `id`, so that "
        "caches do not take it for the entry.",
    )
    class Revision(AnyRevision):
        if typed is not None:
            data = typed.field()
        elif as_json is not None:
            data = row_field(as_json)
        if as_json is not None:
            json = json_field(as_json)

    @strawberry.type(name=f"{prefix}Entry", description="A key and its value: the last record of the key.")
    class Entry(AnyEntry):
        if keys.show is not None:
            key_data = keys.field(attrgetter("record"))
        if typed is not None:
            data = typed.field()
        elif as_json is not None:
            data = row_field(as_json)
        if as_json is not None:
            json = json_field(as_json)

        @strawberry.field(
            description="The recent changes of its key, oldest first, as far back as the service remembers them.",
            directives=[Cost(weight="10"), sized_by("last")],
        )
        async def history(self, info: OperationInfo, last: int = 10) -> list[Revision]:
            context = info.context
            changes: Iterable[ServiceUpdate] = await self.changes(context.reads(table), last)
            if formats.are_framed:
                changes = list(changes)
                await _prepare(formats, [change.record for change in changes])
            return [
                Revision(
                    kind=change.kind,
                    record=_record_of(change),
                    json_values=self.json_values,
                    cursor_source=change.cursor_source,
                )
                async for change in context.budget.in_turns(changes)
            ]

    return Entry
