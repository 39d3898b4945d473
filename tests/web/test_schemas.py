"""The schema of each principal, found without looking at all tables for each request."""

from collections.abc import Iterator
from typing import Any, cast

from kvs_graphql.access import ANYONE, Access, Grant, Grants, Verb, Visible
from kvs_graphql.executor import Executor
from kvs_graphql.web.schemas import Schemas


class Tables(dict[str, None]):
    """Names of tables, which count how often somebody looks at all of them."""

    looks = 0

    def __iter__(self) -> Iterator[str]:
        self.looks += 1
        return super().__iter__()


def reader(name: str, *tables: str) -> Access:
    return Access(name, Grants(frozenset(Grant(Verb.READ, table) for table in tables)))


def test_tables_are_looked_at_once_for_each_set_of_grants() -> None:
    tables, built = Tables({"a": None, "b": None}), list[Visible]()

    def build(visible: Visible) -> Executor:
        built.append(visible)
        return cast("Executor", object())

    whole: Any = object()
    schemas = Schemas(whole, tables, build)
    for_a, for_b = (schemas.of(reader("ann", table)) for table in "ab")
    looks = tables.looks
    for _ in range(3):
        assert schemas.of(reader("bob", "a")) is for_a
        assert schemas.of(reader("cid", "b")) is for_b
        assert schemas.of(ANYONE) is whole
    assert (tables.looks, len(built)) == (looks, 2)
