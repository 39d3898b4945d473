"""The composition root: builds the rooms, starts and stops them in a visible order."""

from kvs_graphql.runtime.descriptors import raise_limit
from kvs_graphql.runtime.graphs import check_graph
from kvs_graphql.runtime.running import Progress, Running, check_settings, running

__all__ = ["Progress", "Running", "check_graph", "check_settings", "raise_limit", "running"]
