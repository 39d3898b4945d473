"""Whether a service with these settings would be ready and could write, and what to do where it would not."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kvs_graphql.errors import BadSetting, Damaged, DatabaseError
from kvs_graphql.formats import BadSchema, SchemaText, TableFormats
from kvs_graphql.kafka.inspection import NotFound, TopicFacts, Unusable, inspect_topic
from kvs_graphql.kafka.topic import TopicConfiguration
from kvs_graphql.registry import Follower, SchemaRegistry
from kvs_graphql.schemas import (
    KEY,
    VALUE,
    Change,
    Part,
    cannot_read_as,
    format_of,
    formats_without_schema,
    open_registry_of,
    part_of,
)
from kvs_graphql.settings import Settings, TableSettings
from kvs_graphql.store import topic_in
from kvs_graphql.tables.directory import check_directory
from kvs_graphql.tables.servers import connection_of

# The clients of hundreds of topics at once would keep each other from their answers in time.
_INSPECTED_AT_ONCE = 8
_OUTAGE_MS = 60_000
"""An outage that should not make a table be rebuilt."""

Refusals = Callable[[Mapping[str, TableFormats], Sequence[tuple[str, Change]]], Awaitable[Sequence[str | None]]]
"""From the formats that a service starts with, and changes of those of one table each, to why each change cannot be
served; None where it can. Raises BadSetting where the service could not start."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found about a table, and what to do about it."""

    table: str
    """Its name; empty for the only table of a service without a catalog, and for what is of no table alone."""
    is_problem: bool
    """Whether the service would not be ready with it, or not do what its settings say."""
    text: str
    remedy: str = ""


@dataclass(slots=True)
class _Schemas:
    """What was found about the schemas of one table."""

    findings: list[Finding]
    at_start: TableFormats
    """The formats that the table has without the registry."""
    later: list[tuple[str, Change]]
    """What the schemas of the registry change in them, each with what it is of."""


async def check_tables(settings: Settings, refusals: Refusals) -> list[Finding]:
    """Look at the topic, the schemas and the file of each table, in the order of the catalog."""
    tables, connection = settings.catalog, connection_of(settings)
    turn = asyncio.Semaphore(_INSPECTED_AT_ONCE)

    async def inspect(topic: str) -> TopicFacts | NotFound | Unusable:
        async with turn:
            return await inspect_topic(connection, topic)

    found = await asyncio.gather(*(inspect(table.topic) for table in tables.values()))
    async with open_registry_of(settings) as registry:
        parts = await asyncio.gather(*(_of_schemas(*one, registry) for one in tables.items()))
    schemas = dict(zip(tables, parts, strict=True))
    of_all = await _of_graph(schemas, refusals)
    of_each = [
        finding
        for (name, table), topic in zip(tables.items(), found, strict=True)
        for finding in (
            *_of_topic(name, table, topic),
            *schemas[name].findings,
            *_of_file(name, table, settings.database_of(name)),
        )
    ]
    return of_each + of_all


def _of_topic(name: str, table: TableSettings, topic: TopicFacts | NotFound | Unusable) -> Iterator[Finding]:
    match topic:
        case NotFound():
            remedy = "create it, with cleanup.policy=compact; the table waits for it"
            yield Finding(name, table.required, f"topic {table.topic!r} does not exist", remedy)
        case Unusable(reason):
            yield Finding(name, table.required, f"topic {table.topic!r}: {reason}", "mend it; the table waits for that")
        case TopicFacts(partitions, offsets, configuration, may_read, may_write):
            size = f"{partitions} partition{'' if partitions == 1 else 's'}, {offsets:,} offsets"
            if may_read:
                yield Finding(name, False, f"topic {table.topic!r} can be read: {size}")
            else:
                text = f"topic {table.topic!r} cannot be read: the user lacks the right READ"
                yield Finding(name, table.required, text, "give the right; the table waits for it")
            yield from _of_configuration(name, table.topic, configuration)
            if table.writes and may_write is False:
                text = f"topic {table.topic!r} cannot be written: the user lacks the right WRITE"
                yield Finding(name, table.required, text, "give the right, or turn writes off")


def _of_configuration(name: str, topic: str, found: TopicConfiguration) -> Iterator[Finding]:
    """How long Kafka keeps records and tombstones."""
    if found.unknown_because:
        text = f"its configuration is unknown: {found.unknown_because}"
        yield Finding(name, False, text, "give the right, or the table is rebuilt after an outage")
    age = "" if found.retention_ms is None else f" after {_span(found.retention_ms)}"
    if found.compacted is False:
        text = f"topic {topic!r} is not compacted: keys stay in the table when Kafka drops their records{age}"
        yield Finding(name, False, text, "set cleanup.policy=compact")
        return
    if found.compacted and age:
        text = f"topic {topic!r} is compacted, but Kafka also drops records{age}: their keys stay in the table"
        yield Finding(name, False, text, "set cleanup.policy=compact")
    if found.compacted and found.delete_retention_ms is not None:
        text = f"topic {topic!r} is compacted, and keeps tombstones for {_span(found.delete_retention_ms)}"
        remedy = "" if found.delete_retention_ms >= _OUTAGE_MS else "raise delete.retention.ms"
        yield Finding(name, False, f"{text}: after a longer outage, the table is rebuilt", remedy)


