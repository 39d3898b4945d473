"""Attacks below GraphQL: bytes that never end or never come, answers that nobody reads, floods of connections."""

import asyncio
from itertools import count, repeat

from bench.load.frames import PING, frame, handshake
from bench.queries import EVENT_STREAM, PATH
from tests.attacks.attack import attack
from tests.attacks.data import BIG_PREFIX
from tests.attacks.target import HOST, PROTOCOL, Socket, Target, Wire, post

_STATUS = post("{ status { state } }")
_HEAD = f"POST {PATH} HTTP/1.1\r\nhost: {HOST}\r\n".encode()
_BODY_HEAD = _HEAD + b"content-type: application/json\r\ncontent-length: %d\r\n\r\n"
_CHUNKED_HEAD = _HEAD + b"content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
_DRIP_SECONDS = 0.05
_PAGE = f'{{ entries(prefix: "{BIG_PREFIX}", first: 400) {{ edges {{ node {{ value }} }} }} }}'
_SUBSCRIPTION = post("subscription { updates { kind } }", None, EVENT_STREAM)
# Frames of a client whose mask is zero: RFC 6455, section 5.2.
_MASK = bytes(4)
_START_OF_TEXT, _EMPTY_CONTINUATION = b"\x01\x80" + _MASK, b"\x00\x80" + _MASK
_CONTINUATION_OF_ONE_BYTE = b"\x00\x81" + _MASK + b"x"


@attack(silent=True)
async def slow_heads(target: Target) -> None:
    """Five hundred heads that come byte by byte and never end."""
    await _drip(target, _HEAD, b"x")


@attack(refusal="LIMIT_EXCEEDED")
async def endless_heads(target: Target) -> None:
    """Heads that never end, as fast as the service takes them."""

    async def one(_: int) -> None:
        wire = await target.connect()
        await wire.send(_HEAD)
        await _until_answered(wire, b"x-more: " + b"y" * 60_000 + b"\r\n", 2_000)

    await target.together(one, 50)


@attack(silent=True)
async def many_headers(target: Target) -> None:
    """Thousands of small headers in each head."""
    head = b"".join(b"h%d: v\r\n" % number for number in range(5_000))
    await target.ask(repeat(_STATUS.replace(b"\r\n", b"\r\n" + head, 1)), connections=8)


@attack(silent=True)
async def long_addresses(target: Target) -> None:
    """Addresses of 60 KB and of a megabyte."""
    sizes = (60_000, 1_000_000)
    lines = [f"GET {PATH}?query={'%7B' * (size // 3)} HTTP/1.1\r\nhost: {HOST}\r\n\r\n".encode() for size in sizes]
    await target.ask((lines[n % 2] for n in count()), connections=8)


@attack(holds=True)
async def bodies_that_never_come(target: Target) -> None:
    """Five hundred bodies of which nothing comes, or all but the last byte."""
    parts = (b"", b" " * 900_000)

    async def one(number: int) -> None:
        wire = await target.connect()
        part = parts[number % 2]
        await wire.send(_BODY_HEAD % (len(part) + 1) + part)

    await target.together(one, 500)
    await target.hold()


@attack(silent=True)
async def slow_bodies(target: Target) -> None:
    """Five hundred bodies that come byte by byte."""
    await _drip(target, _BODY_HEAD % 1_000_000, b" ")


@attack(refusal="LIMIT_EXCEEDED")
async def endless_bodies(target: Target) -> None:
    """Bodies in chunks of one byte that never end."""

    async def one(_: int) -> None:
        wire = await target.connect()
        await wire.send(_CHUNKED_HEAD)
        await _until_answered(wire, b"1\r\nx\r\n" * 10_000, 1_000)

    await target.together(one, 20)


@attack(holds=True)
async def unread_answers(target: Target) -> None:
    """A hundred large answers that nobody reads."""

    async def one(_: int) -> None:
        await (await target.connect()).send(post(_PAGE))

    await target.together(one, 100)
    await target.hold()


@attack(holds=True)
async def pipelined_requests(target: Target) -> None:
    """Thousands of requests, one behind the other, whose answers nobody reads."""

    async def one(_: int) -> None:
        wire = await target.connect()
        for _ in range(100):
            await wire.send(_STATUS * 100)

    await target.together(one, 50)
    await target.hold()


@attack(holds=True)
async def connection_flood(target: Target) -> None:
    """Five thousand connections on which nothing is said."""
    await target.together(lambda _: _opened(target), 5_000, at_once=500)
    await target.hold()


@attack(holds=True, descriptors=256)
async def connection_flood_at_256_descriptors(target: Target) -> None:
    """As many connections as a service can have that may open 256 files."""
    await target.together(lambda _: _opened(target), 1_000, at_once=100)
    await target.hold()


