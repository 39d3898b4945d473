"""What scanners of GraphQL services look for is not here: schemathesis itself, and the checklist of graphql-cop.

Both take each error for a finding. What they find here, on the strictest settings, has its reason in the tests.
"""

import os
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio

from kvs_graphql.demo.broker import EmbeddedBroker
from tests.known_holes import scanner
from tests.known_holes.asking import Found, is_well
from tests.serving import Served, serving_topic
from tests.web.posting import JSON, codes

pytestmark = pytest.mark.asyncio(loop_scope="package")

EXPECTED = {"BAD_INPUT", "BAD_KEY", "BAD_CURSOR", "NOT_UTF8", "NOT_JSON", "NOT_CAUGHT_UP", "LIMIT_EXCEEDED"}
"""Of wrong values, which the schema cannot tell from right ones."""
DOCUMENT = {"GRAPHQL_VALIDATION_FAILED", "GRAPHQL_PARSE_FAILED"}
HIDDEN: dict[str, Any] = {"introspection": False, "suggestions": False, "graphiql": False, "enable_writes": True}


@pytest.fixture(scope="module")
def _schemathesis() -> None:
    """Skips where it cannot be installed, or fails under KVS_REQUIRE_CLIENTS=1."""
    reason = scanner.missing()
    if reason and os.environ.get("KVS_REQUIRE_CLIENTS") == "1":
        pytest.fail(f"KVS_REQUIRE_CLIENTS=1, but: {reason}", pytrace=False)
    if reason:
        pytest.skip(reason)


@pytest.mark.client
@pytest.mark.usefixtures("_schemathesis")
async def test_schemathesis_finds_no_error_that_is_not_promised(served: Served, tmp_path: Path) -> None:
    said = await scanner.scan(f"{served.run.url}/graphql", report := tmp_path / "report.har")
    exchanges = orjson.loads(report.read_bytes())["log"]["entries"]
    asked: Counter[str] = Counter()
    for exchange in exchanges:
        request, answer = exchange["request"]["postData"]["text"], exchange["response"]
        content = orjson.loads(answer["content"]["text"])
        found = Found.of(answer["content"]["text"])
        assert (answer["status"], "data" in content or "errors" in content) == (200, True), (request, content)
        assert found.codes <= EXPECTED | DOCUMENT, (request, content)
        assert len(found.codes) > 0 or "errors" not in content, "each error has a code"
        query = orjson.loads(request).get("query", "")
        asked.update(
            name for name in ("value(", "values(", "entries(", "node(", "status", "set(", "delete(") if name in query
        )
    assert len(asked) == 7, (asked, said)
    assert await is_well(served)


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def hidden(embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """A service that tells nothing of its schema."""
    async with serving_topic(embedded_broker, tmp_path_factory.mktemp("hidden"), (b"a", b"1"), **HIDDEN) as topic:
        yield topic.served


async def by_post(served: Served, query: str) -> Any:
    return (await served.http.post("/graphql", json={"query": query, "operationName": "cop"})).json()


@pytest.mark.parametrize(
    "query",
    [
        "query cop { __schema { types { name fields { name } } } }",
        f"query cop {{ {' '.join(f'alias{number}: __typename' for number in range(101))} }}",
        "query cop { __typename %s }" % ("@aa" * 990),
        "query cop { __schema { types { %s } } }" % ("fields { type { " * 4 + "name" + " } }" * 4),
        "qwerty cop { abc }",
        "query cop { __schema { directive } }",
    ],
    ids=["introspection", "aliases", "directives", "circles", "unparsable", "suggestions"],
)
async def test_document_of_the_checklist_is_refused_and_tells_nothing(hidden: Served, query: str) -> None:
    answer = await by_post(hidden, query)
    assert "data" not in answer
    assert {error["extensions"]["code"] for error in answer["errors"]} <= DOCUMENT
    # There is no end to the errors that a document could have, but to those in an answer.
    assert len(answer["errors"]) <= 101
    assert not [word for word in ("Did you mean", "exception", "tracing", "Traceback") if word in str(answer)]


async def test_batch_executes_nothing(hidden: Served) -> None:
    """graphql-cop counts the answers, of which there is one for each request: all of them are the same error."""
    write = 'mutation cop { set(key: "batch", value: "1") { offset } }'
    for batch in ([{"query": "query cop { __typename }"}] * 10, [{"query": write}] * 10):
        answer = await hidden.http.post("/graphql", json=batch)
        assert {tuple(one) for one in answer.json()} == {("errors",)}
        assert "Batches" in answer.text
    assert (await hidden.data('{ value(key: "batch") { value } }'))["value"] is None


async def test_get_reads_only_and_not_for_other_sites(hidden: Served) -> None:
    """graphql-cop takes any GET for a danger: here other sites' pages get nothing by it."""
    write = await hidden.http.get("/graphql", params={"query": "mutation cop { __typename }"}, headers={"accept": JSON})
    assert (write.status_code, codes(write)) == (405, ["BAD_INPUT"])
    headers = {"accept": JSON, "sec-fetch-site": "cross-site"}
    read = await hidden.http.get("/graphql", params={"query": "query cop { __typename }"}, headers=headers)
    assert (read.status_code, codes(read)) == (403, ["FORBIDDEN"])


async def test_post_of_a_form_is_refused(hidden: Served) -> None:
    answer = await hidden.http.post("/graphql", data={"query": "query cop { __typename }"})
    assert (answer.status_code, codes(answer)) == (415, ["BAD_INPUT"])


async def test_no_page_is_shown_where_it_is_switched_off(hidden: Served) -> None:
    answer = await hidden.http.get("/graphql", headers={"accept": "text/html"})
    assert "graphiql" not in answer.text.lower()


async def test_no_answer_has_a_trace(hidden: Served) -> None:
    for query in ("query cop { __typename }", 'query cop { value(key: "a") { json } }'):
        assert set((await by_post(hidden, query)).get("extensions", {})) <= {"cursor"}
