"""The formats of a table, from the settings."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from kvs_graphql.errors import BadSetting
from kvs_graphql.formats import (
    BadSchema,
    FormatLimits,
    KeyFormat,
    SchemaFormat,
    SchemaText,
    TableFormats,
    json_envelope,
    json_payload,
    load_codec,
    plain_codec,
)
from kvs_graphql.registry import Follower, SchemaRegistry, open_registry
from kvs_graphql.schemas.connection import registry_limits, registry_of
from kvs_graphql.schemas.envelopes import AvroEnvelopes, JsonEnvelopes
from kvs_graphql.schemas.generations import Change, Generations
from kvs_graphql.schemas.table import KEY, VALUE, Part, SchemaLimits, TableSchemas, cannot_read_as
from kvs_graphql.settings import FormatSettings, Settings, TableSettings
from kvs_graphql.state import Lifecycle
from kvs_graphql.store import SchemaIds, Store

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
    parts, without_schema = _parts(name, own), formats_without_schema(own)
    if not parts and without_schema == TableFormats():
        return None
    schemas = TableSchemas(
        name,
        parts,
        without_schema,
        registry,
        store,
        lifecycle,
        generations,
        SchemaLimits(settings.schema_registry.seconds_max, settings.schema_registry.poll_seconds, FormatLimits()),
    )
    await schemas.open()
    return schemas


def envelopes_of(own: TableSettings, schemas: TableSchemas | None) -> JsonEnvelopes | AvroEnvelopes | None:
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


async def formats_of(settings: Settings) -> dict[str, TableFormats]:
    """The formats of all tables, by name, with the schemas in files and those that the registry has now.

    Raises:
        BadSetting: A schema cannot be used, or the registry does not give it.
    """
    async with open_registry_of(settings) as registry:
        return {name: await _formats(name, own, registry) for name, own in settings.catalog.items()}


async def _formats(name: str, own: TableSettings, registry: SchemaRegistry | None) -> TableFormats:
    found = formats_without_schema(own)
    for part, source in _parts(name, own).items():
        schema = await _newest(source, registry) if source.file is None else source.file
        try:
            change = await format_of(part, source, schema)
        except BadSchema as error:
            raise BadSetting(f"the schema of {source.root}: {error}") from None
        found = change(found)
    return found


async def format_of(name: str, source: Part, schema: SchemaText) -> Change:
    """What gives a table the format of that schema, for its keys or its values.

    Raises:
        BadSchema: The schema cannot be used.
    """
    make = partial(load_codec, message=source.message, is_framed=source.file is None, envelope=source.envelope)
    codec = await asyncio.to_thread(make, schema, source.root, source.reserved, FormatLimits())
    made = KeyFormat(codec, schema) if name == KEY else SchemaFormat(codec, schema)
    return partial(replace, **{name: made})


async def _newest(part: Part, registry: SchemaRegistry | None) -> SchemaText:
    """The schema that the registry would have served."""
    assert registry is not None
    able = cannot_read_as(part.format, part.message, envelope=part.envelope)
    follower = Follower(registry, part.subject, able, pinned=part.pinned, report=lambda *_: None)
    version = await follower.look()
    if version is None:
        raise BadSetting(f"the schema of {part.root}: {follower.state.problem}")
    return version.schema


def _parts(name: str, own: TableSettings) -> dict[str, Part]:
    """Where a table's schemas come from. Raises: BadSetting: A file cannot be read."""
    return {part: source for part in (KEY, VALUE) if (source := part_of(name, own, part)) is not None}


def part_of(name: str, own: TableSettings, part: str) -> Part | None:
    """Where the schema of a table's keys or values comes from; None where they have none.

    Raises:
        BadSetting: A file cannot be read.
    """
    one, root = (own.key, f"{_prefix(name)}Key") if part == KEY else (own.value, _prefix(name) or "Value")
    if not one.has_schema:
        return None
    found = _part(one, root, frozenset(_prefix(name) + kind for kind in _TYPES))
    return replace(found, envelope=True) if own.envelope is not None and part == VALUE else found


def formats_without_schema(own: TableSettings) -> TableFormats:
    """Of a table's formats, those that are more than bytes without a schema."""
    key, value = (None if one.has_schema or one.format in _AS_TEXT else one.format for one in (own.key, own.value))
    return TableFormats(
        None if value is None else SchemaFormat(plain_codec(value)),
        None if key is None else KeyFormat(plain_codec(key)),
        json_of=_row_of if own.envelope is not None and own.value.format == "json" else None,
        key_json=json_payload if own.key.format == "json" else None,
    )


def _prefix(name: str) -> str:
    return name[:1].upper() + name[1:]


def _is_framed(one: FormatSettings) -> bool:
    return one.has_schema and one.schema is None


def _part(one: FormatSettings, root: str, reserved: frozenset[str]) -> Part:
    message = one.message or ""
    if one.schema is None:
        return Part(root, reserved, one.format, None, one.subject or "", one.version, message)
    return Part(root, reserved, one.format, SchemaText(one.format, _read(one.schema)), message=message)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise BadSetting(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise BadSetting(f"{path} is not UTF-8") from None
