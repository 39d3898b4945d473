"""GraphQL over HTTP: any request gets an answer, errors are masked, and streams keep little of their request."""

from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from urllib.parse import urlencode

import orjson
import pytest
import strawberry
from starlette.types import ASGIApp
from structlog.testing import capture_logs

from tests.applications import open_application
from tests.transports import MULTIPART_ACCEPT
from tests.web.calls import JSON_HEADERS, UNENCODABLE, app_of, call

_calls = count(1)


@strawberry.type
class _Query:
    nothing: str = ""


@strawberry.type
class _Mutation:
    @strawberry.mutation
    async def count(self) -> int:
        """How often this was called."""
        return next(_calls)


COUNTING = strawberry.Schema(query=_Query, mutation=_Mutation)
_QUERY = orjson.dumps({"query": "{ __typename }"})
_SUBSCRIPTION = orjson.dumps({"query": "subscription { updates { kind } }"})


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[ASGIApp]:
    async with open_application(tmp_path) as application:
        yield app_of(application)


@pytest.mark.parametrize(
    "accept",
    [
        "*/*; q*=utf-8''0.5",
        "*/*; a*" + "9" * 900 + "=x",
        'application/json; a="b',
        ",;, ",
        "a/b," * 250_000,
    ],
    ids=lambda accept: accept[:32],
)
async def test_accept_header_of_any_form_gets_an_answer(app: ASGIApp, accept: str) -> None:
    answer = await call(app, body=_QUERY, headers=JSON_HEADERS | {"accept": accept})
    assert (answer.status, answer.json()) == (200, {"data": {"__typename": "Query"}})
    elsewhere = await call(app, "GET", "/nowhere", headers={"accept": accept})
    assert (elsewhere.status, elsewhere.json()["errors"][0]["extensions"]["code"]) == (404, "BAD_INPUT")


@pytest.mark.parametrize(
    "accept", ["text/html", "image/*;q=0.5", "application/json;q=0", "application/json; q=high", "text/html;;=;q"]
)
@pytest.mark.parametrize("query", ["{ __typename }", "{ nothing }", "subscription { updates { kind } }"])
async def test_accept_header_that_cannot_be_met_is_406_with_a_code(app: ASGIApp, accept: str, query: str) -> None:
    answer = await call(app, body=orjson.dumps({"query": query}), headers=JSON_HEADERS | {"accept": accept})
    assert (answer.status, answer.headers["content-type"]) == (406, "application/json")
    (error,) = answer.json()["errors"]
    assert (error["extensions"]["code"], "ccept" in error["message"]) == ("BAD_INPUT", True)


async def test_mutation_whose_accept_header_cannot_be_met_writes_nothing(tmp_path: Path) -> None:
    async with open_application(tmp_path, schema=COUNTING) as application:
        for accept, status in (("text/html", 406), ("application/json", 200)):
            headers = JSON_HEADERS | {"accept": accept}
            answer = await call(app_of(application), body=b'{"query": "mutation { count }"}', headers=headers)
            assert answer.status == status
    assert answer.json() == {"data": {"count": 1}}


@pytest.mark.parametrize("other", [b"x=%FF", b"x=\xff", b"&&=&"])
async def test_address_of_any_bytes_gets_an_answer(app: ASGIApp, other: bytes) -> None:
    answer = await call(app, "GET", query_string=b"query=%7B__typename%7D&" + other)
    assert (answer.status, answer.json()) == (200, {"data": {"__typename": "Query"}})


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_client_that_comes_back_after_the_end_gets_no_content(app: ASGIApp, method: str) -> None:
    headers = JSON_HEADERS | {"accept": "text/event-stream", "last-event-id": "end"}
    query_string = urlencode(orjson.loads(_SUBSCRIPTION)).encode()
    answer = await call(app, method, body=_SUBSCRIPTION, query_string=query_string, headers=headers)
    assert (answer.status, answer.content) == (204, b"")


@pytest.mark.parametrize("accept", ["application/json", "application/json, text/event-stream;q=0.5", "*/*"])
async def test_last_event_id_means_nothing_where_the_answer_is_no_event_stream(app: ASGIApp, accept: str) -> None:
    answer = await call(app, body=_QUERY, headers=JSON_HEADERS | {"accept": accept, "last-event-id": "end"})
    assert (answer.status, answer.json()) == (200, {"data": {"__typename": "Query"}})


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream", MULTIPART_ACCEPT])
async def test_result_that_cannot_be_encoded_is_masked(tmp_path: Path, accept: str) -> None:
    async with open_application(tmp_path, schema=UNENCODABLE) as application:
        with capture_logs() as logged:
            headers = JSON_HEADERS | {"accept": accept}
            answer = await call(app_of(application), body=orjson.dumps({"query": "{ half }"}), headers=headers)
        assert [line["log_level"] for line in logged] == ["error"]
        assert b'"code":"INTERNAL"' in answer.content
        assert logged[0]["id"].encode() in answer.content
        assert application.counted("kvs_errors_total") == 1
