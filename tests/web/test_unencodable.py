"""A result that cannot be encoded is an unexpected error: masked, counted and logged once, on every transport."""

from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest
import strawberry
from structlog.testing import capture_logs

from kvs_graphql.api.context import OperationInfo
from tests.applications import Application, open_application
from tests.transports import MULTIPART_ACCEPT
from tests.web.calls import JSON_HEADERS, app_of, call, open_socket

_DOCUMENT = "{ half }"


@strawberry.type
class Query:
    @strawberry.field
    async def half(self, info: OperationInfo) -> str:
        """Half of a surrogate pair is no text in UTF-8."""
        return "\ud800"


@pytest.fixture
async def application(tmp_path: Path) -> AsyncIterator[Application]:
    async with open_application(tmp_path, schema=strawberry.Schema(query=Query)) as application:
        yield application


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream", MULTIPART_ACCEPT])
async def test_result_that_cannot_be_encoded_is_masked_over_http(application: Application, accept: str) -> None:
    with capture_logs() as logged:
        answer = await call(
            app_of(application),
            body=orjson.dumps({"query": _DOCUMENT}),
            headers=JSON_HEADERS | {"accept": accept},
        )
    assert [line["log_level"] for line in logged] == ["error"]
    assert b'"code":"INTERNAL"' in answer.content
    assert logged[0]["id"].encode() in answer.content
    assert application.counted("kvs_errors_total") == 1


async def test_result_that_cannot_be_encoded_is_masked_over_a_websocket(application: Application) -> None:
    with capture_logs() as logged:
        async with open_socket(app_of(application)) as socket:
            for _ in range(2):
                # The id is free again after the error.
                socket.send(type="subscribe", id="1", payload={"query": _DOCUMENT})
                answer = await socket.receive()
                assert (answer["type"], answer["id"]) == ("error", "1")
                assert [error["extensions"]["code"] for error in answer["payload"]] == ["INTERNAL"]
    assert len(logged) == application.counted("kvs_errors_total") == 2
