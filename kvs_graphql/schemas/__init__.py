"""The schemas of tables: where they come from, which of them is served, and what becomes of a new version."""

from kvs_graphql.schemas.formats import (
    envelopes_of,
    format_of,
    formats_of,
    formats_without_schema,
    open_registry_of,
    open_schemas,
    part_of,
    schema_ids_of,
)
from kvs_graphql.schemas.generations import Change, Generations, Proposal
from kvs_graphql.schemas.table import KEY, VALUE, Part, TableSchemas, cannot_read_as

__all__ = [
    "KEY",
    "VALUE",
    "Change",
    "Generations",
    "Part",
    "Proposal",
    "TableSchemas",
    "cannot_read_as",
    "envelopes_of",
    "format_of",
    "formats_of",
    "formats_without_schema",
    "open_registry_of",
    "open_schemas",
    "part_of",
    "schema_ids_of",
]
