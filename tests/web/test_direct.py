"""Every transport writes updates directly while the server has room, and through ASGI otherwise."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest

from kvs_graphql.service import Flush
from kvs_graphql.web import DIRECT_EXTENSION
from kvs_graphql.web.direct import add_to_answers
from tests.applications import Application, open_application
from tests.deadline import SECONDS_MAX
from tests.web.calls import leaving, streaming_scope, subscribing

DOCUMENT = "subscription { updates { key cursor } }"
TRANSPORTS = ["sse", "multipart", "websocket"]


@dataclass
class Server:
    """What a server does for one client: it takes writes directly while it has room, and messages through ASGI."""

    has_room: bool = True
    is_gone: bool = False
    waiting_bytes: int = 0
    body: bytes | None = None
    answers: list[tuple[int, bytes, bytes]] = field(default_factory=list)
    written: list[bytes] = field(default_factory=list)
    sent: list[dict[str, Any]] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    incoming: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)

    def write(self, *parts: bytes) -> Flush | None:
        """Take one message or chunk directly; the flush writes it."""
        if not self.has_room:
            return None

        def flush() -> None:
            self.written.append(b"".join(parts))
            self.news.set()

        return flush

    def take_body(self) -> bytes | None:
        """Take the body that has arrived whole, where there is one."""
        body, self.body = self.body, None
        return body

    def answer(self, status: int, fields: bytes, body: bytes) -> bool:
        """Take a whole answer."""
        if self.has_room:
            self.answers.append((status, fields, body))
        return self.has_room

    @contextmanager
    def waiting(self, waiting_bytes: int) -> Iterator[None]:
        """Count what waits for the client."""
        self.waiting_bytes = waiting_bytes
        yield

    async def room(self, waiting_bytes: int) -> bool:
        """Wait for room, as a WebSocket does."""
        self.waiting_bytes = waiting_bytes
        while not self.has_room and not self.is_gone:
            self.news.clear()
            await self.news.wait()
        return not self.is_gone

    async def send(self, message: Any) -> None:
        self.sent.append(message)
        self.news.set()

    def contents(self) -> list[bytes]:
        """Return the contents of the messages that were sent through ASGI."""
        contents = (message.get("body") or message.get("text", "").encode() for message in self.sent)
        return [content for content in contents if b'"updates"' in content]

    async def until_written(self, number: int) -> None:
        while len(self.written) < number:
            self.news.clear()
            await self.news.wait()

    async def until_update(self) -> None:
        while not self.written and not self.contents():
            self.news.clear()
            await self.news.wait()


def scope_of(transport: str, server: Server) -> dict[str, Any]:
    return {**streaming_scope(transport), "extensions": {DIRECT_EXTENSION: server}}


@asynccontextmanager
async def subscribed(application: Application, transport: str, server: Server) -> AsyncIterator[None]:
    """Subscribe, and yield once the subscription watches the table."""
    for message in subscribing(transport, DOCUMENT):
        server.incoming.put_nowait(message)
    serving = asyncio.ensure_future(application.app(scope_of(transport, server), server.incoming.get, server.send))
    async with asyncio.timeout(SECONDS_MAX):
        await application.table.watched_by(1)
        # Let the subscription wait for changes.
        for _ in range(10):
            await asyncio.sleep(0)
        # What a response in parts begins with is written directly, too.
        server.written.clear()
        yield
        server.incoming.put_nowait(leaving(transport))
        await serving


def framed(transport: str, result: bytes, token: bytes) -> bytes:
    """Return the bytes in which a transport delivers a result."""
    match transport:
        case "sse":
            return b"id: " + token + b"\nevent: next\ndata: " + result + b"\n\n"
        case "multipart":
            return b'\r\ncontent-type: application/json\r\n\r\n{"payload":' + result + b"}\r\n--graphql"
    return b'{"id":"1","type":"next","payload":' + result + b"}"


@pytest.mark.parametrize(
    ("transport", "room"), [*((transport, True) for transport in TRANSPORTS), ("sse", False), ("multipart", False)]
)
async def test_update_is_written_directly_while_there_is_room(tmp_path: Path, transport: str, room: bool) -> None:
    server = Server(has_room=room)
    async with open_application(tmp_path) as application, subscribed(application, transport, server):
        await application.table.change((b"a", b"1"))
        await server.until_update()
        token = orjson.loads(_payload(server))["data"]["updates"]["cursor"].encode()
        expected = framed(transport, _payload(server), token)
    assert (server.written, server.contents()) == (([expected], []) if room else ([], [expected]))


def _payload(server: Server) -> bytes:
    """Return the JSON of the only result."""
    (content,) = [*server.written, *server.contents()]
    start = content.index(b'{"data"')
    return content[start : content.index(b"}}}", start) + 3]


@pytest.mark.parametrize("transport", ["sse", "multipart"])
async def test_update_that_found_no_room_is_followed_in_order_by_direct_ones(tmp_path: Path, transport: str) -> None:
    server = Server(has_room=False)
    async with open_application(tmp_path) as application, subscribed(application, transport, server):
        await application.table.change((b"a", b"1"))
        await server.until_update()
        server.has_room = True
        await application.table.change((b"b", b"1"), (b"c", b"1"))
        await server.until_written(2)
    assert [b'"key":"a"' in content for content in server.contents()] == [True]
    assert [b'"key":"b"' in server.written[0], b'"key":"c"' in server.written[1]] == [True, True]


async def test_updates_wait_for_room_on_a_websocket(tmp_path: Path) -> None:
    server = Server(has_room=False)
    async with open_application(tmp_path) as application, subscribed(application, "websocket", server):
        await application.table.change((b"a", b"1"))
        while not server.waiting_bytes:  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(0)
        await application.table.change((b"b", b"1"))
        server.has_room = True
        server.news.set()
        await server.until_written(2)
    assert [b'"key":"a"' in server.written[0], b'"key":"b"' in server.written[1]] == [True, True]
    assert server.waiting_bytes == len(server.written[0]) - len(framed("websocket", b"", b""))
    assert not server.contents()


def asking(server: Server) -> dict[str, Any]:
    """The scope of a query."""
    headers = [(b"content-type", b"application/json"), (b"accept", b"application/json")]
    return {**scope_of("sse", server), "headers": headers}


async def answered(application: Application, server: Server, request: dict[str, Any], *, arrived: bool) -> None:
    """Answer a request whose body has arrived, or is yet to be received."""
    body = orjson.dumps(request)
    if arrived:
        server.body = body
    else:
        for part, more in ((body[:5], True), (body[5:], False)):
            server.incoming.put_nowait({"type": "http.request", "body": part, "more_body": more})
    await application.app(asking(server), server.incoming.get, server.send)


@pytest.mark.parametrize("request_", [{"query": "{ status { ready } }"}, {"query": "{ wrong }"}, {"query": 1}])
async def test_answer_is_the_same_at_once_and_through_asgi(tmp_path: Path, request_: dict[str, Any]) -> None:
    direct, other = Server(), Server(has_room=False)
    async with open_application(tmp_path) as application:
        await answered(application, direct, request_, arrived=True)
        await answered(application, other, request_, arrived=False)
    start, content = other.sent
    expected = start["status"], sorted(start["headers"]), content["body"]
    if isinstance(request_["query"], str):
        ((status, fields, body),) = direct.answers
        lines = fields.removesuffix(b"\r\n").split(b"\r\n")
        assert (status, sorted(tuple(line.split(b": ")) for line in lines), body) == expected
        assert not direct.sent
    else:
        assert not direct.answers
        assert (direct.sent[0]["status"], sorted(direct.sent[0]["headers"]), direct.sent[1]["body"]) == expected


async def test_answer_passes_a_middleware_that_adds_to_it(tmp_path: Path) -> None:
    server = Server()
    async with open_application(tmp_path) as application:
        scope = asking(server)
        add_to_answers(scope)
        server.body = b'{"query": "{ status { ready } }"}'
        await application.app(scope, server.incoming.get, server.send)
    assert [message["type"] for message in server.sent] == ["http.response.start", "http.response.body"]
    assert not server.answers


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_client_that_disconnects_leaves_no_watcher(tmp_path: Path, transport: str) -> None:
    async with open_application(tmp_path) as application:
        async with subscribed(application, transport, Server()):
            pass
        assert application.table.feed.watchers == 0


async def test_websocket_whose_client_is_gone_ends_its_operation(tmp_path: Path) -> None:
    server = Server(has_room=False)
    async with open_application(tmp_path) as application, subscribed(application, "websocket", server):
        server.is_gone = True
        await application.table.change((b"a", b"1"))
        while application.table.feed.watchers:  # noqa: ASYNC110 - the feed has no event for it
            await asyncio.sleep(0)
        assert application.counted("kvs_subscriptions_active") == 0
