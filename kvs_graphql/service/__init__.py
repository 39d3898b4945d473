"""The use cases: read keys, read pages, watch changes, tell how things are. Everything a client can ask for."""

from kvs_graphql.cursor import Cursor, CursorSource
from kvs_graphql.feed import Flush, Kind, Sink, Update
from kvs_graphql.service.limits import ServiceLimits
from kvs_graphql.service.reads import NO_WAIT, PageRequest, Reads, Wait
from kvs_graphql.service.service import Latest, Service
from kvs_graphql.service.status import PartitionStatus, Status
from kvs_graphql.service.writes import Headers, Write, Writes
from kvs_graphql.state import State
from kvs_graphql.store import Page
from kvs_graphql.watch import ByteBudget, Start, WatchLimits

__all__ = [
    "NO_WAIT",
    "ByteBudget",
    "Cursor",
    "CursorSource",
    "Flush",
    "Headers",
    "Kind",
    "Latest",
    "Page",
    "PageRequest",
    "PartitionStatus",
    "Reads",
    "Service",
    "ServiceLimits",
    "Sink",
    "Start",
    "State",
    "Status",
    "Update",
    "Wait",
    "WatchLimits",
    "Write",
    "Writes",
]
