"""The formats of keys and values: their settings for a service of one topic, and what goes together."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import BaseSettings

from kvs_graphql.settings.registry import RegistrySettings

Format = Literal["string", "bytes", "int", "long", "uuid", "json", "avro", "protobuf", "json_schema"]
Envelope = Literal["debezium"]
SchemaVersion = Annotated[int, Field(ge=1)]

WITH_SCHEMA = {"avro": "fastavro", "protobuf": "grpc_tools", "json_schema": "jsonschema_rs"}
"""The formats that have one, each with the library that it needs."""
_WITH_ENVELOPE = ("json", "avro")


@dataclass(frozen=True, slots=True)
class FormatSettings:
    """The format of a table's keys or values."""

    format: Format = "string"
    schema: Path | None = None
    """A file with the schema; records then have no registry's framing."""
    subject: str | None = None
    """Where in the registry the schema's versions are; None where it is not from there."""
    version: int | None = None
    """The version that is served; None for the newest one that can read all earlier ones."""
    message: str | None = None
    """The message of Protobuf; None for the first one."""

    @property
    def has_schema(self) -> bool:
        """Whether the format has one."""
        return self.format in WITH_SCHEMA


class TypedSettings(BaseSettings):
    """A part of `Settings`: the registry, and the formats of the only table of a service of one topic."""

    schema_registry: RegistrySettings = Field(RegistrySettings(), description="Schema registry with Confluent's API.")
    # Avro that takes long is decoded in pieces, in a thread; other formats are decoded in one piece, in which nobody
    # else is answered.
    data_bytes_max: int = Field(64 * 1024, ge=1, description="Maximum bytes of a key or value that is decoded.")
    key_format: Format = Field("string", description="Format of keys.")
    key_schema: Path | None = Field(None, description="File with the schema of keys, instead of the registry.")
    key_subject: str | None = Field(
        None, min_length=1, description="Subject of the keys' schema in the registry; if unset, topic-key."
    )
    key_version: SchemaVersion | None = Field(
        None, description="Version of that subject to serve; if unset, the newest that can read all earlier ones."
    )
    key_message: str | None = Field(
        None, min_length=1, description="Protobuf message of keys; if unset, the schema's first."
    )
    value_format: Format = Field("string", description="Format of values.")
    value_schema: Path | None = Field(None, description="File with the schema of values, instead of the registry.")
    value_subject: str | None = Field(
        None,
        min_length=1,
        description="Subject of the values' schema in the registry; if unset, topic-value.",
    )
    value_version: SchemaVersion | None = Field(
        None, description="Version of that subject to serve; if unset, the newest that can read all earlier ones."
    )
    value_message: str | None = Field(
        None, min_length=1, description="Protobuf message of values; if unset, the schema's first."
    )
    envelope: Envelope | None = Field(
        None, description="Envelope around values, of which the row is shown and op: d deletes. One of debezium."
    )


_OF_ALL_TABLES = ("schema_registry", "data_bytes_max")
FORMAT_FIELDS = tuple(name for name in TypedSettings.__annotations__ if name not in _OF_ALL_TABLES)
"""The settings of the only table, by their names, which are those of `TableSettings` in Python."""


def problems_of(
    key: FormatSettings,
    value: FormatSettings,
    envelope: Envelope | None,
    has_registry: bool,
    named: Callable[[str], str],
) -> Iterator[str]:
    """Say what does not go together, each in one line.

    `named` gives the name that an operator knows for one of `FORMAT_FIELDS`.
    """
    for part, one in (("key", key), ("value", value)):
        yield from _problems_of_part(part, one, has_registry, named)
    if envelope is not None and value.format not in _WITH_ENVELOPE:
        yield f"{named('envelope')}={envelope} needs {named('value_format')} json or avro, not {value.format}"


def _problems_of_part(
    part: str, one: FormatSettings, has_registry: bool, named_field: Callable[[str], str]
) -> Iterator[str]:
    def named(what: str) -> str:
        return named_field(f"{part}_{what}")

    form = f"{named('format')}={one.format}"
    for what in ("schema", "subject", "version", "message"):
        if getattr(one, what) is None:
            continue
        if not one.has_schema:
            yield f"{named(what)} is for {', '.join(WITH_SCHEMA)}: {form} has no schema"
        elif what == "message" and one.format != "protobuf":
            yield f"{named(what)} is for protobuf, not {form}"
        elif what in ("subject", "version") and one.schema is not None:
            yield f"{named('schema')} and {named(what)} must not be set together: it is a file or from the registry"
    if one.has_schema and one.schema is None and not has_registry:
        yield f"{form} needs {named('schema')}, or KVS_SCHEMA_REGISTRY__URL"
    if one.schema is not None and not one.schema.is_file():
        yield f"{named('schema')}={one.schema}: no such file"
    library = WITH_SCHEMA.get(one.format)
    if library is not None and find_spec(library) is None:
        yield f"{form} needs libraries that are missing: install kvs-graphql[schemas]"
