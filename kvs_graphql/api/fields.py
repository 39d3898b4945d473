"""Root fields: what those of queries, subscriptions and mutations have in common."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import strawberry
from strawberry import UNSET
from strawberry.types.field import StrawberryField

from kvs_graphql.api.scalars import CursorToken

T = TypeVar("T")


def named(table: str, name: str) -> str:
    """The name of a table's root field."""
    return table + name[0].upper() + name[1:] if table else name


def root_field(table: str, name: str, declare: Callable[..., Any], resolver: Any, **options: Any) -> StrawberryField:
    """A table's root field, declared by `strawberry.field`, `mutation` or `subscription` with those options."""
    field: StrawberryField = declare(resolver=resolver, name=named(table, name), **options)
    # The resolvers of all tables have the same name; in their type, each field needs its own.
    field.python_name = named(table, name)
    return field


def given(argument: T | None) -> T | None:
    """An argument left out is the same as null."""
    return None if argument is UNSET else argument


AtLeast = Annotated[
    CursorToken | None, strawberry.argument(description="Read at this cursor or later, waiting for it if need be.")
]
MaxWait = Annotated[float | None, strawberry.argument(description="Seconds to wait for `atLeast`.")]
