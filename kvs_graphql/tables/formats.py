"""The formats of a table, from the settings."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from kvs_graphql.errors import BadSetting
from kvs_graphql.formats import (
    FormatLimits,
    KeyFormat,
    SchemaFormat,
    SchemaText,
    TableFormats,
    json_envelope,
    json_payload,
    plain_codec,
)
from kvs_graphql.kafka.envelopes import Envelopes
from kvs_graphql.registry import SchemaRegistry, open_registry
from kvs_graphql.settings import FormatSettings, Settings, TableSettings
from kvs_graphql.state import Lifecycle
from kvs_graphql.store import SchemaIds, Store
from kvs_graphql.tables.envelopes import AvroEnvelopes, JsonEnvelopes
from kvs_graphql.tables.generations import Generations
from kvs_graphql.tables.limits import registry_limits, registry_of
from kvs_graphql.tables.schemas import KEY, VALUE, Part, SchemaLimits, TableSchemas

_TYPES = ("Entry", "Revision", "Update", "Write", "EntryEdge", "EntryConnection", "Key", "Value")
"""What the types of a table are called, after its name."""
_AS_TEXT = ("string", "bytes", "json")
"""Formats of which the bytes are shown as they are."""


@asynccontextmanager
async def open_registry_of(settings: Settings) -> AsyncIterator[SchemaRegistry | None]:
    """Yield the client of the schema registry, which all tables share; None where none is set."""
    connection = registry_of(settings)
    if connection is None:
        yield None
        return
    async with open_registry(connection, registry_limits(settings)) as registry:
        yield registry


def schema_ids_of(own: TableSettings) -> SchemaIds:
    """What notices the schemas that the table's records name."""
    return SchemaIds(of_keys=_is_framed(own.key), of_values=_is_framed(own.value))


async def open_schemas(
    name: str,
    own: TableSettings,
    settings: Settings,
    registry: SchemaRegistry | None,
    store: Store,
    lifecycle: Lifecycle,
    generations: Generations,
) -> TableSchemas | None:
    """The schemas of the table with that name, which may be empty; None where it has no format but text.

    Raises:
        BadSetting: A schema in a file cannot be used.
    """
    prefix = name[:1].upper() + name[1:]
    roots = {KEY: f"{prefix}Key", VALUE: prefix or "Value"}
    written = {KEY: own.key, VALUE: own.value}
    plain = {
        part: plain_codec(one.format)
        for part, one in written.items()
        if not one.has_schema and one.format not in _AS_TEXT
    }
    parts = {part: _part(one, roots[part]) for part, one in written.items() if one.has_schema}
    if own.envelope is not None and VALUE in parts:
        parts[VALUE] = replace(parts[VALUE], envelope=True)
    without_schema = TableFormats(
        SchemaFormat(plain[VALUE]) if VALUE in plain else None,
        KeyFormat(plain[KEY]) if KEY in plain else None,
        json_of=_row_of if own.envelope is not None and own.value.format == "json" else None,
        key_json=json_payload if own.key.format == "json" else None,
    )
    if not parts and without_schema == TableFormats():
        return None
    schemas = TableSchemas(
        parts,
        without_schema,
        frozenset(prefix + kind for kind in _TYPES),
        registry,
        store,
        lifecycle,
        generations,
        SchemaLimits(settings.schema_registry.seconds_max, settings.schema_registry.poll_seconds, FormatLimits()),
    )
    await schemas.open()
    return schemas


def envelopes_of(own: TableSettings, schemas: TableSchemas | None) -> Envelopes | None:
    """The envelopes around the table's values; None where there are none."""
    if own.envelope is None:
        return None
    if own.value.format == "json":
        return JsonEnvelopes()
    assert schemas is not None
    schema = None if own.value.schema is None else SchemaText(own.value.format, _read(own.value.schema))
    return AvroEnvelopes(schema, schemas.find, FormatLimits())


def _row_of(value: bytes) -> bytes:
    return json_envelope(value).after or b"null"


def _is_framed(one: FormatSettings) -> bool:
    return one.has_schema and one.schema is None


def _part(one: FormatSettings, root: str) -> Part:
    if one.schema is None:
        return Part(root, one.format, None, one.subject or "", one.version, one.message or "")
    return Part(root, one.format, SchemaText(one.format, _read(one.schema)), message=one.message or "")


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise BadSetting(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise BadSetting(f"{path} is not UTF-8") from None
