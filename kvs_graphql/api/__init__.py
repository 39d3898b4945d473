"""The GraphQL schema: types, roots, scalars, and what its resolvers have at hand."""

from kvs_graphql.api.context import Connection, Operation
from kvs_graphql.api.fields import rights_of_fields
from kvs_graphql.api.json_values import JsonText, JsonValues
from kvs_graphql.api.schema import build_schema, names_of_types, print_schema
from kvs_graphql.api.sources import Source, token_of

__all__ = [
    "Connection",
    "JsonText",
    "JsonValues",
    "Operation",
    "Source",
    "build_schema",
    "names_of_types",
    "print_schema",
    "rights_of_fields",
    "token_of",
]
