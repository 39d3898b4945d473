"""Formats of keys and values: pure functions between bytes, decoded values and their shapes."""

from kvs_graphql.formats.codec import Codec, SchemaText, schema_from_json, schema_to_json
from kvs_graphql.formats.debezium import json_envelope, json_op, json_payload
from kvs_graphql.formats.errors import BadSchema, DoesNotFit, Undecodable
from kvs_graphql.formats.limits import FormatLimits
from kvs_graphql.formats.loading import cannot_read, load_codec, load_op_reader
from kvs_graphql.formats.plain import plain_codec
from kvs_graphql.formats.shapes import (
    Choice,
    Enumeration,
    EnumValue,
    Field,
    Many,
    Member,
    Scalar,
    ScalarKind,
    Shape,
    Struct,
)
from kvs_graphql.formats.values import KeyFormat, SchemaFormat, TableFormats

__all__ = [
    "BadSchema",
    "Choice",
    "Codec",
    "DoesNotFit",
    "EnumValue",
    "Enumeration",
    "Field",
    "FormatLimits",
    "KeyFormat",
    "Many",
    "Member",
    "Scalar",
    "ScalarKind",
    "SchemaFormat",
    "SchemaText",
    "Shape",
    "Struct",
    "TableFormats",
    "Undecodable",
    "cannot_read",
    "json_envelope",
    "json_op",
    "json_payload",
    "load_codec",
    "load_op_reader",
    "plain_codec",
    "schema_from_json",
    "schema_to_json",
]
