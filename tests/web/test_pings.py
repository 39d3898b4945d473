"""Idle connections are pinged, and closed if nobody answers."""

import asyncio
from asyncio import StreamReader
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from kvs_graphql.demo.broker import EmbeddedBroker
from tests.serving import Served, serving_topic
from tests.transports import open_socket, receive, subscribe, until_active
from tests.web.narrow_clients import (
    NEVER_SECONDS,
    RECEIVE_BUFFER_BYTES,
    SMALL,
    VALUE_BYTES,
    change_much,
    converged,
    disconnected,
    live,
    sse,
    websocket,
)

PING, CLOSE = 0x89, 0x88
PING_SECONDS = 0.05
# Long enough for a client on a busy machine.
PINGED: dict[str, Any] = {"ping_seconds": PING_SECONDS, "pong_seconds_max": 2}
HANDSHAKE = """GET /graphql HTTP/1.1\r\nhost: {host}\r\nconnection: upgrade\r\nupgrade: websocket\r
sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r
sec-websocket-protocol: graphql-transport-ws\r\n\r\n"""


@asynccontextmanager
async def bare_socket(served: Served) -> AsyncIterator[StreamReader]:
    """Open a WebSocket that never answers, and yield the bytes that it receives."""
    url = httpx.URL(served.run.url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    try:
        writer.write(HANDSHAKE.format(host=url.host).encode())
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        yield reader
    finally:
        writer.transport.abort()


async def frame(reader: StreamReader) -> tuple[int, bytes]:
    """Return the opcode and the content of the next frame, which is short and not masked."""
    kind, size = await reader.readexactly(2)
    return kind, await reader.readexactly(size)


async def test_websocket_that_answers_no_ping_is_closed_with_the_reason(
    embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    async with (
        asyncio.timeout(20),
        serving_topic(embedded_broker, tmp_path, ping_seconds=PING_SECONDS, pong_seconds_max=0.2) as topic,
        bare_socket(topic.served) as reader,
    ):
        assert (await frame(reader))[0] == PING
        code = (1013).to_bytes(2, "big")
        assert await frame(reader) == (CLOSE, code + b"Silent: no pong for 0.2 s.")
        assert await reader.read() == b""
        assert await disconnected(topic.served, "silent") == 1


async def test_idle_websocket_stays_open_while_it_answers_pings(
    embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    async with (
        asyncio.timeout(20),
        serving_topic(embedded_broker, tmp_path, **PINGED) as topic,
        open_socket(topic.served) as socket,
        bare_socket(topic.served) as silent,
    ):
        await subscribe(socket, "1", 'subscription { updates(keys: ["a"]) { key } }')
        await until_active(topic.served.http, 1)
        while (await frame(silent))[0] != CLOSE:
            pass
        await topic.write((b"a", b"1"))
        assert (await receive(socket))["payload"] == {"data": {"updates": {"key": "a"}}}


async def test_slow_websocket_is_not_closed_as_silent(embedded_broker: EmbeddedBroker, tmp_path: Path) -> None:
    limits: dict[str, Any] = {"send_buffer_bytes_max": 32 * VALUE_BYTES, "slow_client_seconds_max": NEVER_SECONDS}
    async with (
        asyncio.timeout(40),
        serving_topic(embedded_broker, tmp_path, **SMALL, **PINGED, **limits) as topic,
        websocket(topic.served, snapshot=True) as stalled,
    ):
        await live(stalled)
        await change_much(topic)
        async with bare_socket(topic.served) as silent:
            while (await frame(silent))[0] != CLOSE:
                pass
        await converged(stalled, {})
        assert await disconnected(topic.served, "silent") == 1


async def test_event_stream_has_comments_as_heartbeats(embedded_broker: EmbeddedBroker, tmp_path: Path) -> None:
    async with (
        asyncio.timeout(20),
        serving_topic(embedded_broker, tmp_path, ping_seconds=PING_SECONDS) as topic,
        topic.served.http.stream(
            "GET",
            "/graphql",
            params={"query": "subscription { updates { key } }"},
            headers={"accept": "text/event-stream"},
        ) as response,
    ):
        lines = response.aiter_lines()
        assert [await anext(lines) for _ in range(4)] == [": ping", "", ": ping", ""]


async def test_event_stream_that_nobody_reads_is_closed_even_if_its_buffers_have_room(
    embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    async with (
        asyncio.timeout(40),
        serving_topic(embedded_broker, tmp_path, slow_client_seconds_max=0.1) as topic,
        sse(topic.served, snapshot=True) as updates,
    ):
        await live(updates)
        # More than the client's buffer holds, and less than the service's own.
        await topic.write((b"a", b"v" * 4 * RECEIVE_BUFFER_BYTES))
        await until_active(topic.served.http, 0)
        assert await disconnected(topic.served) == 0
