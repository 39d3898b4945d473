"""What a stream that lasts keeps of the request that began it."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.applications import open_application
from tests.transports import MULTIPART_ACCEPT
from tests.web.calls import SECONDS_MAX, app_of


@pytest.mark.parametrize("accept", ["text/event-stream", MULTIPART_ACCEPT])
async def test_stream_does_not_keep_the_body_of_its_request(tmp_path: Path, accept: str) -> None:
    body = orjson.dumps({"query": "subscription { updates { kind } }"})
    messages: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return messages.pop() if messages else await asyncio.Future[dict[str, Any]]()

    async def send(_: Any) -> None:
        """Every message finds room."""

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/graphql",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json"), (b"accept", accept.encode())],
        "extensions": {},
        "client": ("test", 1),
        "root_path": "",
    }
    async with open_application(tmp_path) as application, asyncio.timeout(SECONDS_MAX):
        references = sys.getrefcount(body)
        messages.append({"type": "http.request", "body": body, "more_body": False})
        stream = asyncio.ensure_future(app_of(application)(scope, receive, send))
        await application.table.watched_by(1)
        assert sys.getrefcount(body) == references
        stream.cancel()
        await asyncio.wait([stream])
