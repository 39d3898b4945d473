"""The schema, put together."""

import strawberry
from strawberry.schema.config import StrawberryConfig

from kvs_graphql.api.context import SelectionInfo
from kvs_graphql.api.roots import Query, Subscription
from kvs_graphql.api.scalars import SCALARS
from kvs_graphql.api.types import Entry
from kvs_graphql.api.writes import Mutation


def build_schema(*, writes: bool = False) -> strawberry.Schema:
    """The schema of the service; without writes it has no mutations at all."""
    return strawberry.Schema(
        query=Query,
        mutation=Mutation if writes else None,
        subscription=Subscription,
        types=[Entry],
        config=StrawberryConfig(scalar_map=SCALARS, info_class=SelectionInfo),
    )


def print_schema() -> str:
    """The schema in GraphQL's own language, with writes."""
    return build_schema(writes=True).as_str() + "\n"
