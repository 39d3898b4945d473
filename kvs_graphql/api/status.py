"""The status of the service and its tables."""

from collections.abc import Iterable
from datetime import datetime

import strawberry

from kvs_graphql import __version__
from kvs_graphql.api.costs import sized_by
from kvs_graphql.api.scalars import CursorToken, Long
from kvs_graphql.service import PartitionStatus as ServicePartitionStatus
from kvs_graphql.service import SchemaStatus as ServiceSchemaStatus
from kvs_graphql.service import State, join_tokens
from kvs_graphql.service import Status as ServiceStatus
from kvs_graphql.service import TableStatus as ServiceTableStatus

strawberry.enum(State, description="What a table's consumer is doing.")


@strawberry.type(description="How far the table has read one partition.")
class PartitionStatus:
    partition: int
    position: Long = strawberry.field(description="The offset to be read next.")
    end_offset: Long = strawberry.field(description="The end of what is committed: the last stable offset.")
    lag: Long = strawberry.field(description="Committed in Kafka and not applied yet.")
    held_back: Long = strawberry.field(description="In the log, and held back by transactions that are still open.")


@strawberry.type(description="What the service stores of a table.")
class Sizes:
    database_bytes: Long
    window_changes: int = strawberry.field(description="Recent changes kept for resuming.")


@strawberry.type(description="A version of a schema that is not served, though it is newer than the one that is.")
class RefusedVersion:
    version: int
    reason: str


@strawberry.type(description="The schema from a registry that the keys or the values of a table are shown with.")
class SchemaStatus:
    part: str = strawberry.field(description="`key` or `value`.")
    subject: str
    version: int | None = strawberry.field(description="The version that is served; null while there is none.")
    id: int | None = strawberry.field(name="schemaId", description="Its id in the registry.")
    refused: list[RefusedVersion] = strawberry.field(
        description="The versions after it that are not served, and why, newest first.",
        directives=[sized_by(assumed=1)],
    )
    problem: str | None = strawberry.field(
        description="Why the last look at the registry changed nothing; null where all is well."
    )


@strawberry.type(description="The status of one table.")
class TableStatus:
    name: str | None = strawberry.field(description="Null where the service has one table without a name.")
    topic: str
    compacted: bool | None = strawberry.field(
        description="Whether Kafka compacts the topic; null before the first metadata refresh, or if Kafka does not "
        "tell. If not, entries remain after Kafka has dropped their records."
    )
    ready: bool = strawberry.field(description="Whether the table has caught up with Kafka, and is not being rebuilt.")
    state: State
    reason: str = strawberry.field(description="The state in words.")
    since: datetime = strawberry.field(description="When that state began.")
    entries: int = strawberry.field(description="How many keys have a value; counted once a second at most.")
    cursor: CursorToken
    lag: Long
    partitions: list[PartitionStatus] = strawberry.field(directives=[sized_by(assumed=10)])
    sizes: Sizes
    schemas: list[SchemaStatus] = strawberry.field(
        description="Of its keys and values, where they come from a registry.", directives=[sized_by(assumed=2)]
    )


@strawberry.type(description="The status of the service.")
class Status:
    ready: bool = strawberry.field(description="Whether all tables are ready that have to be.")
    state: State = strawberry.field(description="The worst of the tables' states.")
    entries: int = strawberry.field(description="How many keys have a value, over all tables.")
    lag: Long = strawberry.field(description="Committed in Kafka and not applied yet, over all tables.")
    cursor: CursorToken
    subscribers: int = strawberry.field(description="Open subscriptions of all clients, over all transports.")
    version: str
    tables: list[TableStatus] = strawberry.field(directives=[sized_by(assumed=1)])


def status(found: ServiceStatus, subscribers: int) -> Status:
    """The status as clients see it."""
    return Status(
        ready=found.ready,
        state=found.state,
        entries=found.entries,
        lag=Long(found.lag),
        cursor=CursorToken(join_tokens(cursor.encode() for cursor in found.cursors)),
        subscribers=subscribers,
        version=__version__,
        tables=[_table(table) for table in found.tables],
    )


def _table(found: ServiceTableStatus) -> TableStatus:
    return TableStatus(
        name=found.name or None,
        topic=found.topic,
        compacted=found.compacted,
        ready=found.ready,
        state=found.moment.state,
        reason=found.moment.reason,
        since=found.moment.since,
        entries=found.entries,
        cursor=CursorToken(found.cursor.encode()),
        lag=Long(found.lag),
        partitions=list(_partitions(found.partitions)),
        sizes=Sizes(database_bytes=Long(found.sizes.database_bytes), window_changes=found.sizes.window_changes),
        schemas=[_schema(one) for one in found.schemas],
    )


def _schema(found: ServiceSchemaStatus) -> SchemaStatus:
    return SchemaStatus(
        part=found.part,
        subject=found.subject,
        version=found.version,
        id=found.id,
        refused=[RefusedVersion(version=version, reason=reason) for version, reason in found.refused],
        problem=found.problem,
    )


def _partitions(found: Iterable[ServicePartitionStatus]) -> Iterable[PartitionStatus]:
    for one in found:
        yield PartitionStatus(
            partition=one.partition,
            position=Long(one.position),
            end_offset=Long(one.end_offset),
            lag=Long(one.lag),
            held_back=Long(one.held_back),
        )
