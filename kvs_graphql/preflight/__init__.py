"""What the commands `check` and `init` find out about a catalog before a service starts with it. Changes nothing."""

from kvs_graphql.preflight.check import Finding, check_tables
from kvs_graphql.preflight.proposal import catalog_for

__all__ = ["Finding", "catalog_for", "check_tables"]
