"""Whether a service with these settings would be ready and could write, and what to do where it would not."""

import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kvs_graphql.kafka.inspection import NotFound, TopicFacts, Unusable, inspect_topic
from kvs_graphql.settings import Settings, TableSettings
from kvs_graphql.tables.limits import connection_of

# The clients of hundreds of topics at once would keep each other from their answers in time.
_INSPECTED_AT_ONCE = 8


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
    """Look at the topic and the file of each table, in the order of the catalog."""
    tables, connection = settings.catalog, connection_of(settings)
    turn = asyncio.Semaphore(_INSPECTED_AT_ONCE)

    async def inspect(topic: str) -> TopicFacts | NotFound | Unusable:
        async with turn:
            return await inspect_topic(connection, topic)

    found = await asyncio.gather(*(inspect(table.topic) for table in tables.values()))
    return [
        finding
        for (name, table), topic in zip(tables.items(), found, strict=True)
        for finding in (*_of_topic(name, table, topic), *_of_file(name, settings.database_of(name)))
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
            if configuration.compacted is False:
                text = f"topic {table.topic!r} is not compacted: keys stay in the table after Kafka drops their records"
                yield Finding(name, False, text, "set cleanup.policy=compact")
            if configuration.unknown_because:
                text = f"its configuration is unknown: {configuration.unknown_because}"
                yield Finding(name, False, text, "give the right, or the table is rebuilt after an outage")
            if table.writes and may_write is False:
                text = f"topic {table.topic!r} cannot be written: the user lacks the right WRITE"
                yield Finding(name, table.required, text, "give the right, or turn writes off")


def _of_file(name: str, path: Path) -> Iterator[Finding]:
    directory = next(parent for parent in path.absolute().parents if parent.exists())
    if not os.access(directory, os.W_OK | os.X_OK):
        yield Finding(name, True, f"{path}: {directory} cannot be written", "set KVS_DATABASE, or give the right")
