"""Whether a service with these settings would be ready and could write, and what to do where it would not."""

import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kvs_graphql.errors import Damaged, DatabaseError
from kvs_graphql.formats import SchemaText, cannot_read
from kvs_graphql.kafka.inspection import NotFound, TopicFacts, Unusable, inspect_topic
from kvs_graphql.kafka.topic import TopicConfiguration
from kvs_graphql.registry import Follower, SchemaRegistry
from kvs_graphql.settings import FormatSettings, Settings, TableSettings
from kvs_graphql.store import topic_in
from kvs_graphql.tables.directory import refuse_link
from kvs_graphql.tables.formats import open_registry_of
from kvs_graphql.tables.schemas import cannot_read_as
from kvs_graphql.tables.servers import connection_of

# The clients of hundreds of topics at once would keep each other from their answers in time.
_INSPECTED_AT_ONCE = 8
_OUTAGE_MS = 60_000
"""An outage that should not make a table be rebuilt."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found about a table, and what to do about it."""

    table: str
    """Its name; empty for the only table of a service without a catalog."""
    is_problem: bool
    """Whether the service would not be ready with it, or not do what its settings say."""
    text: str
    remedy: str = ""


async def check_tables(settings: Settings) -> list[Finding]:
    """Look at the topic, the schemas and the file of each table, in the order of the catalog."""
    tables, connection = settings.catalog, connection_of(settings)
    turn = asyncio.Semaphore(_INSPECTED_AT_ONCE)

    async def inspect(topic: str) -> TopicFacts | NotFound | Unusable:
        async with turn:
            return await inspect_topic(connection, topic)

    found = await asyncio.gather(*(inspect(table.topic) for table in tables.values()))
    async with open_registry_of(settings) as registry:
        schemas = await asyncio.gather(*(_of_schemas(*one, registry) for one in tables.items()))
    return [
        finding
        for (name, table), topic, others in zip(tables.items(), found, schemas, strict=True)
        for finding in (*_of_topic(name, table, topic), *others, *_of_file(name, table, settings.database_of(name)))
    ]


def _of_topic(name: str, table: TableSettings, topic: TopicFacts | NotFound | Unusable) -> Iterator[Finding]:
    match topic:
        case NotFound():
            remedy = "create it, with cleanup.policy=compact; the table waits for it"
            yield Finding(name, table.required, f"topic {table.topic!r} does not exist", remedy)
        case Unusable(reason):
            yield Finding(name, table.required, f"topic {table.topic!r}: {reason}", "mend it; the table waits for that")
        case TopicFacts(partitions, offsets, configuration, may_write):
            size = f"{partitions} partition{'' if partitions == 1 else 's'}, {offsets:,} offsets"
            yield Finding(name, False, f"topic {table.topic!r} can be read: {size}")
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


async def _of_schemas(name: str, table: TableSettings, registry: SchemaRegistry | None) -> list[Finding]:
    found = list[Finding]()
    for part, own in (("keys", table.key), ("values", table.value)):
        if own.schema is not None:
            found += [await asyncio.to_thread(_of_schema_file, name, part, own, own.schema)]
        elif own.subject is not None and registry is not None:
            found += await _of_subject(name, table, part, own, own.subject, registry)
    return found


def _of_schema_file(name: str, part: str, own: FormatSettings, path: Path) -> Finding:
    """Whether a file has a schema that can be used. Blocks."""
    remedy = "mend the file"
    try:
        schema = SchemaText(own.format, path.read_text())
    except UnicodeDecodeError:
        return Finding(name, True, f"the schema of {part}, {path}, is not UTF-8", remedy)
    except OSError as error:
        return Finding(name, True, f"the schema of {part}, {path}: {(error.strerror or 'unknown').lower()}", remedy)
    reason = cannot_read(schema, schema, own.message or "")
    if reason is not None:
        return Finding(name, True, f"the schema of {part}, {path}: {reason}", remedy)
    return Finding(name, False, f"the schema of {part}, {path}, can be used")


async def _of_subject(
    name: str, table: TableSettings, part: str, own: FormatSettings, subject: str, registry: SchemaRegistry
) -> list[Finding]:
    """Which version of a subject would be served, and why others would not."""
    able = cannot_read_as(own.format, own.message or "")
    follower = Follower(registry, subject, able, pinned=own.version, report=lambda *_: None)
    await follower.look()
    state, about = follower.state, f"the schema of {part}, subject {subject!r}"
    found = list[Finding]()
    if state.served is not None:
        found.append(Finding(name, False, f"{about}: version {state.served.number}, id {state.served.id}, is served"))
    if state.problem is not None:
        remedy = "mend it, or set KVS_SCHEMA_REGISTRY__URL; the table waits for that"
        found.append(Finding(name, table.required, f"{about}: {state.problem}", remedy))
    for one in state.refused:
        remedy = "" if own.version is not None else "register a version that reads the earlier ones, or pin one"
        found.append(Finding(name, False, f"{about}: version {one.number} is not served: {one.reason}", remedy))
    if state.unseen:
        text = f"{about}: the {state.unseen:,} oldest versions are not looked at"
        found.append(Finding(name, False, text, "raise KVS_SCHEMA_REGISTRY__VERSIONS_MAX, or delete them"))
    return found


def _of_file(name: str, table: TableSettings, path: Path) -> Iterator[Finding]:
    """Whether the table's file can be made, or is of this topic. A service may be using it: its lock is not tried."""
    # The directory of named tables is made at the start, but none above it.
    made = bool(name) and not path.parent.exists()
    directory = path.absolute().parents[made]
    try:
        if name:
            refuse_link(path.parent)
        topic = topic_in(path)
    except Damaged as error:
        yield Finding(name, False, str(error), "nothing: the file is moved aside, and the topic read anew")
        topic = None
    except DatabaseError as error:
        yield Finding(name, True, str(error), "mend it; the start is refused")
        return
    if not directory.is_dir():
        yield Finding(name, True, f"{path}: there is no directory {directory}", "create it, or set KVS_DATABASE")
    elif not os.access(directory, os.W_OK | os.X_OK):
        yield Finding(name, True, f"{path}: {directory} cannot be written", "set KVS_DATABASE, or give the right")
    if topic not in (None, table.topic):
        remedy = "set another KVS_DATABASE, or move this file away"
        yield Finding(name, table.required, f"{path} holds topic {topic!r}", remedy)
