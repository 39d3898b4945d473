"""The types of the schema."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated, cast

import strawberry
from strawberry.scalars import JSON

from kvs_graphql import __version__
from kvs_graphql.api.context import OperationInfo
from kvs_graphql.api.costs import Cost, sized_by
from kvs_graphql.api.encodings import Encoding, id_of, show_key, show_value
from kvs_graphql.api.json_values import JsonValues
from kvs_graphql.api.scalars import CursorToken, Long
from kvs_graphql.records import Record, decode_headers
from kvs_graphql.service import CursorSource, Kind, Page, PageRequest, State
from kvs_graphql.service import PartitionStatus as ServicePartitionStatus
from kvs_graphql.service import Status as ServiceStatus
from kvs_graphql.service import Update as ServiceUpdate

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

strawberry.enum(Kind, name="UpdateKind", description="The kind of an update.")
strawberry.enum(State, description="What the service's consumer is doing.")
EncodingArgument = Annotated[Encoding, strawberry.argument(description="How the bytes are written as text.")]


def calendar_time(timestamp_ms: int | None) -> datetime | None:
    """A record's time; None where Kafka has none, or one that a calendar does not."""
    try:
        return None if timestamp_ms is None else _EPOCH + timestamp_ms * _MILLISECOND
    except OverflowError:
        return None


@strawberry.interface(description="An object with an identity that never changes.")
class Node:
    @strawberry.field
    def id(self) -> strawberry.ID:
        raise NotImplementedError


@strawberry.type(description="A header of a record.")
class Header:
    key: str
    raw: strawberry.Private[bytes | None]

    @strawberry.field(description="Null where the header has no value.")
    def value(self, encoding: EncodingArgument = Encoding.UTF8) -> str | None:
        return None if self.raw is None else show_value(self.raw, encoding)


def headers_of(record: Record) -> list[Header]:
    """The headers of a record, in order."""
    return [Header(key=key, raw=value) for key, value in decode_headers(record.headers)]


@strawberry.type(description="A key and its value: the last record of the key.")
class Entry(Node):
    record: strawberry.Private[Record]
    json_values: strawberry.Private[JsonValues]
    cursor_source: strawberry.Private[CursorSource | None] = None
    """Where it was read or changed; None where that is the snapshot of its request."""
    is_applied: strawberry.Private[bool] = True
    """Whether the table has read its record; false for one that was only just written."""

    @strawberry.field(description="The base64url of the key's exact bytes.")
    def id(self) -> strawberry.ID:
        return strawberry.ID(id_of(self.record.key))

    @strawberry.field(description="The key; bytes that are not UTF-8 show as \\xNN.")
    def key(self, encoding: EncodingArgument = Encoding.UTF8) -> str:
        return show_key(self.record.key, encoding)

    @strawberry.field(description="The value as text; null with the error NOT_UTF8 if its bytes are not valid UTF-8.")
    def value(self, encoding: EncodingArgument = Encoding.UTF8) -> str | None:
        return show_value(self.record.value or b"", encoding)

    @strawberry.field(
        description="The value, or the part of it at a JSON Pointer (RFC 6901); null if there is nothing.",
        directives=[Cost(weight="5")],
    )
    def json(self, pointer: str = "") -> JSON | None:
        return cast("JSON | None", self.json_values.part(self.record, pointer))

    @strawberry.field(description="The number of bytes of the value.")
    def size(self) -> int:
        return len(self._value)

    @strawberry.field
    def partition(self) -> int:
        return self.record.partition

    @strawberry.field
    def offset(self) -> Long:
        return Long(self.record.offset)

    @strawberry.field(description="The record's time; null where Kafka has none, or none that can be represented.")
    def timestamp(self) -> datetime | None:
        return calendar_time(self.record.timestamp)

    @strawberry.field(directives=[sized_by(assumed=10)])
    def headers(self) -> list[Header]:
        return headers_of(self.record)

    @strawberry.field(
        description="The recent changes of its key, oldest first, as far back as the service remembers them.",
        directives=[Cost(weight="10"), sized_by("last")],
    )
    async def history(self, info: OperationInfo, last: int = 10) -> "list[Revision]":
        until = None if self.cursor_source is None else self.cursor_source.cursor_at(self.record)
        context = info.context
        if until is not None and not self.is_applied:
            await context.reads.applied(until)
        changes = await context.reads.history(self.record.key, last, until)
        return [Revision.of(change, self.json_values) async for change in context.budget.in_turns(changes)]

    @property
    def _value(self) -> bytes:
        return self.record.value or b""


