"""Requests in bodies and in addresses; whatever is not one is refused with a code."""

from collections.abc import AsyncIterator

import orjson
import pytest
import pytest_asyncio
from httpx import QueryParams
from structlog.testing import capture_logs

from kvs_graphql.demo.broker import EmbeddedBroker
from tests.serving import Served, serving_topic
from tests.transports import MULTIPART_ACCEPT
from tests.web.posting import GRAPHQL_RESPONSE, JSON, codes, post

pytestmark = pytest.mark.asyncio(loop_scope="module")

REQUEST_BYTES_MAX = 5_000
OPTIONAL = ("variables", "operationName", "extensions")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    async with serving_topic(
        embedded_broker, tmp_path_factory.mktemp("requests"), (b"a", b"1"), request_bytes_max=REQUEST_BYTES_MAX
    ) as topic:
        yield topic.served


@pytest.mark.parametrize("accept", [JSON, GRAPHQL_RESPONSE, "text/event-stream", MULTIPART_ACCEPT])
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
        b"[%s]" % b",".join([b"{}"] * 101),
        b'{"query": 5}',
        b'{"query": "{ __typename }", "variables": []}',
        b'{"query": "{ __typename }", "variables": "{}"}',
        b'{"query": "{ __typename }", "extensions": 5}',
    ],
)
async def test_body_that_is_no_request_is_400_with_a_code_and_not_logged(
    served: Served, body: bytes, accept: str
) -> None:
    with capture_logs() as logged:
        answer = await post(served, body, accept)
    assert (answer.status_code, codes(answer)) == (400, ["BAD_INPUT"])
    assert logged == []


@pytest.mark.parametrize("accept", [JSON, GRAPHQL_RESPONSE])
@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"query": null}',
        b'{"query": ""}',
        b'{"query": "query One { __typename }", "operationName": "Two"}',
        b'{"query": "query One { __typename }", "operationName": {"a": 1}}',
        b'{"query": "fragment F on Query { __typename }"}',
    ],
)
async def test_request_without_an_executable_operation_is_400_with_a_code(
    served: Served, body: bytes, accept: str
) -> None:
    answer = await post(served, body, accept)
    assert (answer.status_code, codes(answer)) == (400, ["BAD_INPUT"])


@pytest.mark.parametrize("members", [{}, dict.fromkeys(OPTIONAL), {"variables": {}, "extensions": {}}])
async def test_optional_members_of_a_request_may_be_null_absent_or_empty(
    served: Served, members: dict[str, object]
) -> None:
    answer = await post(served, orjson.dumps({"query": "{ __typename }", **members}))
    assert (answer.status_code, answer.json()) == (200, {"data": {"__typename": "Query"}})


PERSISTED = {"persistedQuery": {"version": 1, "sha256Hash": "ab" * 32}}
NOT_PERSISTED = {"message": "PersistedQueryNotSupported", "extensions": {"code": "PERSISTED_QUERY_NOT_SUPPORTED"}}


@pytest.mark.parametrize("query", [{}, {"query": None}, {"query": ""}])
@pytest.mark.parametrize(("accept", "status"), [(JSON, 200), (GRAPHQL_RESPONSE, 400)])
async def test_document_named_by_its_hash_is_refused_in_the_words_that_clients_know(
    served: Served, query: dict[str, object], accept: str, status: int
) -> None:
    answer = await post(served, orjson.dumps({**query, "extensions": PERSISTED}), accept)
    assert (answer.status_code, answer.json()) == (status, {"errors": [NOT_PERSISTED]})
    parameters = {"extensions": orjson.dumps(PERSISTED).decode()}
    by_get = await served.http.get("/graphql", params=parameters, headers={"accept": accept})
    assert (by_get.status_code, by_get.json()) == (status, answer.json())


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"query": "{ __typename }", "extensions": PERSISTED}, None),
        ({"extensions": {"persistedQuery": None}}, "BAD_INPUT"),
    ],
)
async def test_document_that_is_sent_needs_no_hash(served: Served, request_: object, code: str | None) -> None:
    answer = await post(served, orjson.dumps(request_))
    assert answer.json() == {"data": {"__typename": "Query"}} if code is None else codes(answer) == [code]


@pytest.mark.parametrize(("accept", "status"), [(JSON, 200), (GRAPHQL_RESPONSE, 400)])
@pytest.mark.parametrize("requests", [1, 3, 100])
async def test_each_request_of_a_batch_is_refused(served: Served, accept: str, status: int, requests: int) -> None:
    answer = await post(served, orjson.dumps([{"query": "{ __typename }"}] * requests), accept)
    assert answer.status_code == status
    refused = answer.json()
    assert len(refused) == requests
    for result in refused:
        (error,) = result["errors"]
        assert (error["extensions"]["code"], "Batches" in error["message"]) == ("BAD_INPUT", True)


async def test_document_with_several_operations_needs_an_operation_name(served: Served) -> None:
    assert await served.code("query One { __typename } query Two { __typename }") == "BAD_INPUT"


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "application/json; charset=utf-16"],
)
async def test_body_of_another_content_type_is_refused_with_a_code(served: Served, content_type: str) -> None:
    answer = await post(served, b'{"query": "{ __typename }"}', content_type=content_type)
    assert (answer.status_code, codes(answer)) == (415, ["BAD_INPUT"])


@pytest.mark.parametrize(
    ("parameters", "status", "code"),
    [
        ({"query": "query($k: String!) { value(key: $k) { value } }", "variables": '{"k": "a"}'}, 200, None),
        ({"query": "query A { a: __typename } query B { b: __typename }", "operationName": "B"}, 200, None),
        ({"query": "{ __typename }", "variables": "null", "extensions": "null"}, 200, None),
        ({"query": "{ __typename }", "variables": "{}", "extensions": "{}"}, 200, None),
        ({"query": "{ __typename }", "variables": "", "operationName": "", "extensions": ""}, 200, None),
        ({"query": ""}, 400, "BAD_INPUT"),
        ({}, 400, "BAD_INPUT"),
        ({"query": "{ __typename }", "variables": "{"}, 400, "BAD_INPUT"),
        ({"query": "{ __typename }", "variables": "5"}, 400, "BAD_INPUT"),
        ({"query": "subscription { updates { kind } }"}, 406, "BAD_INPUT"),
    ],
)
async def test_query_by_get_has_its_parameters_in_the_address(
    served: Served, parameters: dict[str, str], status: int, code: str | None
) -> None:
    answer = await served.http.get("/graphql", params=QueryParams(parameters))
    assert answer.status_code == status
    assert ("data" in answer.json()) if code is None else codes(answer) == [code]


async def test_get_and_post_have_the_same_answer(served: Served) -> None:
    parameters = {"query": '{ value(key: "a") { value } }'}
    answer = await served.http.get("/graphql", params=parameters)
    assert answer.json() == await served.query(parameters["query"])


@pytest.mark.parametrize("with_length", [True, False], ids=["with its length", "in chunks"])
@pytest.mark.parametrize(("surplus", "status"), [(0, 200), (1, 413)])
async def test_body_over_the_limit_is_refused_with_a_code(
    served: Served, with_length: bool, surplus: int, status: int
) -> None:
    body = b'{"query": "{ __typename }"}'.ljust(REQUEST_BYTES_MAX + surplus)

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 100):
            yield body[start : start + 100]

    content = body if with_length else chunks()
    answer = await served.http.post("/graphql", content=content, headers={"content-type": "application/json"})
    assert answer.status_code == status
    if surplus:
        assert answer.json()["errors"][0]["extensions"] == {"code": "LIMIT_EXCEEDED"}
