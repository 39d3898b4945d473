"""Idle connections are pinged, and closed if nobody is at the other end."""

import asyncio
from asyncio import StreamReader
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from kvs_graphql.demo.broker import EmbeddedBroker
from tests.api.test_values import holding
from tests.serving import Served
from tests.transports import open_socket, receive, subscribe, until_active
from tests.web.test_slow_clients import (
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
    """Every frame of a WebSocket that never answers."""
    url = httpx.URL(served.run.url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    try:
        writer.write(HANDSHAKE.format(host=url.host).encode())
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        yield reader
    finally:
        writer.transport.abort()


async def frame(reader: StreamReader) -> tuple[int, bytes]:
    """The opcode and content of the next frame; frames of the service are short here, and not masked."""
    kind, size = await reader.readexactly(2)
    return kind, await reader.readexactly(size)


async def test_websocket_that_never_answers_a_ping_is_told_why_it_is_disconnected(
    embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    async with (
        asyncio.timeout(20),
        holding(embedded_broker, tmp_path, ping_seconds=PING_SECONDS, pong_seconds_max=0.2) as held,
        bare_socket(held.served) as reader,
    ):
        assert (await frame(reader))[0] == PING
        code = (1013).to_bytes(2, "big")
        assert await frame(reader) == (CLOSE, code + b"Silent: no pong for 0.2 s.")
        assert await reader.read() == b""
        assert await disconnected(held.served, "silent") == 1


async def test_idle_websocket_stays_open_while_it_answers_pings(
    embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    async with (
        asyncio.timeout(20),
        holding(embedded_broker, tmp_path, **PINGED) as held,
        open_socket(held.served) as socket,
        bare_socket(held.served) as silent,
    ):
        await subscribe(socket, "1", 'subscription { updates(keys: ["a"]) { key } }')
        await until_active(held.served.http, 1)
        while (await frame(silent))[0] != CLOSE:
            pass
        await held.write((b"a", b"1"))
        assert (await receive(socket))["payload"] == {"data": {"updates": {"key": "a"}}}


async def test_websocket_that_reads_slowly_is_not_taken_for_dead(
    embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    limits: dict[str, Any] = {"send_buffer_bytes_max": 32 * VALUE_BYTES, "slow_client_seconds_max": NEVER_SECONDS}
    async with (
        asyncio.timeout(40),
        holding(embedded_broker, tmp_path, **SMALL, **PINGED, **limits) as held,
        websocket(held.served, snapshot=True) as stalled,
    ):
        await live(stalled)
        await change_much(held)
        async with bare_socket(held.served) as silent:
            while (await frame(silent))[0] != CLOSE:
                pass
        await converged(stalled, {})
        assert await disconnected(held.served, "silent") == 1


async def test_event_stream_is_pinged_with_comments(embedded_broker: EmbeddedBroker, tmp_path: Path) -> None:
    async with (
        asyncio.timeout(20),
        holding(embedded_broker, tmp_path, ping_seconds=PING_SECONDS) as held,
        held.served.http.stream(
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
        holding(embedded_broker, tmp_path, slow_client_seconds_max=0.1) as held,
        sse(held.served, snapshot=True) as updates,
    ):
        await live(updates)
        # More than the client's buffer holds, and less than the service's own.
        await held.write((b"a", b"v" * 4 * RECEIVE_BUFFER_BYTES))
        await until_active(held.served.http, 0)
        assert await disconnected(held.served) == 0