def _span(milliseconds: int) -> str:
    """A time in its largest unit that needs no fraction."""
    for unit, size in (("day", 86_400_000), ("hour", 3_600_000), ("minute", 60_000), ("second", 1_000)):
        count, rest = divmod(milliseconds, size)
        if count and not rest:
            return f"{count:,} {unit}{'' if count == 1 else 's'}"
    return f"{milliseconds:,} ms"


async def _of_schemas(name: str, table: TableSettings, registry: SchemaRegistry | None) -> _Schemas:
    found = _Schemas([], formats_without_schema(table), [])
    for part, shown in ((KEY, "keys"), (VALUE, "values")):
        own = table.key if part == KEY else table.value
        about = f"the schema of {shown}, {own.schema or f'subject {own.subject!r}'}"
        try:
            source = await asyncio.to_thread(part_of, name, table, part)
        except BadSetting as error:
            found.findings.append(Finding(name, True, f"{about}: {error}", "mend the file"))
            continue
        if source is not None and source.file is not None:
            await _of_schema_file(name, part, source, source.file, about, found)
        elif source is not None and registry is not None:
            await _of_subject(name, table, part, source, registry, about, found)
    return found


async def _of_graph(schemas: Mapping[str, _Schemas], refusals: Refusals) -> list[Finding]:
    """Whether the types of all tables fit together; adds to the findings of each which of its versions do."""
    later = [(name, about, change) for name, one in schemas.items() for about, change in one.later]
    of_all = list[Finding]()
    reasons: Sequence[str | None] = [None] * len(later)
    try:
        at_start = {name: one.at_start for name, one in schemas.items()}
        reasons = await refusals(at_start, [(name, change) for name, _, change in later])
    except BadSetting as error:
        of_all = [Finding("", True, str(error))]
    for (name, about, _), reason in zip(later, reasons, strict=True):
        text = f"{about} is served" if reason is None else f"{about} cannot be served: {reason}"
        schemas[name].findings.append(Finding(name, reason is not None, text))
    return of_all


async def _of_schema_file(name: str, part: str, source: Part, schema: SchemaText, about: str, found: _Schemas) -> None:
    """Whether a file has a schema that can be used."""
    try:
        found.at_start = (await format_of(part, source, schema))(found.at_start)
    except BadSchema as error:
        found.findings.append(Finding(name, True, f"{about}: {error}", "mend the file"))
    else:
        found.findings.append(Finding(name, False, f"{about}, can be used"))


async def _of_subject(
    name: str, table: TableSettings, part: str, source: Part, registry: SchemaRegistry, about: str, found: _Schemas
) -> None:
    """Which version of a subject would be served, and why others would not."""
    able = cannot_read_as(source.format, source.message, envelope=source.envelope)
    follower = Follower(registry, source.subject, able, pinned=source.pinned, report=lambda *_: None)
    await follower.look()
    state, findings = follower.state, found.findings
    if state.served is not None:
        version = f"version {state.served.number}, id {state.served.id},"
        try:
            change = await format_of(part, source, state.served.schema)
        except BadSchema as error:
            findings.append(Finding(name, table.required, f"{about}: {version} cannot be served: {error}"))
        else:
            found.later.append((f"{about}: {version}", change))
    if state.problem is not None:
        remedy = "mend it, or set KVS_SCHEMA_REGISTRY__URL; the table waits for that"
        findings.append(Finding(name, table.required, f"{about}: {state.problem}", remedy))
    for one in state.refused:
        remedy = "" if source.pinned is not None else "register a version that reads the earlier ones, or pin one"
        findings.append(Finding(name, False, f"{about}: version {one.number} is not served: {one.reason}", remedy))
    if state.unseen:
        text = f"{about}: the {state.unseen:,} oldest versions are not looked at"
        findings.append(Finding(name, False, text, "raise KVS_SCHEMA_REGISTRY__VERSIONS_MAX, or delete them"))


def _of_file(name: str, table: TableSettings, path: Path) -> Iterator[Finding]:
    """Whether the table's file can be made, or is of this topic. A service may be using it: its lock is not tried."""
    try:
        # The directory of named tables is made at the start, but none above it.
        made = bool(name) and not path.parent.exists()
        directory = path.absolute().parents[made]
        if name:
            check_directory(path.parent)
        topic = topic_in(path)
    except Damaged as error:
        yield Finding(name, False, str(error), "nothing: the file is moved aside, and the topic read anew")
        topic = None
    except DatabaseError as error:
        yield Finding(name, True, str(error), "mend it; the start is refused")
        return
    except OSError as error:
        yield Finding(
            name, True, f"{path} cannot be looked at: {error.strerror}", "give the right, or set KVS_DATABASE"
        )
        return
    if not directory.is_dir():
        yield Finding(name, True, f"{path}: there is no directory {directory}", "create it, or set KVS_DATABASE")
    elif not os.access(directory, os.W_OK | os.X_OK):
        yield Finding(name, True, f"{path}: {directory} cannot be written", "set KVS_DATABASE, or give the right")
    if topic not in (None, table.topic):
        remedy = "set another KVS_DATABASE, or move this file away"
        yield Finding(name, table.required, f"{path} holds topic {topic!r}", remedy)
