"""The use cases: read keys, read pages, watch changes, tell how things are. Everything a client can ask for."""

from kvs_graphql.cursor import Cursor, CursorSource, join_tokens
from kvs_graphql.feed import Flush, Kind, Sink, Update
from kvs_graphql.service.catalog import Catalog
from kvs_graphql.service.limits import ServiceLimits
from kvs_graphql.service.reads import NO_WAIT, PageRequest, Reads, Wait
from kvs_graphql.service.status import PartitionStatus, Readiness, Status, TableStatus
from kvs_graphql.service.table import Latest, Table
from kvs_graphql.service.usage import Usage
from kvs_graphql.service.writes import Headers, Write, Writes
from kvs_graphql.state import SchemaStatus, State
from kvs_graphql.store import Page
from kvs_graphql.watch import ByteBudget, Quotas, Start, WatchLimits

__all__ = [
    "NO_WAIT",
    "ByteBudget",
    "Catalog",
    "Cursor",
    "CursorSource",
    "Flush",
    "Headers",
    "Kind",
    "Latest",
    "Page",
    "PageRequest",
    "PartitionStatus",
    "Quotas",
    "Readiness",
    "Reads",
    "SchemaStatus",
    "ServiceLimits",
    "Sink",
    "Start",
    "State",
    "Status",
    "Table",
    "TableStatus",
    "Update",
    "Usage",
    "Wait",
    "WatchLimits",
    "Write",
    "Writes",
    "join_tokens",
]
