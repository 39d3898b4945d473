"""Documents within the limits are prepared; those beyond are refused soon, with a code, and never logged."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from graphql import get_introspection_query
from structlog.testing import capture_logs

from kvs_graphql.api import build_schema
from kvs_graphql.executor import DocumentLimits, Executor, PreparedOperation, Refusal, Request
from kvs_graphql.metrics import Metrics
from kvs_graphql.settings import load_settings
from tests.applications import EXECUTOR_LIMITS, open_application
from tests.growth import grows_linearly

SCHEMA = build_schema()
LEAST = DocumentLimits(bytes_max=1_000, depth_max=1, aliases_max=0, tokens_max=20)


def prepare(limits: DocumentLimits, document: str) -> PreparedOperation | Refusal:
    executor = Executor(SCHEMA, replace(EXECUTOR_LIMITS, documents=limits), Metrics())
    return executor.prepare(Request(document))


def usual_limits() -> DocumentLimits:
    """Return the limits that a service has unless it is configured otherwise."""
    settings = load_settings(bootstrap_servers="unused:9092", topic="unused")
    return DocumentLimits(
        settings.document_bytes_max, settings.query_depth_max, settings.query_aliases_max, settings.query_tokens_max
    )


def fragments_that_double(levels: int) -> str:
    """Return a short document that spreads its last fragment 2**levels times."""
    doubling = [f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }}" for n in range(levels)]
    return " ".join(["{ ...F0 }", *doubling, f"fragment F{levels} on Query {{ __typename }}"])


def nested_types(levels: int) -> str:
    return f"{{ __schema {{ types {{ fields {{ type {{ name {'ofType { name ' * levels} {'}' * levels} }} }} }} }} }}"


@pytest.mark.parametrize(
    "document",
    [
        "{ status { lag } }",
        '{ value(key: "a") { value } }',
        "{ ...F } fragment F on Query { status { lag } }",
        "{ ... { status { lag } } }",
        "{" + " __typename" * 18 + "}",
        "{ __schema { types { fields { name } } } }",
    ],
)
def test_document_within_the_limits_is_prepared(document: str) -> None:
    assert isinstance(prepare(LEAST, document), PreparedOperation)


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ("{ status { tables { sizes { databaseBytes } } } }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ ...F } fragment F on Query { status { tables { sizes { databaseBytes } } } }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ ... { status { ... { tables { sizes { databaseBytes } } } } } }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ name: __typename }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ ...F } fragment F on Query { name: __typename }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ __typename } query Other { name: __typename }", "GRAPHQL_VALIDATION_FAILED"),
        ("{" + " __typename" * 19 + "}", "GRAPHQL_PARSE_FAILED"),
    ],
)
def test_document_beyond_a_limit_is_refused_with_a_code(document: str, code: str) -> None:
    with capture_logs() as logged:
        refused = prepare(LEAST, document)
    assert isinstance(refused, Refusal)
    assert code in {(error.extensions or {})["code"] for error in refused.errors}
    assert logged == []


def test_aliases_count_each_time_their_fragment_is_spread() -> None:
    document = "{ ...F ...F } fragment F on Query { name: __typename }"
    assert isinstance(prepare(DocumentLimits(1_000, 1, 2, 100), document), PreparedOperation)
    assert isinstance(prepare(DocumentLimits(1_000, 1, 1, 100), document), Refusal)


@pytest.mark.parametrize("levels", [7, 9, 15])
def test_introspection_of_tools_is_within_the_usual_limits(levels: int) -> None:
    assert isinstance(prepare(usual_limits(), nested_types(levels)), PreparedOperation)
    assert isinstance(prepare(usual_limits(), get_introspection_query(type_depth=levels)), PreparedOperation)


def cycles(levels: int, inner: str = "name") -> str:
    """Return selections of a type whose result grows exponentially with the levels."""
    return f"fields {{ type {{ {cycles(levels - 1, inner) if levels > 1 else inner} }} }}"


@pytest.mark.parametrize(
    "document",
    [
        f"{{ __schema {{ types {{ {cycles(3)} }} }} }}",
        f'{{ __type(name: "Entry") {{ {cycles(3)} }} }}',
        f'{{ __type(name: "Entry") {{ ...F }} }} fragment F on __Type {{ {cycles(3)} }}',
        f'{{ __type(name: "Entry") {{ {cycles(2, "...F")} }} }} fragment F on __Type {{ {cycles(1)} }}',
        '{ __type(name: "Node") { possibleTypes { interfaces { possibleTypes { name } } } } }',
        f"{{ status {{ state }} __schema {{ queryType {{ ... {{ {cycles(3)} }} }} }} }}",
        nested_types(60),
        '{ __type(name: "Entry") {' + " ofType {" * 60 + " name" + " }" * 62,
        '{ __type(name: "Entry") { ...F } } fragment F on __Type {' + " ofType {" * 60 + " name" + " }" * 61,
    ],
)
def test_introspection_that_is_too_deep_is_refused(document: str) -> None:
    refused = prepare(usual_limits(), document)
    assert isinstance(refused, Refusal)
    assert {(error.extensions or {})["code"] for error in refused.errors} == {"GRAPHQL_VALIDATION_FAILED"}


def test_document_that_repeats_a_field_too_often_is_refused_by_validation() -> None:
    """Comparing each field with every other would hold up the event loop."""
    refused = prepare(usual_limits(), "{" + " __typename" * 1_900 + "}")
    assert isinstance(refused, Refusal)
    assert [(error.extensions or {})["code"] for error in refused.errors] == ["GRAPHQL_VALIDATION_FAILED"]


def many(part: str, number: int) -> str:
    """Return something many times, each with its number for `%`."""
    return " ".join(part.replace("%", str(one)) for one in range(number))


# Documents of any length, and the length from which on they are watched to grow. (Validation gives up the comparison of
# fields after a number of them: some grow faster before.)
GROWING: dict[str, tuple[Callable[[int], str], int]] = {
    "one field": (lambda n: f"{{ {many('__typename', n)} }}", 800),
    "one object": (lambda n: f"{{ {many('status { state }', n)} }}", 300),
    "one field in fragments": (lambda n: f"{{ {many('... { __typename }', n)} }}", 800),
    "fields": (lambda n: f"{{ {many('a%: __typename', n)} }}", 100),
    "unknown fields": (lambda n: f"{{ {many('entriez%', n)} }}", 200),
    "unknown fragments": (lambda n: f"{{ {many('...f%', n)} }}", 100),
    "fragments of one name": (lambda n: f"{{ ...f }} {many('fragment f on Query { __typename }', n)}", 100),
    "fragments on unknown types": (lambda n: f"{{ __typename }} {many('fragment f% on T% { __typename }', n)}", 100),
    "operations": (lambda n: f"{many('query q% { ...f }', n)} fragment f on Query {{ __typename }}", 100),
    "variables": (lambda n: f"query({many('$v%: ID', n)}) {{ values(keys: [{many('$v%', n)}]) {{ size }} }}", 100),
    "unused variables": (lambda n: f"query({many('$v%: String!', n)}) {{ __typename }}", 100),
    "arguments": (lambda n: f'{{ value(key: "a", {many("x%: 1", n)}) {{ size }} }}', 100),
    "arguments of one name": (lambda n: f'{{ value(key: "a", {many("x: 1", n)}) {{ size }} }}', 100),
    "elements of a list": (lambda n: f"{{ values(keys: [{many('%', n)}]) {{ size }} }}", 500),
    "one directive": (lambda n: f"{{ __typename {many('@skip(if: false)', n)} }}", 100),
    "unknown directives": (lambda n: f"{{ __typename {many('@x%', n)} }}", 200),
    "definitions of types": (lambda n: f"{{ __typename }} {many('type T% { a: Int }', n)}", 100),
    "characters of a string": (lambda n: f'{{ value(key: "{"a" * n}") {{ size }} }}', 100_000),
    "comments": (lambda n: "{ __typename }" + "#\n" * n, 20_000),
}


@pytest.mark.parametrize("growing", GROWING)
def test_time_to_validate_a_document_grows_linearly(growing: str) -> None:
    document, number = GROWING[growing]
    roomy = DocumentLimits(bytes_max=10**9, depth_max=10**9, aliases_max=10**9, tokens_max=10**9)

    def prepared(number: int) -> Callable[[], object]:
        executor = Executor(SCHEMA, replace(EXECUTOR_LIMITS, documents=roomy), Metrics())
        return partial(executor.prepare, Request(document(number)))

    assert grows_linearly(prepared, number)


def test_fragments_that_spread_the_next_one_too_often_are_refused_by_validation() -> None:
    roomy = replace(usual_limits(), tokens_max=100_000, bytes_max=1_000_000)
    links = [f"fragment f{n} on Query {{ ...f{n + 1} }}" for n in range(2_000)]
    refused = prepare(roomy, " ".join(["{ ...f0 }", *links, "fragment f2000 on Query { __typename }"]))
    assert isinstance(refused, Refusal)
    assert {(error.extensions or {})["code"] for error in refused.errors} == {"GRAPHQL_VALIDATION_FAILED"}


async def test_document_whose_fragments_double_takes_no_time(tmp_path: Path) -> None:
    """Following each of its 2**60 spreads would never end."""
    async with open_application(tmp_path) as application:
        assert await application.query(fragments_that_double(60)) == {"data": {"__typename": "Query"}}


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ("{ ...Unknown }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ ...F } fragment F on Query { ...F }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ ...F } fragment F on Query { ...G } fragment G on Query { ...F }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ values(keys: " + "[" * 900 + "]" * 900 + ") { size } }", "GRAPHQL_PARSE_FAILED"),
        ("{ entries(first: " + "9" * 5000 + ") { __typename } }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ entries(first: 4294967296) { __typename } }", "GRAPHQL_VALIDATION_FAILED"),
        ('{ value(key: "a", keyEncoding: ROT13) { size } }', "GRAPHQL_VALIDATION_FAILED"),
        ("{ value { size } }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ value(key: null) { size } }", "GRAPHQL_VALIDATION_FAILED"),
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("\0", "GRAPHQL_PARSE_FAILED"),
        ('{ value(key: "\\uD800") { size } }', "GRAPHQL_PARSE_FAILED"),
    ],
)
async def test_hostile_document_is_refused_with_a_code_and_not_logged(tmp_path: Path, document: str, code: str) -> None:
    async with open_application(tmp_path) as application:
        with capture_logs() as logged:
            answer = await application.query(document)
    assert [error["extensions"]["code"] for error in answer["errors"]] == [code]
    assert "data" not in answer
    assert logged == []


@pytest.mark.parametrize("variables", [{"key": 5}, {}, {"key": None}])
async def test_variable_of_the_wrong_type_is_bad_input(tmp_path: Path, variables: dict[str, object]) -> None:
    document = "query($key: String!) { value(key: $key) { size } }"
    async with open_application(tmp_path) as application:
        (error,) = (await application.query(document, **variables))["errors"]
    assert error["extensions"]["code"] == "BAD_INPUT"


@pytest.mark.parametrize(("document", "size"), [("{__typename}", 12), ('{a:value(key:"ü"){key}}', 24)])
def test_document_is_refused_beyond_its_bytes(document: str, size: int) -> None:
    roomy = replace(usual_limits(), bytes_max=size)
    assert isinstance(prepare(roomy, document), PreparedOperation)
    for bytes_max in (size - 1, 1):
        refused = prepare(replace(roomy, bytes_max=bytes_max), document)
        assert isinstance(refused, Refusal)
        (error,) = refused.errors
        expected = {"code": "LIMIT_EXCEEDED", "limit": bytes_max, "setting": "KVS_DOCUMENT_BYTES_MAX"}
        assert error.extensions == expected
