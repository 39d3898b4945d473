"""WebSockets that send floods of frames, or messages without end, hurt only themselves."""

import asyncio
from asyncio import StreamReader
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.deadline import SECONDS_MAX
from tests.runtime.servers import Client, Receive, Scope, Send, client_of, server

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
TEXT, MORE, LAST, CLOSE, PING, PONG = 0x01, 0x00, 0x80, 0x88, 0x89, 0x8A
WHOLE = TEXT | LAST


def frame(first: int, payload: bytes = b"") -> bytes:
    """A masked frame."""
    size = len(payload)
    length = bytes((0x80 | size,)) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    return bytes((first,)) + length + bytes(4) + payload


async def echo(_: Scope, receive: Receive, send: Send) -> None:
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


@asynccontextmanager
async def opened(port: int, **options: Any) -> AsyncIterator[Client]:
    async with asyncio.timeout(SECONDS_MAX), client_of(port, **options) as (reader, writer):
        writer.write(HANDSHAKE)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        yield reader, writer


async def closed(reader: StreamReader) -> tuple[int, str]:
    """Return the code and the reason of the close frame; skip pongs and messages."""
    while True:
        first, size = await reader.readexactly(2)
        if size == 126:
            size = int.from_bytes(await reader.readexactly(2), "big")
        payload = await reader.readexactly(size)
        if first == CLOSE:
            return int.from_bytes(payload[:2], "big"), payload[2:].decode()


async def messages_of(reader: StreamReader, number: int) -> list[bytes]:
    """Return that many messages; skip pongs."""
    found: list[bytes] = []
    while len(found) < number:
        first, size = await reader.readexactly(2)
        if size == 126:
            size = int.from_bytes(await reader.readexactly(2), "big")
        payload = await reader.readexactly(size)
        if first == WHOLE:
            found.append(payload)
    return found


@pytest.mark.parametrize("opcode", [PING, PONG])
async def test_more_pings_or_pongs_than_allowed_close_the_socket(opcode: int) -> None:
    async with server(echo, control_frames_per_second_max=10) as served, opened(served.port) as (reader, writer):
        writer.write(frame(opcode) * 1_000)
        assert await closed(reader) == (1008, "More than 10 pings and pongs within a second.")


async def test_one_ping_is_allowed_at_a_limit_of_one() -> None:
    async with server(echo, control_frames_per_second_max=1) as served, opened(served.port) as (reader, writer):
        writer.write(frame(PING, b"a") + frame(WHOLE, b"b"))
        assert await reader.readexactly(6) == b"\x8a\x01a\x81\x01b"


async def test_fragments_count_with_what_they_cost() -> None:
    async with server(echo, message_bytes_max=10_000) as served, opened(served.port) as (reader, writer):
        writer.write(frame(TEXT, b"a") + frame(MORE, b"b") * 20 + frame(LAST, b"c"))
        assert await messages_of(reader, 1) == [b"a" + b"b" * 20 + b"c"]
        writer.write(frame(TEXT) + frame(MORE) * 1_000)
        assert await closed(reader) == (1009, "Over 10000 bytes, with 256 for each fragment.")


@pytest.mark.parametrize(
    "begun", [frame(TEXT, b"a"), frame(WHOLE, b"a" * 100)[:50], b"\x81"], ids=["fragment", "payload", "head of a frame"]
)
async def test_message_that_does_not_end_in_time_closes_the_socket(begun: bytes) -> None:
    async with server(echo, body_seconds_max=0.3) as served, opened(served.port) as (reader, writer):
        writer.write(frame(WHOLE, b"whole"))
        assert await messages_of(reader, 1) == [b"whole"]
        writer.write(begun)
        assert await closed(reader) == (1008, "A message did not end within 0.3 s.")


async def test_whole_messages_have_all_the_time_between_them() -> None:
    async with server(echo, body_seconds_max=1) as served, opened(served.port) as (reader, writer):
        whole = frame(WHOLE, b"a")
        for part in (whole[:3], whole[3:] + frame(TEXT, b"b"), frame(LAST, b"c")):
            writer.write(part)
            await asyncio.sleep(0.05)
        assert await messages_of(reader, 2) == [b"a", b"bc"]
        async with opened(served.port) as (other_reader, other):
            other.write(b"\x81")
            await closed(other_reader)
        writer.write(frame(WHOLE, b"d"))
        assert await messages_of(reader, 1) == [b"d"]


@pytest.mark.parametrize("size", [2**20, 5_000, 1_024, 100, 7])
async def test_messages_arrive_whole_and_in_order_however_they_are_cut(size: int) -> None:
    sent = [b"%d" % number * (number % 2_000 // 4 + 1) for number in range(200)]
    stream = b"".join(frame(WHOLE, text) for text in sent[:100])
    stream += b"".join(frame(TEXT, text) + frame(PING) + frame(LAST, text) for text in sent[100:])
    async with server(echo) as served, opened(served.port) as (reader, writer):
        receiving = asyncio.create_task(messages_of(reader, len(sent)))
        for at in range(0, len(stream), size):
            writer.write(stream[at : at + size])
            await writer.drain()
            await asyncio.sleep(0)
        assert await receiving == [*sent[:100], *(text + text for text in sent[100:])]


async def test_messages_wait_for_the_application() -> None:
    """What a client sends in advance stays in the network, not in objects of this process."""
    taking = asyncio.Event()
    waiting: list[int] = []

    async def application(_: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await taking.wait()
        (connection,) = served.server.server_state.connections
        waiting.append(connection.queue.qsize())  # type: ignore[union-attr]
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})

    async with server(application) as served, opened(served.port) as (reader, writer):
        sent = [b"%d" % number for number in range(20_000)]
        receiving = asyncio.create_task(messages_of(reader, len(sent)))
        for at in range(0, len(sent), 1_000):
            writer.write(b"".join(frame(WHOLE, text) for text in sent[at : at + 1_000]))
            await asyncio.sleep(0)
        taking.set()
        assert await receiving == sent
    assert waiting[0] < 300


async def test_flood_of_frames_is_taken_in_many_turns() -> None:
    """Parsing them takes far more than 20 ms, and no turn takes much more than one."""
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    frames = 25_000
    async with server(echo, message_bytes_max=2**24) as served, opened(served.port) as (reader, writer):
        counting = asyncio.create_task(count_turns())
        writer.write(frame(TEXT) + frame(MORE) * frames + frame(LAST, b"a"))
        assert await messages_of(reader, 1) == [b"a"]
        counting.cancel()
    assert turns > 20
