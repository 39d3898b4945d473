"""Codecs of texts, and messages written by Protobuf's own library."""

from typing import Any

from google.protobuf import json_format
from google.protobuf.message_factory import GetMessageClass

from kvs_graphql.formats.codec import SchemaText
from kvs_graphql.formats.limits import FormatLimits
from kvs_graphql.formats.protobuf import ProtobufCodec, ProtobufSchema, protobuf_codec
from kvs_graphql.formats.protobuf.protoc import compile_schema
from tests.formats.data import data

LIMITS = FormatLimits()


def schema(text: str, **references: str) -> SchemaText:
    """A schema; references are by their paths without `.proto`."""
    return SchemaText("protobuf", text, tuple((f"{path}.proto", schema(one)) for path, one in references.items()))


def codec(text: str, name: str = "Orders", limits: FormatLimits = LIMITS, **options: Any) -> ProtobufCodec:
    return protobuf_codec(schema(text), name, frozenset(), limits, **options)


def linked(text: str) -> ProtobufSchema:
    return ProtobufSchema(compile_schema(schema(text), LIMITS))


def written(text: str, value: dict[str, Any], message: str = "") -> bytes:
    """A value in Protobuf's JSON mapping, as a message of the text."""
    one = linked(text)
    made = GetMessageClass(one.root(message))()
    json_format.ParseDict(value, made, descriptor_pool=one.pool)
    return bytes(made.SerializeToString())


def shown(text: str, value: dict[str, Any]) -> Any:
    """What `data` shows of a value in Protobuf's JSON mapping."""
    made = codec(text)
    return data(made.shape, made.decode(written(text, value), made.parse(schema(text))))
