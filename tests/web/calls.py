"""Requests to an application, called as a server calls it, with any method and headers."""

import asyncio
from typing import Any

from starlette.types import ASGIApp

from kvs_graphql.web import build_app
from tests.applications import OPTIONS, Answer, Application

JSON_HEADERS = {"content-type": "application/json", "accept": "application/json"}


def app_of(application: Application) -> ASGIApp:
    """The ASGI application alone."""
    return build_app(application.executor, "", application.table.service, application.metrics, OPTIONS)


async def call(
    app: ASGIApp,
    method: str = "POST",
    path: str = "/graphql",
    *,
    body: bytes = b"",
    query_string: bytes = b"",
    headers: dict[str, str] = JSON_HEADERS,
) -> Answer:
    """The answer to a request whose client waits for its end; fails where the application breaks the protocol."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return messages.pop() if messages else await asyncio.Future[dict[str, Any]]()

    async def send(message: Any) -> None:
        assert sent or message["type"] == "http.response.start", message
        assert not sent or message["type"] == "http.response.body", message
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query_string,
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers.items()],
        "extensions": {},
        "client": ("test", 1),
        "root_path": "",
    }
    await app(scope, receive, send)
    start, *bodies = sent
    assert not bodies[-1].get("more_body"), "the response ends"
    return Answer(
        start["status"],
        {name.decode(): value.decode() for name, value in start["headers"]},
        b"".join(sent_body.get("body", b"") for sent_body in bodies),
    )
