"""What operations cost: stated in the schema, foreseen for each document and its variables."""

from typing import Any

import pytest
from graphql import FragmentDefinitionNode, OperationDefinitionNode, parse

from kvs_graphql.api import build_schema
from kvs_graphql.compat.strawberry import graphql_schema
from kvs_graphql.executor.prices import price_of

SCHEMA = graphql_schema(build_schema({"": True}))
ENTRIES = "query($first: Int, $last: Int) { entries(first: $first, last: $last) { edges { node { key } } } }"


def price(document: str, **variables: Any) -> int:
    definitions = parse(document).definitions
    (operation,) = [one for one in definitions if isinstance(one, OperationDefinitionNode)]
    fragments = [one for one in definitions if isinstance(one, FragmentDefinitionNode)]
    return price_of(SCHEMA, operation, fragments).of(variables)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ('{ value(key: "a") { key value } }', 3),
        ('{ value(key: "a") { key key } }', 2),
        ('{ value(key: "a") { a: key b: key } }', 3),
        ('{ value(key: "a") { json(pointer: "/a") } }', 6),
        ('{ value(key: "a") { headers { key } } }', 1 + 1 + 10),
        ('{ values(keys: ["a", "b"]) { key value } }', 1 + 2 * 2),
        ('{ values(keys: "a") { key } }', 2),
        ("{ entries { edges { cursor } } }", 1 + 1 + 100),
        ("{ entries(first: 7) { totalCount edges { cursor } } }", 1 + 1_000 + 1 + 7),
        ("{ entries(first: 7) { edges { cursor } pageInfo { hasNextPage } } }", 1 + 1 + 7 + 2),
        ('{ value(key: "a") { history { kind } } }', 1 + 10 + 10),
        ('{ value(key: "a") { history(last: 100) { json headers { key } } } }', 11 + 100 * (5 + 1 + 10)),
        ('mutation { set(key: "a", value: "b") { entryId entry { json history { kind } } } }', 10 + 1 + 1 + 5 + 20),
        ("{ status { tables { partitions { lag } } } }", 1 + 1 + 1 + 10),
        ('{ node(id: "YQ") { id ... on Entry { value } } }', 3),
        ("{ ...F ...F } fragment F on Query { status { lag } }", 2),
        ("{ __typename __schema { types { name fields { name } } } }", 1 + 10_000),
        ('mutation { set(key: "a", value: "b") { offset } }', 11),
        ("subscription { updates { key entryId entry { value } } }", 5),
    ],
)
def test_price_of_a_document(document: str, expected: int) -> None:
    assert price(document) == expected


@pytest.mark.parametrize(
    ("document", "variables", "expected"),
    [
        ("query($k: [String!]!) { values(keys: $k) { key } }", {"k": ["a"] * 1_000}, 1_001),
        ("query($k: [String!]!) { values(keys: $k) { key } }", {"k": "a"}, 2),
        (ENTRIES, {"first": 20}, 2 + 20 * 2),
        (ENTRIES, {"first": None, "last": 30}, 2 + 30 * 2),
        (ENTRIES, {"first": 20, "last": 30}, 2 + 30 * 2),
        (ENTRIES, {"first": 20.0}, 2 + 20 * 2),
        (ENTRIES, {"first": -5}, 2),
        (ENTRIES, {"first": "many"}, 2 + 2),
        (ENTRIES, {}, 2 + 100 * 2),
        ("query($f: Int = 9) { entries(first: $f) { edges { cursor } } }", {}, 2 + 9),
        ("query($p: String!) { values(keys: [1, 2]) { json(pointer: $p) } }", {"p": "/" * 640}, 1 + 2 * 15),
        ("query($key: String!) { value(key: $key) { key } }", {"key": "k" * 640}, 2),
    ],
)
def test_price_depends_on_the_values_of_variables(document: str, variables: dict[str, Any], expected: int) -> None:
    assert price(document, **variables) == expected


def test_default_limit_lets_through_what_the_other_defaults_promise() -> None:
    everything_past = "value json size partition offset timestamp headers { key value }"
    everything = f"id key {everything_past}"
    promised = [
        price(f"query($k: [String!]!) {{ values(keys: $k) {{ {everything} }} }}", k=["key"] * 1_000),
        price(f"{{ entries(first: 1000) {{ edges {{ cursor node {{ {everything} }} }} }} }}"),
        price(f'{{ value(key: "a") {{ history(last: 1000) {{ kind cursor {everything_past} }} }} }}'),
        price("query($k: [String!]!) { values(keys: $k) { history { kind offset value } } }", k=["k"] * 1_000),
    ]
    assert max(promised) <= 100_000
