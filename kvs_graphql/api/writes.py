"""The root fields of mutations. Writes of one request are sent together, in the order of the document."""

from collections.abc import Iterable
from typing import Annotated, Any

import strawberry
from strawberry import UNSET
from strawberry.types.field import StrawberryField

from kvs_graphql.api.context import OperationInfo
from kvs_graphql.api.costs import Cost
from kvs_graphql.api.encodings import Encoding, decode_value
from kvs_graphql.api.fields import root_field
from kvs_graphql.api.tables import TableTypes
from kvs_graphql.api.types import EncodingArgument
from kvs_graphql.service import Headers


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
    table, write_of = types.table, types.write_of

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
        target, content = context.key(key, key_encoding), decode_value(value, value_encoding)
        return write_of(await context.writes(table).set(target, content, _headers(headers or ())), context.json_values)

    async def delete(self: Any, info: OperationInfo, key: str, key_encoding: EncodingArgument = Encoding.UTF8) -> Any:
        context = info.context
        written = await context.writes(table).delete(context.key(key, key_encoding))
        return write_of(written, context.json_values)

    return [
        root_field(
            table,
            "set",
            strawberry.mutation,
            set_value,
            graphql_type=types.write | None,
            description="Write a value; answered once all in-sync replicas have it.",
            directives=[Cost(weight="10")],
        ),
        root_field(
            table,
            "delete",
            strawberry.mutation,
            delete,
            graphql_type=types.write | None,
            description="Delete a key, by a tombstone in every partition that holds it; answered once all in-sync "
            "replicas have it. `partition`, `offset` and `timestamp` are those of the key's own partition.",
            directives=[Cost(weight="10")],
        ),
    ]


def _headers(headers: Iterable[HeaderInput]) -> Headers:
    return tuple((header.key, _header_value(header)) for header in headers)


def _header_value(header: HeaderInput) -> bytes | None:
    return decode_value(header.value, header.encoding) if isinstance(header.value, str) else None
