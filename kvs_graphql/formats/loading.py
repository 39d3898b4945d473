"""Loads the codecs of formats with a schema, whose libraries are an extra and not loaded before a table needs them."""

from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from types import ModuleType

from kvs_graphql.formats.codec import Codec, SchemaText
from kvs_graphql.formats.errors import BadSchema
from kvs_graphql.formats.limits import FormatLimits

FORMATS = ("avro", "protobuf", "json_schema")


def load_codec(
    schema: SchemaText,
    name: str,
    reserved: frozenset[str],
    limits: FormatLimits,
    *,
    message: str = "",
    is_framed: bool = False,
    envelope: bool = False,
) -> Codec:
    """The codec of a schema.

    Args:
        name: The root's name in GraphQL.
        reserved: Names in GraphQL that the schema's other types must not get.
        message: The full name of a Protobuf message; the first one of the schema if this is empty.
        is_framed: Whether values come with the framing of a registry. (What is before the payload is not the codec's.)
        envelope: Whether values are Debezium's envelopes, of which the row is shown. Only for Avro.

    Raises:
        BadSchema: The schema cannot be used, or a library for it is not installed.
    """
    if schema.format not in FORMATS:
        raise BadSchema(f"{schema.format!r} is not a format with a schema; allowed are {', '.join(FORMATS)}")
    module = _module(schema.format)
    # Only Protobuf has several messages in one schema, and says in the payload which one it is.
    options = {"message": message, "is_framed": is_framed} if schema.format == "protobuf" else {}
    made = "envelope_codec" if envelope else f"{schema.format}_codec"
    codec: Codec = getattr(module, made)(schema, name, reserved, limits, **options)
    return codec


def load_op_reader(schema: SchemaText, limits: FormatLimits) -> Callable[[bytes], str]:
    """What reads the `op` of Debezium's envelopes in Avro with that schema, from the bytes after the framing.

    Raises:
        BadSchema: It is not the schema of an envelope, or a library for it is not installed.
    """
    reader: Callable[[bytes], str] = _module("avro").op_reader(schema, limits)
    return reader


def cannot_read(reader: SchemaText, writer: SchemaText, message: str = "", *, envelope: bool = False) -> str | None:
    """Why values that were written with one schema cannot be read with another; None if they can.

    `message` is as for `load_codec`.
    """
    try:
        _reader(reader, message, envelope).parse(writer)
    except BadSchema as error:
        return str(error)
    return None


@lru_cache(1)
def _reader(schema: SchemaText, message: str, envelope: bool) -> Codec:
    """One is asked about many writers."""
    return load_codec(schema, "Data", frozenset(), FormatLimits(), message=message, is_framed=True, envelope=envelope)


def _module(name: str) -> ModuleType:
    try:
        return import_module(f"kvs_graphql.formats.{name}")
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("kvs_graphql"):
            raise
        raise BadSchema(f"the format {name} needs {error.name}: install kvs-graphql[schemas]") from error
