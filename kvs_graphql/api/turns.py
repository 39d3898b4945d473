"""How graphql-core waits for what takes long; compiled operations do without this."""

from collections.abc import Callable
from typing import Any

from graphql import GraphQLObjectType
from strawberry import Schema

from kvs_graphql.api.fields import IN_TURNS
from kvs_graphql.compat.strawberry import graphql_schema, metadata_of
from kvs_graphql.turns import InTurns


def wait_for_turns(schema: Schema) -> None:
    """Give the fields that may take long resolvers that then return what can be awaited."""
    for kind in graphql_schema(schema).type_map.values():
        if isinstance(kind, GraphQLObjectType) and not kind.name.startswith("__"):
            for field in kind.fields.values():
                if IN_TURNS.items() <= metadata_of(field).items():
                    field.resolve = _waiting(field.resolve)


def _waiting(resolve: Callable[..., Any]) -> Callable[..., Any]:
    def resolver(source: Any, info: Any, **arguments: Any) -> Any:
        try:
            return resolve(source, info, **arguments)
        except InTurns as work:
            return info.context.budget.finish(work)

    return resolver
