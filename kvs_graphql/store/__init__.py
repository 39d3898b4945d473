"""The table on disk that a topic's log adds up to. All SQL but the pragmas is here."""

from kvs_graphql.database import CacheLimits, share_of
from kvs_graphql.store.coverage import Coverage
from kvs_graphql.store.queries import (
    History,
    Page,
    Query,
    ReadBytes,
    Sizes,
    TooManyBytes,
    count_entries,
    count_prefix,
    count_prefixes,
    get_groups,
    get_many,
    history,
    page,
    pages,
    partitions_of,
    sizes,
)
from kvs_graphql.store.scans import Changes, LogPage, changes_after, keys_by_partition, log_order
from kvs_graphql.store.schema_ids import SCHEMA_IDS_MAX, SchemaIds
from kvs_graphql.store.schemas import KeptSchemas, Served
from kvs_graphql.store.store import Snapshot, Source, Store, open_store, topic_in
from kvs_graphql.store.writer import WindowLimits

__all__ = [
    "SCHEMA_IDS_MAX",
    "CacheLimits",
    "Changes",
    "Coverage",
    "History",
    "KeptSchemas",
    "LogPage",
    "Page",
    "Query",
    "ReadBytes",
    "SchemaIds",
    "Served",
    "Sizes",
    "Snapshot",
    "Source",
    "Store",
    "TooManyBytes",
    "WindowLimits",
    "changes_after",
    "count_entries",
    "count_prefix",
    "count_prefixes",
    "get_groups",
    "get_many",
    "history",
    "keys_by_partition",
    "log_order",
    "open_store",
    "page",
    "pages",
    "partitions_of",
    "share_of",
    "sizes",
    "topic_in",
]
