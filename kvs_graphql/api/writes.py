"""The mutations. Those of one request are sent together, in the order of the document."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

import strawberry
from strawberry import UNSET

from kvs_graphql.api.context import OperationInfo
from kvs_graphql.api.costs import Cost
from kvs_graphql.api.encodings import Encoding, decode_value, id_of, show_key
from kvs_graphql.api.json_values import JsonValues
from kvs_graphql.api.scalars import CursorToken, Long
from kvs_graphql.api.types import EncodingArgument, Entry, calendar_time, entry
from kvs_graphql.service import Headers
from kvs_graphql.service import Write as ServiceWrite


@strawberry.input(description="A header of a record to be written.")
class HeaderInput:
    key: str
    value: str | None = strawberry.field(default=UNSET, description="Null for a header without a value.")
    encoding: Encoding = strawberry.field(default=Encoding.UTF8, description="How the value is written as text.")


@strawberry.type(description="A write that Kafka has, on all in-sync replicas.")
class Write:
    write: strawberry.Private[ServiceWrite]
    json_values: strawberry.Private[JsonValues]

    @strawberry.field(description="The `id` of the entry that was written; after `delete`, what caches have to forget.")
    def entry_id(self) -> strawberry.ID:
        return strawberry.ID(id_of(self.write.record.key))

    @strawberry.field(
        description="The entry as written, null after `delete`. It may be older than an update delivered meanwhile. "
        "Its `history` waits until the service has read the record."
    )
    def entry(self) -> Entry | None:
        return entry(self.write.record, self.json_values, self.write.cursor, is_applied=False)

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


HeadersArgument = Annotated[
    list[HeaderInput] | None, strawberry.argument(description="Headers of the record, in order; names may repeat.")
]


@strawberry.type(
    description="Writes go to Kafka in the order of their fields, without waiting for each other. "
    "A write that fails is null, has an error, and does not stop those after it."
)
class Mutation:
    @strawberry.mutation(
        name="set",
        description="Write a value; answered once all in-sync replicas have it.",
        directives=[Cost(weight="10")],
    )
    async def set_value(
        self,
        info: OperationInfo,
        key: str,
        value: str,
        key_encoding: EncodingArgument = Encoding.UTF8,
        value_encoding: EncodingArgument = Encoding.UTF8,
        headers: HeadersArgument = UNSET,
    ) -> Write | None:
        target, content = info.context.key(key, key_encoding), decode_value(value, value_encoding)
        return _write(info, await info.context.writes.set(target, content, _headers(headers or ())))

    @strawberry.mutation(
        description="Delete a key, by a tombstone in every partition that holds it; answered once all in-sync "
        "replicas have it. `partition`, `offset` and `timestamp` are those of the key's own partition.",
        directives=[Cost(weight="10")],
    )
    async def delete(
        self, info: OperationInfo, key: str, key_encoding: EncodingArgument = Encoding.UTF8
    ) -> Write | None:
        return _write(info, await info.context.writes.delete(info.context.key(key, key_encoding)))


def _write(info: OperationInfo, write: ServiceWrite) -> Write:
    return Write(write=write, json_values=info.context.json_values)


def _headers(headers: Iterable[HeaderInput]) -> Headers:
    return tuple((header.key, _header_value(header)) for header in headers)


def _header_value(header: HeaderInput) -> bytes | None:
    return decode_value(header.value, header.encoding) if isinstance(header.value, str) else None
