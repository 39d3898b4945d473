"""Documents and requests beyond a limit: refused with a code, soon, and never by a traceback."""

from collections.abc import AsyncIterator
from time import monotonic
from typing import Any

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from kvs_graphql.demo.broker import EmbeddedBroker
from tests.api.test_values import Holding, holding
from tests.serving import Served

REQUEST_BYTES_MAX = 1_000
SMALLEST: dict[str, Any] = {
    "keys_per_request_max": 1,
    "key_bytes_max": 1,
    "page_entries_max": 1,
    "query_depth_max": 1,
    "query_aliases_max": 0,
    "query_tokens_max": 20,
    "request_bytes_max": REQUEST_BYTES_MAX,
}


def fragments_that_double(levels: int) -> str:
    """A short document that spreads its last fragment 2**levels times."""
    doubling = [f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }}" for n in range(levels)]
    return " ".join(["{ ...F0 }", *doubling, f"fragment F{levels} on Query {{ __typename }}"])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def roomy(embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    async with holding(embedded_broker, tmp_path_factory.mktemp("roomy"), (b"a", b"1")) as held:
        yield held.served


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def smallest(embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Holding]:
    directory = tmp_path_factory.mktemp("smallest")
    async with holding(embedded_broker, directory, (b"a", b"1"), (b"b", b"2"), **SMALLEST) as held:
        yield held


@pytest.mark.asyncio(loop_scope="module")
class TestWithEveryLimitAtItsLeast:
    @pytest.fixture
    def served(self, smallest: Holding) -> Served:
        return smallest.served

    async def test_what_is_within_the_limits_is_answered(self, served: Served) -> None:
        assert await served.data('{ value(key: "a") { value } }') == {"value": {"value": "1"}}
        assert await served.data("{ status { lag } }") == {"status": {"lag": 0}}

    @pytest.mark.parametrize(
        ("document", "code"),
        [
            ("{ status { sizes { databaseBytes } } }", "GRAPHQL_VALIDATION_FAILED"),
            ("{ ...F } fragment F on Query { status { sizes { databaseBytes } } }", "GRAPHQL_VALIDATION_FAILED"),
            ("{ name: __typename }", "GRAPHQL_VALIDATION_FAILED"),
            ("{ __typename " + "__typename " * 20 + "}", "GRAPHQL_PARSE_FAILED"),
            ('{ values(keys: ["a", "b"]) { size } }', "TOO_MANY_KEYS"),
            ('{ values(keys: ["a", "a"]) { size } }', "TOO_MANY_KEYS"),
            ('{ value(key: "aa") { size } }', "BAD_KEY"),
            ('{ node(id: "YWE") { id } }', "BAD_KEY"),
            ('{ entries(prefix: "aa") { __typename } }', "BAD_KEY"),
            ("{ entries(first: 2) { __typename } }", "BAD_INPUT"),
            ("{ entries(last: 2) { __typename } }", "BAD_INPUT"),
        ],
    )
    async def test_what_is_beyond_a_limit_is_refused_with_a_code(
        self, served: Served, document: str, code: str
    ) -> None:
        with capture_logs() as logged:
            assert await served.code(document) == code
        assert logged == []

    async def test_the_keys_of_all_fields_of_a_request_count_together(self, served: Served) -> None:
        answer = await served.query('{ value(key: "a") { size } node(id: "Yg") { id } }')
        assert answer["data"] == {"value": {"size": 1}, "node": None}
        (error,) = answer["errors"]
        assert (error["path"], error["extensions"]) == (["node"], {"code": "TOO_MANY_KEYS", "limit": 1})

    @pytest.mark.parametrize("told", [True, False], ids=["with its length", "in chunks"])
    async def test_a_body_that_is_too_large_is_refused_with_a_code(self, served: Served, told: bool) -> None:
        body = b'{"query": "' + b" " * REQUEST_BYTES_MAX + b'{ __typename }"}'

        async def chunks() -> AsyncIterator[bytes]:
            yield body

        content = body if told else chunks()
        answer = await served.http.post("/graphql", content=content, headers={"content-type": "application/json"})
        assert answer.status_code == 413
        assert answer.json()["errors"][0]["extensions"] == {"code": "LIMIT_EXCEEDED"}


@pytest.mark.asyncio(loop_scope="module")
class TestWithTheUsualLimits:
    @pytest.fixture
    def served(self, roomy: Served) -> Served:
        return roomy

    async def test_the_introspection_of_tools_is_within_the_limits(self, served: Served) -> None:
        types = "ofType { name " * 9 + "}" * 9
        document = f"{{ __schema {{ types {{ fields {{ type {{ name {types} }} }} }} }} }}"
        assert "errors" not in await served.query(document)

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
            ("{ __typename" + " __typename" * 1_900 + "}", "GRAPHQL_VALIDATION_FAILED"),
            ("{", "GRAPHQL_PARSE_FAILED"),
            ("\0", "GRAPHQL_PARSE_FAILED"),
            ('{ value(key: "\\uD800") { size } }', "GRAPHQL_PARSE_FAILED"),
        ],
    )
    async def test_a_hostile_document_is_refused_with_a_code_and_not_logged(
        self, served: Served, document: str, code: str
    ) -> None:
        with capture_logs() as logged:
            assert await served.code(document) == code
        assert logged == []

    async def test_a_document_whose_fragments_double_holds_nobody_up(self, served: Served) -> None:
        began = monotonic()
        await served.query(fragments_that_double(16))
        assert monotonic() - began < 0.5

    async def test_a_variable_of_the_wrong_type_is_bad_input(self, served: Served) -> None:
        document = "query($key: String!) { value(key: $key) { size } }"
        assert await served.code(document, key=5) == "BAD_INPUT"
        assert await served.code(document) == "BAD_INPUT"
        assert await served.code(document, key=None) == "BAD_INPUT"
