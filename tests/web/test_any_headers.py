"""Headers and addresses that clients may send in any form: none of them is an error of the service."""

from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest
from starlette.types import ASGIApp

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


@pytest.mark.parametrize("other", [b"x=%FF", b"x=\xff", b"&&=&"])
async def test_address_of_any_bytes_gets_an_answer(app: ASGIApp, other: bytes) -> None:
    answer = await call(app, "GET", query_string=b"query=%7B__typename%7D&" + other)
    assert (answer.status, answer.json()) == (200, {"data": {"__typename": "Query"}})


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_client_that_comes_back_after_the_end_gets_no_content(app: ASGIApp, method: str) -> None:
    headers = JSON_HEADERS | {"accept": "text/event-stream", "last-event-id": "end"}
    answer = await call(app, method, body=_SUBSCRIPTION, headers=headers)
    assert (answer.status, answer.content) == (204, b"")