def entry(
    record: Record | None,
    json_values: JsonValues,
    cursor_source: CursorSource | None = None,
    *,
    is_applied: bool = True,
) -> Entry | None:
    """The entry of a record, as of that cursor; None for none, and for a tombstone."""
    if record is None or record.is_tombstone:
        return None
    return Entry(record=record, json_values=json_values, cursor_source=cursor_source, is_applied=is_applied)


@strawberry.type(
    description="A past record of a key: what it was set to, or that it was deleted. It has no `id`, so that caches do "
    "not take it for the entry."
)
class Revision:
    kind: Kind = strawberry.field(description="SET or DELETE.")
    record: strawberry.Private[Record]
    json_values: strawberry.Private[JsonValues]
    cursor_source: strawberry.Private[CursorSource]

    @classmethod
    def of(cls, change: ServiceUpdate, json_values: JsonValues) -> "Revision":
        """A change of the past as clients see it."""
        record = change.record
        assert record is not None
        return cls(kind=change.kind, record=record, json_values=json_values, cursor_source=change.cursor_source)

    @strawberry.field(
        description="The value as text; null for a DELETE, and with the error NOT_UTF8 if its bytes are not UTF-8."
    )
    def value(self, encoding: EncodingArgument = Encoding.UTF8) -> str | None:
        value = self.record.value
        return None if value is None else show_value(value, encoding)

    @strawberry.field(
        description="The value, or the part of it at a JSON Pointer (RFC 6901); null for a DELETE, and if there is "
        "nothing.",
        directives=[Cost(weight="5")],
    )
    def json(self, pointer: str = "") -> JSON | None:
        return None if self.record.is_tombstone else cast("JSON", self.json_values.part(self.record, pointer))

    @strawberry.field(description="The number of bytes of the value; 0 for a DELETE.")
    def size(self) -> int:
        return len(self.record.value or b"")

    @strawberry.field(directives=[sized_by(assumed=10)])
    def headers(self) -> list[Header]:
        return headers_of(self.record)

    @strawberry.field
    def partition(self) -> int:
        return self.record.partition

    @strawberry.field
    def offset(self) -> Long:
        return Long(self.record.offset)

    @strawberry.field(description="The record's time; null where Kafka has none, or none that can be represented.")
    def timestamp(self) -> datetime | None:
        return calendar_time(self.record.timestamp)

    @strawberry.field(description="A position just after this record: subscribe `after` it for the later ones.")
    def cursor(self) -> CursorToken:
        return CursorToken(self.cursor_source.token_at(self.record))


@strawberry.type
class PageInfo:
    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@strawberry.type
class EntryEdge:
    node: Entry

    @strawberry.field(description="Pass it as `after` or `before`.")
    def cursor(self) -> str:
        return id_of(self.node.record.key)


@strawberry.type(description="A page of entries, ordered by the bytes of their keys.")
class EntryConnection:
    edges: list[EntryEdge]
    page_info: PageInfo
    total_count: int | None = strawberry.field(
        description="How many entries there are with the prefix, on all pages together; null if they are more than "
        "the service counts in one request: 10,000 by default.",
        directives=[Cost(weight="1000")],
    )


def connection(page: Page, asked: PageRequest, json_values: JsonValues) -> EntryConnection:
    """The page as Relay wants it. On the side that a page comes from, more exists exactly if there was a bound."""
    backwards = asked.last is not None
    return EntryConnection(
        edges=[EntryEdge(node=Entry(record=record, json_values=json_values)) for record in page.records],
        page_info=PageInfo(
            has_next_page=asked.before is not None if backwards else page.has_more,
            has_previous_page=page.has_more if backwards else asked.after is not None,
            start_cursor=id_of(page.records[0].key) if page.records else None,
            end_cursor=id_of(page.records[-1].key) if page.records else None,
        ),
        total_count=page.total_count,
    )


