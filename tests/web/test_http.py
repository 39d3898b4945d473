"""GraphQL over HTTP: methods, media types, status codes, streams; and who may call from where."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from httpx import QueryParams, Response
from structlog.testing import capture_logs

from kvs_graphql.demo.broker import EmbeddedBroker
from tests.api.test_values import Holding, holding
from tests.serving import Served
from tests.transports import MULTIPART_ACCEPT

pytestmark = pytest.mark.asyncio(loop_scope="module")

NEW = "application/graphql-response+json"
OLD = "application/json"
ALLOWED = "https://pages.example"
SDL = Path(__file__).parents[2] / "schema.graphql"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def held(embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Holding]:
    async with holding(embedded_broker, tmp_path_factory.mktemp("http"), (b"a", b"1")) as held:
        yield held


@pytest.fixture
def served(held: Holding) -> Served:
    return held.served


async def post(served: Served, content: bytes, accept: str = OLD, content_type: str = OLD) -> Response:
    headers = {"content-type": content_type, "accept": accept}
    return await served.http.post("/graphql", content=content, headers=headers)


def codes(answer: Response) -> list[str]:
    return [error["extensions"]["code"] for error in answer.json()["errors"]]


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [(NEW, NEW), (OLD, OLD), ("*/*", OLD), (f"{NEW}; charset=utf-8, {OLD};q=0.9", NEW), ("text/html;q=0", OLD)],
)
async def test_an_answer_has_the_media_type_that_its_client_knows(served: Served, accept: str, media_type: str) -> None:
    answer = await post(served, b'{"query": "{ __typename }"}', accept)
    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
    assert answer.content == b'{"data":{"__typename":"Query"}}'


@pytest.mark.parametrize(
    ("request_body", "status", "code"),
    [
        (b'{"query": "{"}', 400, "GRAPHQL_PARSE_FAILED"),
        (b'{"query": "{ nothing }"}', 400, "GRAPHQL_VALIDATION_FAILED"),
        (b'{"query": "query($n: Int!) { entries(first: $n) { __typename } }"}', 400, "BAD_INPUT"),
        (b'{"query": "{ value(key: \\"a\\") { json(pointer: \\"x\\") } }"}', 200, "BAD_INPUT"),
        (b'{"query": "{ status { lag } entries(first: -1) { __typename } }"}', 200, "BAD_INPUT"),
    ],
)
async def test_a_request_of_which_nothing_was_run_is_400_only_in_the_new_media_type(
    served: Served, request_body: bytes, status: int, code: str
) -> None:
    old, new = await post(served, request_body, OLD), await post(served, request_body, NEW)
    assert (old.status_code, new.status_code) == (200, status)
    assert old.json() == new.json()
    assert codes(new) == [code]
    assert ("data" in new.json()) == (status == 200)


@pytest.mark.parametrize("accept", [OLD, NEW, "text/event-stream", MULTIPART_ACCEPT])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"query",
        b"\xff",
        b"5",
        b"null",
        b'"text"',
        b"[]",
        b'[{"query": "{ __typename }"}]',
        b"[5]",
        b'{"query": 5}',
        b'{"query": "{ __typename }", "variables": []}',
        b'{"query": "{ __typename }", "variables": "{}"}',
        b'{"query": "{ __typename }", "extensions": 5}',
    ],
)
async def test_a_body_that_is_no_request_is_400_with_a_code_and_not_logged(
    served: Served, body: bytes, accept: str
) -> None:
    with capture_logs() as logged:
        answer = await post(served, body, accept)
    assert (answer.status_code, codes(answer)) == (400, ["BAD_INPUT"])
    assert logged == []


@pytest.mark.parametrize("accept", [OLD, NEW])
@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"query": null}',
        b'{"query": ""}',
        b'{"query": "query One { __typename }", "operationName": "Two"}',
        b'{"query": "query One { __typename }", "operationName": {"a": 1}}',
        b'{"query": "fragment F on Query { __typename }"}',
        b'{"query": "subscription { updates { kind } }"}',
    ],
)
async def test_a_request_that_names_nothing_to_run_here_is_400_with_a_code(
    served: Served, body: bytes, accept: str
) -> None:
    answer = await post(served, body, accept)
    assert (answer.status_code, codes(answer)) == (400, ["BAD_INPUT"])


async def test_a_document_of_several_operations_is_run_only_by_name(served: Served) -> None:
    assert await served.code("query One { __typename } query Two { __typename }") == "BAD_INPUT"


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
async def test_a_body_of_another_type_is_refused_with_a_code(served: Served, content_type: str) -> None:
    answer = await post(served, b'{"query": "{ __typename }"}', content_type=content_type)
    assert (answer.status_code, codes(answer)) == (415, ["BAD_INPUT"])


@pytest.mark.parametrize(
    ("parameters", "status", "code"),
    [
        ({"query": "query($k: String!) { value(key: $k) { value } }", "variables": '{"k": "a"}'}, 200, None),
        ({"query": "query A { a: __typename } query B { b: __typename }", "operationName": "B"}, 200, None),
        ({"query": "{ __typename }", "variables": "null"}, 200, None),
        ({}, 400, "BAD_INPUT"),
        ({"query": "{ __typename }", "variables": "{"}, 400, "BAD_INPUT"),
        ({"query": "{ __typename }", "variables": "5"}, 400, "BAD_INPUT"),
        ({"query": "subscription { updates { kind } }"}, 400, "BAD_INPUT"),
    ],
)
async def test_a_query_may_come_by_get(
    served: Served, parameters: dict[str, str], status: int, code: str | None
) -> None:
    answer = await served.http.get("/graphql", params=QueryParams(parameters))
    assert answer.status_code == status
    assert ("data" in answer.json()) if code is None else codes(answer) == [code]


async def test_a_query_by_get_answers_as_by_post(served: Served) -> None:
    parameters = {"query": '{ value(key: "a") { value } }'}
    answer = await served.http.get("/graphql", params=parameters)
    assert answer.json() == await served.query(parameters["query"])


@pytest.mark.parametrize(("method", "path"), [("PUT", "/graphql"), ("DELETE", "/graphql"), ("POST", "/healthz")])
async def test_another_method_is_405_with_a_code_and_says_which_are_allowed(
    served: Served, method: str, path: str
) -> None:
    answer = await served.http.request(method, path)
    assert (answer.status_code, codes(answer)) == (405, ["BAD_INPUT"])
    assert "GET" in answer.headers["allow"]


@pytest.mark.parametrize("path", ["/nothing", "/assets/nothing.js", "/assets/", "/assets/..%2fgraphiql.html"])
async def test_an_unknown_path_is_404_with_a_code(served: Served, path: str) -> None:
    answer = await served.http.get(path)
    assert (answer.status_code, codes(answer)) == (404, ["BAD_INPUT"])


async def test_the_schema_is_served_as_it_stands_in_the_repository(served: Served) -> None:
    answer = await served.http.get("/schema.graphql")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert "type Query {\n" in answer.text
    if SDL.is_file() and "type Mutation" in answer.text:
        assert answer.text == SDL.read_text()


async def test_a_stream_of_events_is_neither_cached_nor_buffered_on_its_way(served: Served) -> None:
    answer = await post(served, b'{"query": "{ __typename }"}', "text/event-stream")
    assert answer.headers["content-type"] == "text/event-stream"
    assert (answer.headers["cache-control"], answer.headers["x-accel-buffering"]) == ("no-cache, no-transform", "no")


PREFLIGHT = {"access-control-request-method": "POST", "access-control-request-headers": "content-type"}


async def test_pages_of_other_origins_may_not_read_answers(served: Served) -> None:
    preflight = await served.http.options("/graphql", headers=PREFLIGHT | {"origin": ALLOWED})
    answer = await served.http.get("/graphql", params={"query": "{ __typename }"}, headers={"origin": ALLOWED})
    assert preflight.status_code == 405
    assert [name for name in (*preflight.headers, *answer.headers) if name.startswith("access-control")] == []


async def test_pages_of_a_listed_origin_may_read_answers_and_no_others(
    embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    async with holding(embedded_broker, tmp_path, cors_origins=(ALLOWED,)) as held:
        http = held.served.http
        preflight = await http.options("/graphql", headers=PREFLIGHT | {"origin": ALLOWED})
        answer = await http.get("/graphql", params={"query": "{ __typename }"}, headers={"origin": ALLOWED})
        assert preflight.status_code == 200
        assert "content-type" in preflight.headers["access-control-allow-headers"]
        for allowed in (preflight, answer):
            assert allowed.headers["access-control-allow-origin"] == ALLOWED
            assert "access-control-allow-credentials" not in allowed.headers
        other = PREFLIGHT | {"origin": "https://evil.example"}
        refused = await http.options("/graphql", headers=other)
        assert refused.status_code == 400
        assert "access-control-allow-origin" not in refused.headers
