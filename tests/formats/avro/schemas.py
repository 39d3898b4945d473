"""Schemas for tests, and values that fastavro writes by them."""

import json
from io import BytesIO
from typing import Any

import fastavro

from kvs_graphql.formats.avro import AvroCodec, avro_codec
from kvs_graphql.formats.codec import SchemaText
from kvs_graphql.formats.errors import BadSchema
from kvs_graphql.formats.limits import FormatLimits

ROOMY = FormatLimits()


def text(schema: Any, **references: "SchemaText") -> SchemaText:
    """The text of a schema, with texts by the names that it uses."""
    return SchemaText("avro", json.dumps(schema), tuple(references.items()))


def record(*fields: Any, name: str = "com.shop.Order", **others: Any) -> dict[str, Any]:
    """A record; a field is a name with a type, or all that it has."""
    named = [field if isinstance(field, dict) else {"name": field[0], "type": field[1]} for field in fields]
    return {"type": "record", "name": name, "fields": named, **others}


def logical(kind: str, logical_type: str, **others: Any) -> dict[str, Any]:
    """A type with a meaning."""
    return {"type": kind, "logicalType": logical_type, **others}


def codec(schema: Any, limits: FormatLimits = ROOMY, reserved: frozenset[str] = frozenset()) -> AvroCodec:
    """The codec of a schema whose root is called Orders."""
    return avro_codec(schema if isinstance(schema, SchemaText) else text(schema), "Orders", reserved, limits)


def written(schema: Any, value: Any) -> bytes:
    """The bytes that fastavro writes."""
    stream = BytesIO()
    fastavro.schemaless_writer(stream, fastavro.parse_schema(schema), value)
    return stream.getvalue()


def decoded(schema: Any, payload: bytes, writer: Any = None, limits: FormatLimits = ROOMY) -> Any:
    """A value that was written with a schema, which is the reader's unless it is given."""
    reader = codec(schema, limits)
    return reader.decode(payload, reader.parse(text(schema if writer is None else writer)))


def cannot_read(reader: Any, writer: Any) -> str | None:
    """Why a schema cannot read another one."""
    try:
        codec(reader).parse(text(writer))
    except BadSchema as error:
        return str(error).removeprefix("values of this schema cannot be read: ")
    return None
