"""The GraphQL schema: types, roots, limits, errors. The only Strawberry besides the view in `web`."""

from kvs_graphql.api.context import Connection
from kvs_graphql.api.errors import masked
from kvs_graphql.api.plans import Payload, Send
from kvs_graphql.api.schema import DocumentLimits, KvsSchema, build_schema, print_schema

__all__ = ["Connection", "DocumentLimits", "KvsSchema", "Payload", "Send", "build_schema", "masked", "print_schema"]
