"""The table that Kafka's log adds up to, on disk. The only SQL."""

from kvs_graphql.store.queries import (
    Changes,
    Coverage,
    History,
    Page,
    Query,
    Run,
    Sizes,
    changes_after,
    count_entries,
    coverage,
    get_many,
    history,
    log_order,
    page,
    partitions_of,
    sizes,
)
from kvs_graphql.store.store import Snapshot, Source, Store, open_store
from kvs_graphql.store.writer import WindowLimits

__all__ = [
    "Changes",
    "Coverage",
    "History",
    "Page",
    "Query",
    "Run",
    "Sizes",
    "Snapshot",
    "Source",
    "Store",
    "WindowLimits",
    "changes_after",
    "count_entries",
    "coverage",
    "get_many",
    "history",
    "log_order",
    "open_store",
    "page",
    "partitions_of",
    "sizes",
]
