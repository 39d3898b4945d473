"""What a connection that lasts keeps of the requests that it began with."""

import asyncio
import gc
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.applications import open_application
from tests.deadline import SECONDS_MAX
from tests.transports import MULTIPART_ACCEPT
from tests.web.calls import app_of
from tests.web.calls import open_socket as open_called

SILENT = "subscription ($keys: [String!]) { updates(keys: $keys) { kind } }"


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


async def test_websocket_keeps_no_text_of_a_message(tmp_path: Path) -> None:
    init = orjson.dumps({"type": "connection_init", "payload": {"token": "x" * 1_000}}).decode()
    subscribe = orjson.dumps({"type": "subscribe", "id": "1", "payload": {"query": SILENT}}).decode()
    messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    acknowledged = asyncio.Event()

    async def send(message: Any) -> None:
        if message.get("text") == '{"type":"connection_ack"}':
            acknowledged.set()

    scope = {"type": "websocket", "path": "/graphql", "headers": [], "subprotocols": ["graphql-transport-ws"]}
    async with open_application(tmp_path) as application, asyncio.timeout(SECONDS_MAX):
        references = sys.getrefcount(init), sys.getrefcount(subscribe)
        messages.put_nowait({"type": "websocket.connect"})
        messages.put_nowait({"type": "websocket.receive", "text": init})
        socket = asyncio.ensure_future(app_of(application)(scope, messages.get, send))
        await acknowledged.wait()
        await asyncio.sleep(0)
        assert sys.getrefcount(init) == references[0]
        messages.put_nowait({"type": "websocket.receive", "text": subscribe})
        await application.table.watched_by(1)
        assert sys.getrefcount(subscribe) == references[1]
        messages.put_nowait({"type": "websocket.disconnect", "code": 1001})
        await socket


async def test_payload_of_a_message_is_dropped_before_the_next_one_comes(tmp_path: Path) -> None:
    async with open_application(tmp_path) as application, open_called(app_of(application)) as socket:
        tracemalloc.start()
        try:
            socket.send(type="ping", payload={"payload": ["x"] * 100_000})
            assert await socket.receive() == {"type": "pong"}
            gc.collect()
            kept, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert kept < 2**18


async def test_websocket_drops_variables_once_their_subscription_is_bound(tmp_path: Path) -> None:
    async with open_application(tmp_path) as application, open_called(app_of(application)) as socket:
        tracemalloc.start()
        try:
            variables = {"nobody": ["asked for"] * 100_000}
            socket.send(type="subscribe", id="1", payload={"query": SILENT, "variables": variables})
            await application.table.watched_by(1)
            del variables
            gc.collect()
            kept, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert kept < 2**20


async def test_stream_drops_variables_once_its_subscription_is_bound(tmp_path: Path) -> None:
    body = orjson.dumps({"query": SILENT, "variables": {"nobody": ["asked for"] * 700}})
    messages: list[dict[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        return messages.pop() if messages else await asyncio.Future[dict[str, Any]]()

    async def send(_: Any) -> None:
        """Every message finds room."""

    headers = [(b"content-type", b"application/json"), (b"accept", b"text/event-stream")]
    scope = {"type": "http", "method": "POST", "path": "/graphql", "query_string": b"", "headers": headers}
    async with open_application(tmp_path) as application, asyncio.timeout(SECONDS_MAX):
        app = app_of(application)
        tracemalloc.start()
        try:
            stream = asyncio.ensure_future(app(scope | {"client": ("test", 1)}, receive, send))
            await application.table.watched_by(1)
            gc.collect()
            strings = [kept for kept in tracemalloc.take_snapshot().traces if kept.size == sys.getsizeof("asked for")]
        finally:
            tracemalloc.stop()
        assert len(strings) < 300
        stream.cancel()
        await asyncio.wait([stream])
