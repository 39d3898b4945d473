"""A table as one unit: whatever belongs to one topic, put together, started and stopped."""

from kvs_graphql.tables.directory import prepare_directory
from kvs_graphql.tables.limits import feed_budget, service_limits
from kvs_graphql.tables.servers import open_servers
from kvs_graphql.tables.unit import Shared, TableUnit, open_table

__all__ = [
    "Shared",
    "TableUnit",
    "feed_budget",
    "open_servers",
    "open_table",
    "prepare_directory",
    "service_limits",
]