@attack(silent=True)
async def connections_reset(target: Target) -> None:
    """Connections that are reset as soon as they asked."""

    async def one(_: int) -> None:
        wire = await target.connect()
        await wire.send(_STATUS)
        target.disconnect(wire)

    await target.together(one, 10_000, at_once=50)


@attack(holds=True)
async def sockets_without_init(target: Target) -> None:
    """Two thousand WebSockets on which nothing is said."""

    async def one(_: int) -> None:
        wire = await target.connect()
        await wire.send(handshake(target.port, PATH, PROTOCOL))
        await wire.head()

    await target.together(one, 2_000)
    await target.hold()


@attack()
async def ping_flood(target: Target) -> None:
    """WebSocket pings as fast as the service takes them."""
    await _flood(target, frame(b"p" * 125, PING) * 1_000)


@attack(silent=True)
async def unread_ping_flood(target: Target) -> None:
    """The same, by clients that read no pong."""
    await _flood(target, frame(b"p" * 125, PING) * 1_000, read=False)


@attack()
async def protocol_ping_flood(target: Target) -> None:
    """The pings of graphql-transport-ws."""
    await _flood(target, frame(b'{"type":"ping"}') * 1_000)


@attack(refusal="closed 1009", silent=True)
async def empty_continuations(target: Target) -> None:
    """A message that goes on in empty frames and never ends."""
    await _flood(target, _EMPTY_CONTINUATION * 10_000, _START_OF_TEXT)


@attack(refusal="closed 1009")
async def endless_fragments(target: Target) -> None:
    """A message that goes on byte by byte and never ends."""
    await _flood(target, _CONTINUATION_OF_ONE_BYTE * 10_000, _START_OF_TEXT)


@attack(silent=True)
async def slow_frames(target: Target) -> None:
    """Frames of a megabyte that come byte by byte."""
    start = b"\x81\xff" + (1_000_000).to_bytes(8, "big") + _MASK

    async def one(_: int) -> None:
        socket = await target.websocket()
        await socket.wire.send(start + b" " * 900_000)
        while True:
            await socket.wire.send(b" ")
            await asyncio.sleep(_DRIP_SECONDS)

    await target.together(one, 200)


@attack(refusal="closed 1009")
async def huge_frames(target: Target) -> None:
    """Frames that say they have 2 ** 62 bytes."""

    async def one(_: int) -> None:
        socket = await target.websocket()
        await socket.wire.send(b"\x81\xff" + (1 << 62).to_bytes(8, "big") + _MASK + b"x" * 1_000)
        await socket.read()

    await target.together(one, 500)


@attack(silent=True)
async def invented_addresses(target: Target) -> None:
    """Event streams through a trusted proxy, each said to come from another address."""

    async def one(number: int) -> None:
        wire = await target.connect(HOST)
        invented = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
        await wire.send(_SUBSCRIPTION.replace(b"\r\n", f"\r\nx-forwarded-for: {invented}\r\n".encode(), 1))
        head = await wire.head()
        target.tally.outcomes[head[9:12].decode()] += 1
        target.disconnect(wire)

    await target.together(one, 20_000, at_once=50)


@attack()
async def long_forwarded_for(target: Target) -> None:
    """Requests through a trusted proxy with thousands of invented addresses in one header."""
    line = f"\r\nx-forwarded-for: {', '.join(f'10.0.{n >> 8}.{n & 255}' for n in range(4_000))}\r\n".encode()
    await target.ask(repeat(_STATUS.replace(b"\r\n", line, 1)), connections=8, source=HOST)


async def _opened(target: Target) -> None:
    await target.connect()
    target.tally.sent += 1


async def _drip(target: Target, start: bytes, drop: bytes) -> None:
    """Send the start of requests, and then byte after byte of each."""

    async def one(_: int) -> None:
        wire = await target.connect()
        await wire.send(start)
        while True:
            await wire.send(drop)
            await asyncio.sleep(_DRIP_SECONDS)

    await target.together(one, 500, at_once=500)


async def _until_answered(wire: Wire, data: bytes, times: int) -> None:
    """Send data over and over until the service answers, or closes the connection."""
    answered = asyncio.ensure_future(wire.answer())
    try:
        for _ in range(times):
            if answered.done():
                break
            await wire.send(data)
        await answered
    finally:
        answered.cancel()


async def _flood(target: Target, data: bytes, start: bytes = b"", *, read: bool = True) -> None:
    """Send the same frames over and over on WebSockets."""

    async def one(_: int) -> None:
        socket = await target.websocket()
        await socket.wire.send(start)
        reading = asyncio.ensure_future(socket.read()) if read else None
        try:
            await _pour(socket, data, target.amount(2_000))
        finally:
            if reading is not None:
                reading.cancel()

    await target.together(one, 10)


async def _pour(socket: Socket, data: bytes, times: int) -> None:
    for _ in range(times):
        await socket.wire.send(data)
