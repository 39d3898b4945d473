"""GraphQL over HTTP: any request gets an answer, errors are masked, and streams keep little of their request."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlencode

import orjson
import pytest
from starlette.types import ASGIApp
from structlog.testing import capture_logs

from tests.applications import open_application
from tests.transports import MULTIPART_ACCEPT
from tests.web.calls import JSON_HEADERS, UNENCODABLE, app_of, call

_QUERY = orjson.dumps({"query": "{ __typename }"})
_SUBSCRIPTION = orjson.dumps({"query": "subscription { updates { kind } }"})


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[ASGIApp]:
    async with open_application(tmp_path) as application:
        yield app_of(application)


@pytest.mark.parametrize(
    "accept",
    [
        "text/html; q*=utf-8''0.5",
        "text/html; a*" + "9" * 900 + "=x",
        "application/json; q=high",
        "application/json;;=;q",
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
