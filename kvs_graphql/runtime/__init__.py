"""The composition root: builds the rooms, starts and stops them in a visible order."""

from kvs_graphql.runtime.descriptors import check_descriptors, raise_limit
from kvs_graphql.runtime.running import Progress, Running, running

__all__ = ["Progress", "Running", "check_descriptors", "raise_limit", "running"]
