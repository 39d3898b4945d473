"""Messages written directly into WebSockets, over real connections."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from kvs_graphql.web.direct import DirectWriter
from tests.runtime.servers import Application, Receive, Scope, Send, Served, connected, server, writer_of, written

Talk = Callable[[DirectWriter, Send], Awaitable[None]]

MANY = 1000
SMALL_BUFFER_BYTES = 4096
HANDSHAKE = (
    b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
CLOSE = b"\x88\x02" + (1000).to_bytes(2, "big")
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


async def messages(client: ClientConnection) -> list[str | bytes]:
    return [message async for message in client]


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

    async with server(application) as served:
        with connected(served.port) as connection:
            reader, writer = await asyncio.open_connection(sock=connection)
            writer.write(HANDSHAKE)
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
            assert await reader.readexactly(len(CLOSE)) == CLOSE
            writer.write(MASKED_CLOSE)
            assert await reader.read() == b""
            writer.transport.abort()


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


async def test_stopping_server_says_so_to_websockets() -> None:
    async with server(listening) as served:
        client = await connect(f"ws://127.0.0.1:{served.port}/", proxy=None)
    with pytest.raises(ConnectionClosed) as closed:
        await client.recv()
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1001, "The service stops.")
