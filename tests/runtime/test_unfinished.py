"""Requests and messages that have come in part have a budget over all connections; the first to begin are dropped."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from tests.deadline import SECONDS_MAX
from tests.runtime.servers import Receive, Scope, Send, client_of, server

BLOCK = 10_000 * b"x"
POST = b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 30000\r\n\r\n"
HANDSHAKE = (
    b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
FRAME = b"\x81\xfe" + (30_000).to_bytes(2, "big") + bytes(4)
KINDS = {
    "body": (b"", POST, b"x"),
    "head": (b"", b"GET / HTTP/1.1\r\na: ", b"\r\n\r\n"),
    "message": (HANDSHAKE, FRAME, b"x"),
}


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": f"done {len(message['text'])}"})
        return
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
    await send({"type": "http.response.body", "body": b"done"})


@asynccontextmanager
async def begun(port: int, kind: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection whose request has arrived in part."""
    before, begin, _ = KINDS[kind]
    async with client_of(port) as (reader, writer):
        if before:
            writer.write(before)
            await reader.readuntil(b"\r\n\r\n")
        writer.write(begin + 2 * BLOCK)
        yield reader, writer


@pytest.mark.parametrize("kind", KINDS)
async def test_first_to_begin_are_dropped_and_others_end(kind: str) -> None:
    limits: dict[str, Any] = {"unfinished_bytes_max": 50_000}
    async with asyncio.timeout(SECONDS_MAX), server(answer, **limits) as served, AsyncExitStack() as held:
        first = [await held.enter_async_context(begun(served.port, kind)) for _ in range(3)]
        last = await held.enter_async_context(begun(served.port, kind))
        for reader, _ in first[:2]:
            assert await reader.read() == b""
        rest = 30_000 - 2 * len(BLOCK)
        last[1].write(KINDS[kind][2] * rest if kind != "head" else KINDS[kind][2])
        await last[0].readuntil(b"done")


@pytest.mark.parametrize("kind", KINDS)
async def test_finished_requests_leave_the_budget_to_later_ones(kind: str) -> None:
    limits: dict[str, Any] = {"unfinished_bytes_max": 50_000}
    async with asyncio.timeout(SECONDS_MAX), server(answer, **limits) as served, AsyncExitStack() as held:
        for _ in range(10):
            reader, writer = await held.enter_async_context(begun(served.port, kind))
            rest = 30_000 - 2 * len(BLOCK)
            writer.write(KINDS[kind][2] * rest if kind != "head" else KINDS[kind][2])
            await reader.readuntil(b"done")
