"""WebSockets over real connections: messages written directly into them, their number, and their pings."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import orjson
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus

from kvs_graphql.web.direct import DirectWriter
from tests.counters import counted
from tests.runtime.servers import Application, Receive, Scope, Send, Served, connected, server, writer_of, written

Talk = Callable[[DirectWriter, Send], Awaitable[None]]

MANY = 1000
SMALL_BUFFER_BYTES = 2**16
HANDSHAKE = (
    b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
CLOSE = b"\x88\x02" + (1000).to_bytes(2, "big")
PING_FRAME, CLOSE_FRAME = 0x89, 0x88
PING_SECONDS = 0.05
MASKED_CLOSE = b"\x88\x82" + bytes(4) + (1000).to_bytes(2, "big")


def talking(talk: Talk) -> Application:
    """An application that accepts a WebSocket, lets `talk` write to it, and closes it."""

    async def application(scope: Scope, _: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        await talk(writer_of(scope), send)
        await send({"type": "websocket.close"})

    return application


async def listening(_: Scope, receive: Receive, send: Send) -> None:
    """Accept a WebSocket and wait until it closes."""
    await send({"type": "websocket.accept"})
    while (await receive())["type"] != "websocket.disconnect":
        pass


@asynccontextmanager
async def websocket(port: int, **options: Any) -> AsyncIterator[ClientConnection]:
    async with connect(f"ws://127.0.0.1:{port}/", proxy=None, max_size=None, **options) as client:
        yield client


@asynccontextmanager
async def bare_websocket(port: int) -> AsyncIterator[tuple[StreamReader, StreamWriter]]:
    """Open a WebSocket that answers only what the test writes."""
    with connected(port) as connection:
        reader, writer = await asyncio.open_connection(sock=connection)
        try:
            writer.write(HANDSHAKE)
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
            yield reader, writer
        finally:
            writer.transport.abort()


async def frame(reader: StreamReader) -> tuple[int, bytes]:
    """Return the opcode and the content of the next frame, which is short and not masked."""
    kind, size = await reader.readexactly(2)
    return kind, await reader.readexactly(size)


async def until_silent_is_closed(port: int) -> None:
    """Open a WebSocket that answers no ping, and return once it is closed."""
    async with bare_websocket(port) as (reader, _):
        while (await frame(reader))[0] != CLOSE_FRAME:
            pass


def silent(served: Served) -> float:
    """How many clients were disconnected because they answered no ping."""
    return counted(served.metrics, "kvs_clients_disconnected_total", reason="silent")


async def with_enough_time(stays_open: Callable[[float], Awaitable[bool]]) -> bool:
    """Whether a client stays open for one of these time limits; its machine may be too slow for the first ones."""
    for seconds in (0.2, 1, 5, 15):
        if await stays_open(seconds):
            return True
    return False


async def messages(client: ClientConnection) -> list[str | bytes]:
    return [message async for message in client]


@pytest.mark.parametrize("size", [0, 500, 5_000])
async def test_handshake_may_be_longer_than_what_is_parsed_at_once(size: int) -> None:
    """Browsers send more header fields than other clients do."""
    async with server(listening) as served, websocket(served.port, additional_headers={"cookie": "c" * size}) as client:
        await (await client.ping())


async def test_messages_written_directly_and_through_asgi_arrive_in_order() -> None:
    async def talk(writer: DirectWriter, send: Send) -> None:
        for number in range(MANY):
            if number % 10 == 0:
                await send({"type": "websocket.send", "text": f"{number}"})
            else:
                assert written(writer, b"%d" % number)

    async with server(talking(talk)) as served, websocket(served.port) as client:
        assert await messages(client) == [f"{number}" for number in range(MANY)]


async def test_messages_taken_together_are_sent_by_one_flush() -> None:
    async def talk(writer: DirectWriter, _: Send) -> None:
        flushes = [writer.write(b"a", b"%d" % number, b"z") for number in range(3)]
        for flush in flushes:
            assert flush is not None
            flush()

    async with server(talking(talk)) as served, websocket(served.port) as client:
        assert await messages(client) == ["a0z", "a1z", "a2z"]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 200_000])
async def test_message_of_any_frame_length_is_whole(size: int) -> None:
    """The length is encoded in another form below 126 bytes, below 65,536, and above (RFC 6455, 5.2)."""
    text = "".join(str(number % 10) for number in range(size))

    async def talk(writer: DirectWriter, _: Send) -> None:
        assert written(writer, text[:50].encode(), text[50:].encode())
        assert written(writer, b"next")

    async with server(talking(talk)) as served, websocket(served.port) as client:
        assert await messages(client) == [text, "next"]


async def test_nothing_is_taken_while_there_is_no_room() -> None:
    taken: list[str] = []
    full = asyncio.Event()

    async def talk(writer: DirectWriter, send: Send) -> None:
        while written(writer, (text := f"{len(taken):01000}").encode()):
            taken.append(text)
        full.set()
        await send({"type": "websocket.send", "text": "after"})
        assert written(writer, b"direct again")

    async with server(talking(talk), send_buffer_bytes_max=SMALL_BUFFER_BYTES) as served:
        with connected(served.port, receive_buffer_bytes=SMALL_BUFFER_BYTES) as connection:
            async with websocket(served.port, sock=connection, max_queue=1) as client:
                await full.wait()
                assert await messages(client) == [*taken, "after", "direct again"]


async def test_nothing_is_taken_while_sending_waits() -> None:
    paused: list[Served] = []

    async def talk(writer: DirectWriter, _: Send) -> None:
        assert written(writer, b"before")
        with paused[0].paused():
            assert not written(writer, b"within")
        assert written(writer, b"after")

    async with server(talking(talk)) as served:
        paused.append(served)
        async with websocket(served.port) as client:
            assert await messages(client) == ["before", "after"]


async def test_nothing_is_taken_before_the_handshake_or_after_closing() -> None:
    taken: list[bool] = []

    async def application(scope: Scope, _: Receive, send: Send) -> None:
        writer = writer_of(scope)
        taken.append(written(writer, b"before"))
        await send({"type": "websocket.accept"})
        taken.append(written(writer, b"within"))
        await send({"type": "websocket.close"})
        taken.append(written(writer, b"after"))

    async with server(application) as served, websocket(served.port) as client:
        assert await messages(client) == ["within"]
        assert taken == [False, True, False]


async def test_flush_after_closing_sends_nothing() -> None:
    async def application(scope: Scope, _: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        flush = writer_of(scope).write(b"too late")
        await send({"type": "websocket.close"})
        assert flush is not None
        flush()

    async with server(application) as served, bare_websocket(served.port) as (reader, writer):
        assert await reader.readexactly(len(CLOSE)) == CLOSE
        writer.write(MASKED_CLOSE)
        assert await reader.read() == b""


async def test_nothing_is_taken_once_the_client_has_gone() -> None:
    taken: list[bool] = []
    gone = asyncio.Event()

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await listening(scope, receive, send)
        taken.append(written(writer_of(scope), b"a"))
        gone.set()

    async with server(application) as served:
        async with websocket(served.port) as client:
            client.transport.abort()
        await gone.wait()
        assert taken == [False]


async def test_websocket_over_the_limit_is_refused_until_another_ends() -> None:
    async with server(listening, websockets_max=1) as served:
        async with websocket(served.port):
            with pytest.raises(InvalidStatus) as refused:
                async with websocket(served.port):
                    pass
        response = refused.value.response
        assert (response.status_code, response.headers["retry-after"]) == (503, "10")
        assert response.body is not None
        (error,) = orjson.loads(response.body)["errors"]
        assert error["extensions"] == {"code": "LIMIT_EXCEEDED", "limit": 1, "setting": "KVS_WEBSOCKETS_MAX"}
        # The first one ends when the service sees it close: try again until then.
        async for client in connect(f"ws://127.0.0.1:{served.port}/", proxy=None):
            await client.close()
            break


async def test_websocket_that_answers_no_ping_is_closed_with_the_reason() -> None:
    limits: dict[str, Any] = {"ping_seconds": PING_SECONDS, "pong_seconds_max": 0.2}
    async with server(listening, **limits) as served, bare_websocket(served.port) as (reader, _):
        assert (await frame(reader))[0] == PING_FRAME
        assert await frame(reader) == (CLOSE_FRAME, (1013).to_bytes(2, "big") + b"Silent: no pong for 0.2 s.")
        assert await reader.read() == b""
        assert silent(served) == 1


async def test_idle_websocket_stays_open_while_it_answers_pings() -> None:
    async def stays_open(seconds: float) -> bool:
        limits: dict[str, Any] = {"ping_seconds": PING_SECONDS, "pong_seconds_max": seconds}
        async with server(listening, **limits) as served:
            with suppress(ConnectionClosedError):
                async with websocket(served.port) as client:
                    await until_silent_is_closed(served.port)
                    await (await client.ping())
                    return silent(served) == 1
        return False

    assert await with_enough_time(stays_open)


async def test_slow_websocket_is_not_closed_as_silent() -> None:
    """The ping waits behind the messages that the client has yet to read."""

    async def stays_open(seconds: float) -> bool:
        taken: list[str] = []
        full = asyncio.Event()

        async def fill(writer: DirectWriter, send: Send) -> None:
            while written(writer, (text := f"{len(taken):01000}").encode()):
                taken.append(text)
            full.set()
            await send({"type": "websocket.send", "text": "after"})

        async def application(scope: Scope, receive: Receive, send: Send) -> None:
            if full.is_set():
                await listening(scope, receive, send)
            else:
                await talking(fill)(scope, receive, send)

        limits: dict[str, Any] = {"ping_seconds": PING_SECONDS, "pong_seconds_max": seconds}
        async with server(application, send_buffer_bytes_max=SMALL_BUFFER_BYTES, **limits) as served:
            narrow = connected(served.port, receive_buffer_bytes=SMALL_BUFFER_BYTES)
            with suppress(ConnectionClosedError), narrow as connection:
                async with websocket(served.port, sock=connection, max_queue=1) as slow:
                    await full.wait()
                    await until_silent_is_closed(served.port)
                    assert await messages(slow) == [*taken, "after"]
                    return silent(served) == 1
        return False

    assert await with_enough_time(stays_open)


async def test_stopping_server_says_so_to_websockets() -> None:
    async with server(listening) as served:
        client = await connect(f"ws://127.0.0.1:{served.port}/", proxy=None)
    with pytest.raises(ConnectionClosed) as closed:
        await client.recv()
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1001, "The service stops.")
