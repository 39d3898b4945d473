"""The root fields of mutations. Writes of one request are sent together, in the order of the document."""

from collections.abc import Awaitable, Iterable
from typing import Annotated, Any

import strawberry
from strawberry import UNSET
from strawberry.types.field import StrawberryField

from kvs_graphql.api.context import Operation, OperationInfo
from kvs_graphql.api.costs import Cost
from kvs_graphql.api.encodings import Encoding, decode_value
from kvs_graphql.api.fields import root_field
from kvs_graphql.api.keys import latest_of
from kvs_graphql.api.tables import TableTypes
from kvs_graphql.api.types import EncodingArgument
from kvs_graphql.records import Record
from kvs_graphql.service import Headers, Write


@strawberry.input(description="A header of a record to be written.")
class HeaderInput:
    key: str
    value: str | None = strawberry.field(default=UNSET, description="Null for a header without a value.")
    encoding: Encoding = strawberry.field(default=Encoding.UTF8, description="How the value is written as text.")


HeadersArgument = Annotated[
    list[HeaderInput] | None, strawberry.argument(description="Headers of the record, in order; names may repeat.")
]


MUTATION = (
    "Writes go to Kafka in the order of their fields, without waiting for each other. A write that fails is null, has "
    "an error, and does not stop those after it."
)


def mutation_fields(types: TableTypes) -> list[StrawberryField]:
    """The fields that write to one table."""
    table, targets = types.table, _Targets(types)
    adapted, typed, shown = types.keys.adapted, types.data, targets.shown

    async def set_value(
        self: Any,
        info: OperationInfo,
        key: str,
        value: str,
        key_encoding: EncodingArgument = Encoding.UTF8,
        value_encoding: EncodingArgument = Encoding.UTF8,
        headers: HeadersArgument = UNSET,
    ) -> Any:
        context = info.context
        content = decode_value(value, value_encoding)
        target = await targets.to_set(context, key, key_encoding)
        return await shown(context, context.writes(table).set(target, content, _headers(headers or ())))

    async def set_data(
        self: Any,
        info: OperationInfo,
        key: str,
        data: Any,
        key_encoding: EncodingArgument = Encoding.UTF8,
        headers: HeadersArgument = UNSET,
    ) -> Any:
        assert typed is not None
        context = info.context
        content = typed.encode(data)
        target = await targets.to_set(context, key, key_encoding)
        return await shown(context, context.writes(table).set(target, content, _headers(headers or ())))

    async def delete(self: Any, info: OperationInfo, key: str, key_encoding: EncodingArgument = Encoding.UTF8) -> Any:
        context = info.context
        encodings = await targets.to_delete(context, key, key_encoding)
        return await shown(context, context.writes(table).delete_all(encodings))

    return [
        root_field(
            table,
            "set",
            strawberry.mutation,
            adapted(set_value if typed is None else typed.adapted(set_data)),
            graphql_type=types.write | None,
            description="Write a value; answered once all in-sync replicas have it.",
            directives=[Cost(weight="10")],
        ),
        root_field(
            table,
            "delete",
            strawberry.mutation,
            adapted(delete),
            graphql_type=types.write | None,
            description="Delete a key, by a tombstone in every partition that holds it; answered once all in-sync "
            "replicas have it. `partition`, `offset` and `timestamp` are those of the key's own partition.",
            directives=[Cost(weight="10")],
        ),
    ]


class _Targets:
    """Which encodings of a key a write goes to; without a registry's framing there is one, and nothing is read."""

    def __init__(self, types: TableTypes) -> None:
        self._types = types
        self._keys = types.keys

    async def to_set(self, context: Operation, key: Any, encoding: Encoding) -> bytes:
        """The encoding that is there; of a key that is not, that of the served schema.

        For a principal that may not read, always the latter: it is not for it to know what is there.
        """
        if self._keys.encodings is None or not context.may_read(self._types.table):
            return self._keys.of_argument(context, key, encoding)
        encodings, there = await self._there(context, key, encoding)
        latest = latest_of(there)
        return encodings[0] if latest is None else latest.key

    async def to_delete(self, context: Operation, key: Any, encoding: Encoding) -> list[bytes]:
        """All encodings that are there, and last that of the served schema, which is deleted in any case.

        For a principal that may not read, all encodings: which of them are there is not for it to know.
        """
        if self._keys.encodings is None:
            return [self._keys.of_argument(context, key, encoding)]
        if not context.may_read(self._types.table):
            served, *others = self._keys.wanted(context, [key], encoding).all
            return [*others, served]
        encodings, there = await self._there(context, key, encoding)
        return [*(record.key for record in there if record.key != encodings[0]), encodings[0]]

    async def shown(self, context: Operation, writing: Awaitable[Write]) -> Any:
        """Wait for a write; return it as clients see it."""
        with context.budget.waiting():
            written = await writing
        if self._types.needs_schemas:
            await self._types.prepare([written.record])
        return self._types.write_of(written, context.json_values)

    async def _there(self, context: Operation, key: Any, encoding: Encoding) -> tuple[list[bytes], list[Record]]:
        """All encodings of a key, and the records of those that have a value."""
        wanted = self._keys.wanted(context, [key], encoding)
        records = await context.reads(self._types.table).get_many(wanted.all)
        return wanted.all, [record for record in records if record is not None and record.value is not None]


def _headers(headers: Iterable[HeaderInput]) -> Headers:
    return tuple((header.key, _header_value(header)) for header in headers)


def _header_value(header: HeaderInput) -> bytes | None:
    return decode_value(header.value, header.encoding) if isinstance(header.value, str) else None
