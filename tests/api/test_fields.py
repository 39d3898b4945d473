"""Each root field is known by what a principal has to have to see it."""

from kvs_graphql.access import Grant, Grants, Verb, Visible
from kvs_graphql.api import build_schema, rights_of_fields
from kvs_graphql.compat.strawberry import graphql_schema

TABLES = {"orders": True, "ordersValue": True, "customers": False}


def roots(visible: Visible | None) -> set[str]:
    schema = graphql_schema(build_schema(TABLES, visible=visible))
    types = (schema.query_type, schema.mutation_type, schema.subscription_type)
    return {name for kind in types if kind is not None for name in kind.fields}


def test_rights_of_fields_are_those_by_which_the_schema_shows_them() -> None:
    rights = rights_of_fields(TABLES)
    assert roots(None) - rights.keys() == {"node"}
    for name in roots(None) - {"node"}:
        for verb in Verb:
            for table in TABLES:
                visible = Visible.to(Grants(frozenset([Grant(verb, table)])), TABLES)
                assert (name in roots(visible)) is ((verb, table) in rights[name]), (name, verb, table)
