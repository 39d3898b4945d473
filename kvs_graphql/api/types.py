"""What all tables' types have in common: the interfaces that they implement."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, ClassVar, cast

import strawberry
from strawberry.scalars import JSON

from kvs_graphql.api.costs import Cost, sized_by
from kvs_graphql.api.encodings import Encoding, id_of, show_key, show_value
from kvs_graphql.api.fields import IN_TURNS
from kvs_graphql.api.json_values import JsonValues
from kvs_graphql.api.scalars import CursorToken, Long
from kvs_graphql.records import Record, decode_headers
from kvs_graphql.service import CursorSource, Kind, Reads
from kvs_graphql.service import Update as ServiceUpdate
from kvs_graphql.service import Write as ServiceWrite

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

strawberry.enum(Kind, name="UpdateKind", description="The kind of an update.")
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


@strawberry.interface(description="An entry of any table: a key and its value, the last record of the key.")
class AnyEntry(Node):
    id_prefix: ClassVar[bytes] = b""
    """What the id has before the key: the table's name and a zero byte, where tables have names."""
    record: strawberry.Private[Record]
    json_values: strawberry.Private[JsonValues]
    cursor_source: strawberry.Private[CursorSource | None] = None
    """Where it was read or changed; None where that is the snapshot of its request."""
    is_applied: strawberry.Private[bool] = True
    """Whether the table has read its record; false for one that was only just written."""

    @strawberry.field(description="The base64url of the key's exact bytes, after the table's name where it has one.")
    def id(self) -> strawberry.ID:
        return strawberry.ID(id_of(self.id_prefix + self.record.key))

    @strawberry.field(description="The key; bytes that are not UTF-8 show as \\xNN.")
    def key(self, encoding: EncodingArgument = Encoding.UTF8) -> str:
        return show_key(self.record.key, encoding)

    @strawberry.field(description="The value as text; null with the error NOT_UTF8 if its bytes are not valid UTF-8.")
    def value(self, encoding: EncodingArgument = Encoding.UTF8) -> str | None:
        return show_value(self.record.value or b"", encoding)

    @strawberry.field(
        description="The value, or the part of it at a JSON Pointer (RFC 6901); null if there is nothing.",
        directives=[Cost(weight="5")],
        metadata=IN_TURNS,
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
    async def history(self, last: int = 10) -> list["AnyRevision"]:
        raise NotImplementedError

    async def changes(self, reads: Reads, last: int) -> Iterator[ServiceUpdate]:
        """The recent changes of the key, as far as the request that shows the entry sees them."""
        until = None if self.cursor_source is None else self.cursor_source.cursor_at(self.record)
        if until is not None and not self.is_applied:
            await reads.applied(until)
        return await reads.history(self.record.key, last, until)

    @property
    def _value(self) -> bytes:
        return self.record.value or b""


@strawberry.interface(
    description="A past record of a key, of any table: what it was set to, or that it was deleted. It has no `id`, so "
    "that caches do not take it for the entry."
)
class AnyRevision:
    kind: Kind = strawberry.field(description="SET or DELETE.")
    record: strawberry.Private[Record]
    json_values: strawberry.Private[JsonValues]
    cursor_source: strawberry.Private[CursorSource]

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
        metadata=IN_TURNS,
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


@strawberry.interface(
    description="One event of a subscription to any table: a change of a key, or a marker, whose other fields are null."
)
class AnyUpdate:
    id_prefix: ClassVar[bytes] = b""
    update: strawberry.Private[ServiceUpdate]
    json_values: strawberry.Private[JsonValues]

    @strawberry.field
    def kind(self) -> Kind:
        return self.update.kind

    @strawberry.field(description="The `id` of the entry that changed; after a DELETE, what caches have to forget.")
    def entry_id(self) -> strawberry.ID | None:
        record = self.update.record
        return None if record is None else strawberry.ID(id_of(self.id_prefix + record.key))

    @strawberry.field
    def key(self, encoding: EncodingArgument = Encoding.UTF8) -> str | None:
        record = self.update.record
        return None if record is None else show_key(record.key, encoding)

    @strawberry.field(description="The entry as this change left it; null for a DELETE.")
    def entry(self) -> AnyEntry | None:
        raise NotImplementedError

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


@strawberry.interface(description="A write to any table that Kafka has, on all in-sync replicas.")
class AnyWrite:
    id_prefix: ClassVar[bytes] = b""
    write: strawberry.Private[ServiceWrite]
    json_values: strawberry.Private[JsonValues]

    @strawberry.field(description="The `id` of the entry that was written; after `delete`, what caches have to forget.")
    def entry_id(self) -> strawberry.ID:
        return strawberry.ID(id_of(self.id_prefix + self.write.record.key))

    @strawberry.field(description="The entry as written; null after a delete.")
    def entry(self) -> AnyEntry | None:
        raise NotImplementedError

    @strawberry.field(description="The key; bytes that are not UTF-8 show as \\xNN.")
    def key(self, encoding: EncodingArgument = Encoding.UTF8) -> str:
        return show_key(self.write.record.key, encoding)

    @strawberry.field
    def partition(self) -> int:
        return self.write.record.partition

    @strawberry.field
    def offset(self) -> Long:
        return Long(self.write.record.offset)

    @strawberry.field(description="The record's time; null where it cannot be represented.")
    def timestamp(self) -> datetime | None:
        return calendar_time(self.write.record.timestamp)

    @strawberry.field(
        description="The position just after this write: what a read `atLeast` and `updates` `after` take."
    )
    def cursor(self) -> CursorToken:
        return CursorToken(self.write.cursor.encode())


@strawberry.type
class PageInfo:
    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None