@strawberry.type(
    description="One event of a subscription: a change of a key, or a marker, whose other fields are null."
)
class Update:
    update: strawberry.Private[ServiceUpdate]
    json_values: strawberry.Private[JsonValues]

    @strawberry.field
    def kind(self) -> Kind:
        return self.update.kind

    @strawberry.field(description="The `id` of the entry that changed; after a DELETE, what caches have to forget.")
    def entry_id(self) -> strawberry.ID | None:
        record = self.update.record
        return None if record is None else strawberry.ID(id_of(record.key))

    @strawberry.field
    def key(self, encoding: EncodingArgument = Encoding.UTF8) -> str | None:
        record = self.update.record
        return None if record is None else show_key(record.key, encoding)

    @strawberry.field(description="The entry as this change left it; null for a DELETE.")
    def entry(self) -> Entry | None:
        return entry(self.update.record, self.json_values, self.update.cursor_source)

    @strawberry.field(description="The position just after this update: subscribe `after` it to go on.")
    def cursor(self) -> CursorToken:
        return CursorToken(self.update.token())

    @strawberry.field
    def partition(self) -> int | None:
        record = self.update.record
        return None if record is None else record.partition

    @strawberry.field
    def offset(self) -> Long | None:
        record = self.update.record
        return None if record is None else Long(record.offset)

    @strawberry.field
    def timestamp(self) -> datetime | None:
        record = self.update.record
        return None if record is None else calendar_time(record.timestamp)


def viewed(update: ServiceUpdate, json_values: JsonValues) -> Update:
    """An update as clients see it."""
    return Update(update=update, json_values=json_values)


@strawberry.type(description="How far the table has read one partition.")
class PartitionStatus:
    partition: int
    position: Long = strawberry.field(description="The offset to be read next.")
    end_offset: Long = strawberry.field(description="The end of what is committed: the last stable offset.")
    lag: Long = strawberry.field(description="Committed in Kafka and not applied yet.")
    held_back: Long = strawberry.field(description="In the log, and held back by transactions that are still open.")


@strawberry.type(description="What the service stores.")
class Sizes:
    database_bytes: Long
    window_changes: int = strawberry.field(description="Recent changes kept for resuming.")


@strawberry.type(description="The status of the service.")
class Status:
    topic: str
    compacted: bool | None = strawberry.field(
        description="Whether Kafka compacts the topic; null before the first metadata refresh, or if Kafka does not "
        "tell. If not, entries remain after Kafka has dropped their records."
    )
    ready: bool = strawberry.field(description="Whether the table has caught up with Kafka, and is not being rebuilt.")
    state: State
    reason: str = strawberry.field(description="The state in words.")
    since: datetime = strawberry.field(description="When that state began.")
    entries: int = strawberry.field(description="How many keys have a value; counted once a second at most.")
    cursor: CursorToken
    lag: Long
    partitions: list[PartitionStatus] = strawberry.field(directives=[sized_by(assumed=10)])
    sizes: Sizes
    subscribers: int = strawberry.field(description="Open subscriptions of all clients, over all transports.")
    version: str


def status(found: ServiceStatus, subscribers: int) -> Status:
    """The status as clients see it."""
    return Status(
        topic=found.topic,
        compacted=found.compacted,
        ready=found.ready,
        state=found.moment.state,
        reason=found.moment.reason,
        since=found.moment.since,
        entries=found.entries,
        cursor=CursorToken(found.cursor.encode()),
        lag=Long(found.lag),
        partitions=list(_partitions(found.partitions)),
        sizes=Sizes(database_bytes=Long(found.sizes.database_bytes), window_changes=found.sizes.window_changes),
        subscribers=subscribers,
        version=__version__,
    )


def _partitions(found: Iterable[ServicePartitionStatus]) -> Iterable[PartitionStatus]:
    for one in found:
        yield PartitionStatus(
            partition=one.partition,
            position=Long(one.position),
            end_offset=Long(one.end_offset),
            lag=Long(one.lag),
            held_back=Long(one.held_back),
        )
