"""Requests to an application, called as a server calls it, with any method and headers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import strawberry
from starlette.types import ASGIApp

from kvs_graphql.web import build_app
from kvs_graphql.web.websocket import SUBPROTOCOL
from tests.applications import OPTIONS, Answer, Application
from tests.deadline import SECONDS_MAX
from tests.transports import MULTIPART_ACCEPT

STREAMS = {"sse": "text/event-stream", "multipart": MULTIPART_ACCEPT}
"""What clients of streams accept."""
JSON_HEADERS = {"content-type": "application/json", "accept": "application/json"}


@strawberry.type
class _Half:
    @strawberry.field
    async def half(self) -> str:
        """Half of a surrogate pair is no text in UTF-8."""
        return "\ud800"


UNENCODABLE = strawberry.Schema(query=_Half)
"""A schema whose only field cannot be encoded."""


def app_of(application: Application) -> ASGIApp:
    """The ASGI application alone."""
    return build_app(application.executor, application.table.catalog, application.metrics, OPTIONS)


def streaming_scope(transport: str) -> dict[str, Any]:
    """The scope of a client that subscribes over that transport."""
    common = {"path": "/graphql", "query_string": b"", "client": ("test", 1), "root_path": ""}
    if transport == "websocket":
        return {**common, "type": "websocket", "headers": [], "subprotocols": [SUBPROTOCOL]}
    headers = [(b"content-type", b"application/json"), (b"accept", STREAMS[transport].encode())]
    return {**common, "type": "http", "method": "POST", "headers": headers}


def subscribing(transport: str, document: str, **variables: Any) -> list[dict[str, Any]]:
    """What the server passes on from that client, until it has subscribed."""
    request = {"query": document, "variables": variables}
    if transport != "websocket":
        return [{"type": "http.request", "body": orjson.dumps(request), "more_body": False}]
    messages = ({"type": "connection_init"}, {"type": "subscribe", "id": "1", "payload": request})
    texts = [{"type": "websocket.receive", "text": orjson.dumps(message).decode()} for message in messages]
    return [{"type": "websocket.connect"}, *texts]


def leaving(transport: str) -> dict[str, Any]:
    """What the server passes on when that client is gone."""
    return {"type": f"{'websocket' if transport == 'websocket' else 'http'}.disconnect"}


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


class Socket:
    """A WebSocket to an application, its handshake and its `connection_init` done."""

    def __init__(self) -> None:
        self._to_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._from_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def run(self, app: ASGIApp) -> None:
        """Run the application until the socket is closed."""
        scope = {
            "type": "websocket",
            "path": "/graphql",
            "headers": [],
            "subprotocols": [SUBPROTOCOL],
            "extensions": {},
            "client": ("test", 1),
        }
        self._to_app.put_nowait({"type": "websocket.connect"})
        self.send(type="connection_init")

        async def send(message: Any) -> None:
            self._from_app.put_nowait(message)

        await app(scope, self._to_app.get, send)

    def send(self, **message: Any) -> None:
        """Send a message of the protocol."""
        self._to_app.put_nowait({"type": "websocket.receive", "text": orjson.dumps(message).decode()})

    def leave(self) -> None:
        """Disconnect."""
        self._to_app.put_nowait({"type": "websocket.disconnect", "code": 1001})

    async def accepted(self) -> dict[str, Any]:
        """The message that ends the handshake."""
        message = await self._from_app.get()
        assert message["type"] == "websocket.accept", message
        return message

    async def receive(self) -> dict[str, Any]:
        """The next message of the protocol."""
        message = await self._from_app.get()
        assert message["type"] == "websocket.send", message
        received: dict[str, Any] = orjson.loads(message["text"])
        return received


@asynccontextmanager
async def open_socket(app: ASGIApp) -> AsyncIterator[Socket]:
    """A WebSocket for as long as the context is open."""
    socket = Socket()
    async with asyncio.timeout(SECONDS_MAX), asyncio.TaskGroup() as tasks:
        tasks.create_task(socket.run(app))
        assert (await socket.accepted())["subprotocol"] == SUBPROTOCOL
        assert await socket.receive() == {"type": "connection_ack"}
        yield socket
        socket.leave()
