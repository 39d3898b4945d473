"""Variables and arguments have the values that graphql-core gives them, and its errors."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pytest
from graphql import OperationDefinitionNode, get_variable_values, parse
from hypothesis import given
from hypothesis import strategies as st

from kvs_graphql.api import build_schema
from kvs_graphql.compat.strawberry import graphql_schema
from kvs_graphql.executor.compiled.arguments import Bound, Variables
from tests.growth import grows_linearly

SCHEMA = graphql_schema(build_schema({"": True}))
ENUM_NAMES = ["UTF8", "BASE64", "HEX", "utf8", ""]
NAMED: dict[str, st.SearchStrategy[Any]] = {
    "String": st.text(max_size=3),
    "ID": st.text(max_size=3) | st.integers(),
    "Cursor": st.text(max_size=3),
    "Boolean": st.booleans(),
    "Int": st.integers(-(2**31) - 2, 2**31 + 1),
    "Float": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**31) - 2, 2**31 + 1) | st.integers(),
    "Long": st.integers(-(2**63) - 2, 2**63 + 1),
    "Encoding": st.sampled_from(ENUM_NAMES),
    "HeaderInput": st.fixed_dictionaries({"key": st.text(max_size=2)}, optional={"value": st.none() | st.text()}),
}
EDGES: list[Any] = [
    *(None, True, False, 0, 1, -1, 1.0, -0.0, 1.5, 1e300, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**53 + 1, 2**63),
    *("", "a", "1", "true", "UTF8", "HEX", "utf8", [], {}, {"key": "a"}, {"key": "a", "encoding": "HEX"}, {"other": 1}),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@st.composite
def types(draw: st.DrawFn, depth: int = 0) -> tuple[str, st.SearchStrategy[Any]]:
    """Generate a type, and values that mostly have it."""
    if depth < 2 and draw(st.integers(0, 2)) == 0:
        name, item = draw(types(depth + 1))
        name, value = f"[{name}]", st.lists(item, max_size=3) | item
    else:
        name = draw(st.sampled_from(sorted(NAMED)))
        value = NAMED[name]
    if draw(st.booleans()):
        return f"{name}!", value
    return name, st.none() | value


@st.composite
def operations(draw: st.DrawFn) -> tuple[str, dict[str, Any] | None]:
    """Generate declarations of variables, and values for some of them."""
    declared, values = [], {}
    for number in range(draw(st.integers(1, 3))):
        kind, value = draw(types())
        default = ' = "UTF8"' if kind == "String" and draw(st.booleans()) else ""
        default = " = HEX" if kind in ("Encoding", "Encoding!") and draw(st.booleans()) else default
        default = " = null" if not kind.endswith("!") and not default and draw(st.booleans()) else default
        declared.append(f"$v{number}: {kind}{default}")
        if draw(st.integers(0, 4)):
            values[f"v{number}"] = draw(JSON if draw(st.integers(0, 4)) == 0 else value)
    given_values: dict[str, Any] | None = values | ({"undeclared": 1} if draw(st.booleans()) else {})
    return ", ".join(declared), given_values or draw(st.sampled_from(({}, None)))


def exact(values: Mapping[str, Any]) -> dict[str, str]:
    """Return values in a form in which 1, 1.0 and True differ."""
    return {name: repr(value) for name, value in values.items()}


def compare(declared: str, values: dict[str, Any] | None) -> None:
    """Bind variables as compiled operations and as graphql-core do; fail if the results differ."""
    (definition,) = parse(f"query ({declared}) {{ __typename }}").definitions
    assert isinstance(definition, OperationDefinitionNode)
    definitions = tuple(definition.variable_definitions or ())
    bound = Variables(SCHEMA, definitions).bind(values)
    expected = get_variable_values(SCHEMA, definitions, values or {}, max_errors=50)
    if isinstance(expected, list):
        assert isinstance(bound, list), (declared, values)
        assert [error.formatted for error in bound] == [error.formatted for error in expected]
    else:
        assert isinstance(bound, Bound), (declared, values)
        assert exact(bound.values) == exact(expected.coerced), (declared, values)


@given(operations())
def test_variables_have_the_values_and_errors_of_graphql_core(operation: tuple[str, dict[str, Any] | None]) -> None:
    compare(*operation)


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("form", ["{}", "{}!", "[{}]", "[{}!]!", "[[{}]]"])
def test_values_at_the_edges_of_a_type_are_bound_like_graphql_core(name: str, form: str) -> None:
    for value in [*EDGES, *([edge] for edge in EDGES), [[1, None]], [["UTF8"], None], ["UTF8", 1, None]]:
        compare(f"$v: {form.format(name)}", {"v": value})


@pytest.mark.parametrize(
    ("kind", "value", "coerced"),
    [
        ("String!", "a", "a"),
        ("[String!]", "a", ["a"]),
        ("[[Int]]", [[1], None], [[1], None]),
        ("Float", 1, 1.0),
        ("Int", 1.0, 1),
        ("ID", 7, "7"),
        ("Boolean", None, None),
        ("Long", 2**40, 2**40),
    ],
)
def test_values_of_other_forms_are_coerced(kind: str, value: object, coerced: object) -> None:
    (definition,) = parse(f"query ($v: {kind}) {{ __typename }}").definitions
    assert isinstance(definition, OperationDefinitionNode)
    bound = Variables(SCHEMA, tuple(definition.variable_definitions or ())).bind({"v": value})
    assert isinstance(bound, Bound)
    assert exact(bound.values) == exact({"v": coerced})


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("[String!]!", lambda n: ["a"] * n),
        ("[String!]!", lambda n: ["a"] * n + [1]),
        ("[String!]!", lambda n: [1] * n),
        ("[ID!]!", lambda n: [1] * n),
        ("[[Int]]", lambda n: [[1]] * n),
        ("[HeaderInput!]", lambda n: [{"key": "a", "value": "b"}] * n),
        ("[HeaderInput!]", lambda n: [{"key": "a", "value": 1}] * n),
        ("HeaderInput", lambda n: {f"x{number}": 1 for number in range(n)}),
        ("Encoding", lambda n: "A" * 100 * n),
        ("Long", lambda n: "9" * 10 * n),
    ],
    ids=[
        *("right", "the last one wrong", "all wrong", "coerced", "lists", "objects", "wrong objects", "unknown fields"),
        *("a long name", "a long number"),
    ],
)
def test_time_to_bind_variables_grows_linearly(kind: str, value: Callable[[int], object]) -> None:
    (definition,) = parse(f"query ($v: {kind}) {{ __typename }}").definitions
    assert isinstance(definition, OperationDefinitionNode)
    variables = Variables(SCHEMA, tuple(definition.variable_definitions or ()))
    assert grows_linearly(lambda number: partial(variables.bind, {"v": value(number)}), 5_000)
