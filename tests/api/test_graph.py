"""The graph of any number of tables: each has what the only one has, and all have interfaces in common."""

import re

import pytest
from graphql import GraphQLInterfaceType, GraphQLObjectType, GraphQLSchema, build_schema, print_type

from kvs_graphql.api import print_schema

TABLES = ("orders", "items")
ROOTS = ("Query", "Mutation", "Subscription")


def definitions(schema: GraphQLSchema, table: str = "", others: str = "-") -> set[str]:
    """The types of a table, and those in common, with the names that they have in the graph of the only table."""
    return {
        re.sub(rf"\b{table.capitalize()}(?=[A-Z])", "", print_type(kind))
        for name, kind in schema.type_map.items()
        if name not in ROOTS and not name.startswith(others.capitalize())
    }


def root_fields(schema: GraphQLSchema, root: str, table: str = "", others: str = "-") -> dict[str, str]:
    """The root fields of a table, and those in common, with their arguments and types; named as by `definitions`."""
    kind, prefix = schema.type_map[root], re.compile(rf"^{table}(?=[A-Z])")
    assert isinstance(kind, GraphQLObjectType)
    shown = dict[str, str]()
    for name, field in kind.fields.items():
        if name.startswith(others):
            continue
        own = prefix.sub("", name)
        arguments = ", ".join(f"{argument}: {one.type}" for argument, one in field.args.items())
        result = re.sub(rf"\b{table.capitalize()}(?=[A-Z])", "", str(field.type))
        shown[f"{own[0].lower()}{own[1:]}"] = f"({arguments}): {result}"
    return shown


@pytest.mark.parametrize(("table", "others"), [TABLES, TABLES[::-1]])
def test_named_table_has_the_types_and_fields_of_the_only_one_under_its_name(table: str, others: str) -> None:
    alone, named = (build_schema(print_schema(dict.fromkeys(tables, True))) for tables in ([""], TABLES))
    assert definitions(named, table, others) == definitions(alone)
    for root in ROOTS:
        assert root_fields(named, root, table, others) == root_fields(alone, root), root


@pytest.mark.parametrize("prefix", ["", "Orders"])
def test_types_of_each_table_implement_the_interfaces_of_any(prefix: str) -> None:
    schema = build_schema(print_schema({prefix.lower(): True, **({"items": False} if prefix else {})}))
    for name in ("Entry", "Update", "Revision", "Write"):
        own, interface = schema.type_map[f"{prefix}{name}"], schema.type_map[f"Any{name}"]
        assert isinstance(own, GraphQLObjectType)
        assert isinstance(interface, GraphQLInterfaceType)
        assert interface in own.interfaces
        assert own.fields.keys() == interface.fields.keys()


def test_only_tables_with_writes_have_mutations() -> None:
    graph = build_schema(print_schema({"orders": True, "items": False}))
    assert graph.mutation_type is not None
    assert set(graph.mutation_type.fields) == {"ordersSet", "ordersDelete"}
    assert "ItemsWrite" not in graph.type_map
    assert build_schema(print_schema({"orders": False, "items": False})).mutation_type is None
