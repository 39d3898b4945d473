"""Headers and addresses that clients may send in any form: none of them is an error of the service."""

from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest
from starlette.types import ASGIApp

from kvs_graphql.web.negotiation import MediaType, answer_type, stream_type
from tests.applications import open_application
from tests.web.calls import JSON_HEADERS, app_of, call

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


@pytest.mark.parametrize(
    ("accept", "answered", "streamed"),
    [
        ("", MediaType.JSON, None),
        ("*/*", MediaType.JSON, None),
        ("application/json;q=0.5, application/graphql-response+json", MediaType.GRAPHQL_RESPONSE, None),
        ("application/json, application/graphql-response+json; Q=0.5", MediaType.JSON, None),
        ('multipart/mixed; subscriptionSpec="1.0", application/json', MediaType.JSON, MediaType.MULTIPART),
        ("multipart/mixed", MediaType.JSON, None),
        ("text/event-stream;q=0.1, multipart/mixed;subscriptionSpec=1.0", MediaType.EVENT_STREAM, MediaType.MULTIPART),
    ],
)
def test_client_gets_the_media_type_that_it_prefers(
    accept: str, answered: MediaType, streamed: MediaType | None
) -> None:
    assert (answer_type(accept), stream_type(accept)) == (answered, streamed)


@pytest.mark.parametrize("other", [b"x=%FF", b"x=\xff", b"&&=&"])
async def test_address_of_any_bytes_gets_an_answer(app: ASGIApp, other: bytes) -> None:
    answer = await call(app, "GET", query_string=b"query=%7B__typename%7D&" + other)
    assert (answer.status, answer.json()) == (200, {"data": {"__typename": "Query"}})


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_client_that_comes_back_after_the_end_gets_no_content(app: ASGIApp, method: str) -> None:
    headers = JSON_HEADERS | {"accept": "text/event-stream", "last-event-id": "end"}
    answer = await call(app, method, body=_SUBSCRIPTION, headers=headers)
    assert (answer.status, answer.content) == (204, b"")
