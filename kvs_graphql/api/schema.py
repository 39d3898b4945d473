"""The schema, put together."""

from collections.abc import Iterable, Mapping, Set
from functools import lru_cache

import strawberry
from strawberry.exceptions import DuplicatedTypeName
from strawberry.schema.config import StrawberryConfig
from strawberry.tools import create_type

from kvs_graphql.access import Visible
from kvs_graphql.api.context import SelectionInfo
from kvs_graphql.api.queries import query_fields, shared_query_fields
from kvs_graphql.api.scalars import SCALARS
from kvs_graphql.api.subscriptions import shared_subscription_fields, subscription_fields
from kvs_graphql.api.tables import TEXT, TableTypes, table_types
from kvs_graphql.api.turns import wait_for_turns
from kvs_graphql.api.typed.scalars import TYPED_SCALARS
from kvs_graphql.api.writes import MUTATION, mutation_fields
from kvs_graphql.compat.strawberry import graphql_schema, tell_one_of
from kvs_graphql.errors import BadSetting
from kvs_graphql.formats import TableFormats


def build_schema(
    writable: Mapping[str, bool] | None = None,
    formats: Mapping[str, TableFormats] | None = None,
    *,
    visible: Visible | None = None,
    json_bytes_max: int = 0,
    data_bytes_max: int = 0,
) -> strawberry.Schema:
    """The schema of a service.

    `writable` has the names of its tables, and whether each takes writes; by default, there is one without a name that
    takes none. A schema without writes has no mutations at all. `formats` has those of tables with a schema, whose
    values are decoded, and shown as JSON, up to these bytes. `visible` is what one principal sees of it; None for all.

    Raises:
        BadSetting: Types of two tables have the same name.
    """
    writable = writable or {"": False}
    tables = {
        table: (table_types(table, (formats or {}).get(table, TEXT), json_bytes_max, data_bytes_max), writes)
        for table, writes in writable.items()
    }
    all_types = [types for name, (types, _) in tables.items() if visible is None or name in visible.read]
    hidden = {"status"} if visible is not None and not visible.status else set[str]()
    queries = [field for types in all_types for field in query_fields(types)]
    queries += [field for field in shared_query_fields(all_types) if field.python_name not in hidden]
    subscriptions = [field for types in all_types for field in subscription_fields(types)]
    subscriptions += [field for field in shared_subscription_fields() if field.python_name not in hidden]
    mutations = [
        field
        for name, (types, writes) in tables.items()
        if writes and (visible is None or name in visible.write)
        for field in mutation_fields(types)
    ]
    if formats:
        _check_names([types for types, _ in tables.values()], _names_without_schemas(tuple(writable.items())))
    try:
        schema = strawberry.Schema(
            query=create_type("Query", queries),
            mutation=create_type("Mutation", mutations, description=MUTATION) if mutations else None,
            subscription=create_type("Subscription", subscriptions) if subscriptions else None,
            types=[types.entry for types in all_types],
            config=StrawberryConfig(scalar_map={**SCALARS, **TYPED_SCALARS}, info_class=SelectionInfo),
        )
    except DuplicatedTypeName as error:
        raise BadSetting(f"tables: {error.message}: give a table another name") from None
    tell_one_of(schema)
    wait_for_turns(schema)
    return schema


@lru_cache(1)
def _names_without_schemas(writable: tuple[tuple[str, bool], ...]) -> frozenset[str]:
    """The names of all types that no schema of a table has."""
    scalars = {str(scalar.name) for scalar in TYPED_SCALARS.values()}
    return frozenset(scalars | graphql_schema(build_schema(dict(writable))).type_map.keys())


def _check_names(tables: Iterable[TableTypes], others: Set[str]) -> None:
    """Refuse types of one name: Strawberry takes some of them for the same type.

    Raises:
        BadSetting: Types of two tables have the same name.
    """
    owners = dict.fromkeys(others, "the service")
    for types in tables:
        for name in sorted(types.of_schemas()):
            if name in owners:
                text = f"tables: the type {name} of table {types.table!r} is also one of {owners[name]}"
                raise BadSetting(f"{text}: give a table another name")
            owners[name] = f"table {types.table!r}"


def names_of_types() -> Set[str]:
    """The names of the types that a service has whatever its tables are: no table with a schema can be called so."""
    return _names_without_schemas((("", True),))


def print_schema(writable: Mapping[str, bool] | None = None, formats: Mapping[str, TableFormats] | None = None) -> str:
    """The schema of a service in GraphQL's own language; by default that of one topic, with writes."""
    return build_schema(writable or {"": True}, formats).as_str() + "\n"
