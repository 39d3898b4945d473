"""Root fields: what those of queries, subscriptions and mutations have in common."""

from collections.abc import Callable, Iterable
from typing import Annotated, Any, TypeVar

import strawberry
from strawberry import UNSET
from strawberry.types.field import StrawberryField

from kvs_graphql.access import Verb
from kvs_graphql.api.scalars import CursorToken

T = TypeVar("T")

IN_TURNS = {"in_turns": True}
"""What says of a field that its resolver raises `InTurns` where it takes long."""

_VERBS = {
    **dict.fromkeys(("value", "values", "entries", "updates"), Verb.READ),
    **dict.fromkeys(("set", "delete"), Verb.WRITE),
}


def named(table: str, name: str) -> str:
    """The name of a table's root field."""
    return table + name[0].upper() + name[1:] if table else name


def root_field(table: str, name: str, declare: Callable[..., Any], resolver: Any, **options: Any) -> StrawberryField:
    """A table's root field, declared by `strawberry.field`, `mutation` or `subscription` with those options."""
    field: StrawberryField = declare(resolver=resolver, name=named(table, name), **options)
    # The resolvers of all tables have the same name; in their type, each field needs its own.
    field.python_name = named(table, name)
    return field


def rights_of_fields(tables: Iterable[str]) -> dict[str, list[tuple[Verb, str]]]:
    """What a principal has to have one of, to see a root field: a verb and a table. `node` is seen by all."""
    names = list(tables)
    rights = {named(table, name): [(verb, table)] for table in names for name, verb in _VERBS.items()}
    return {**rights, "status": [(Verb.STATUS, table) for table in names]}


def given(argument: T | None) -> T | None:
    """An argument left out is the same as null."""
    return None if argument is UNSET else argument


AtLeast = Annotated[
    CursorToken | None, strawberry.argument(description="Read at this cursor or later, waiting for it if need be.")
]
MaxWait = Annotated[float | None, strawberry.argument(description="Seconds to wait for `atLeast`.")]
