"""The real server on a free port, with an application of the test's own, and raw connections to it."""

import asyncio
import socket
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import orjson

from kvs_graphql.metrics import Metrics
from kvs_graphql.runtime.limits import ServerLimits
from kvs_graphql.runtime.server import Server, listen
from kvs_graphql.web import ClientAddresses
from kvs_graphql.web.direct import DIRECT_EXTENSION, DirectWriter
from tests.deadline import NEVER_SECONDS, SECONDS_MAX

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

LIMITS = ServerLimits(
    connections_max=100,
    connections_per_client_max=100,
    websockets_max=10,
    url_bytes_max=2**17,
    head_bytes_max=2**16,
    head_seconds_max=NEVER_SECONDS,
    message_bytes_max=2**20,
    control_frames_per_second_max=1000,
    unread_bytes_max=2**30,
    unfinished_bytes_max=2**30,
    body_seconds_max=NEVER_SECONDS,
    send_buffer_bytes_max=2**20,
    slow_client_seconds_max=NEVER_SECONDS,
    ping_seconds=NEVER_SECONDS,
    pong_seconds_max=NEVER_SECONDS,
    shutdown_seconds_max=1,
)


@dataclass(frozen=True)
class Served:
    """A running server."""

    port: int
    server: Server
    metrics: Metrics

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Pause sending on the one connection, as the event loop does when the transport's buffer is full."""
        (connection,) = self.server.server_state.connections
        connection.pause_writing()
        yield
        connection.resume_writing()


@asynccontextmanager
async def server(
    application: Application, *, trusted: tuple[str, ...] = (), metrics: Metrics | None = None, **limits: Any
) -> AsyncIterator[Served]:
    """Serve an ASGI application on a free port."""

    async def on_exit() -> None:
        pass

    with listen("127.0.0.1", 0) as listener:
        metrics = metrics or Metrics()
        served = Server(application, replace(LIMITS, **limits), metrics, on_exit, addresses=ClientAddresses(trusted))
        async with asyncio.timeout(SECONDS_MAX), asyncio.TaskGroup() as tasks:
            tasks.create_task(served.serve(sockets=[listener]))
            try:
                yield Served(listener.getsockname()[1], served, metrics)
            finally:
                served.stop()


@contextmanager
def connected(
    port: int, *, receive_buffer_bytes: int | None = None, address: str = "127.0.0.1"
) -> Iterator[socket.socket]:
    """Connect to it; with a small receive buffer, little fits between the server and a client that does not read."""
    with socket.socket() as connection:
        connection.bind((address, 0))
        if receive_buffer_bytes is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        connection.connect(("127.0.0.1", port))
        connection.setblocking(False)
        yield connection


Client = tuple[StreamReader, StreamWriter]


@asynccontextmanager
async def client_of(
    port: int, *, receive_buffer_bytes: int | None = None, address: str = "127.0.0.1", first: bytes = b""
) -> AsyncIterator[Client]:
    """Connect to it, to write and read bytes; the first ones are sent before the server accepts the connection."""
    with connected(port, receive_buffer_bytes=receive_buffer_bytes, address=address) as connection:
        connection.sendall(first)
        reader, writer = await asyncio.open_connection(sock=connection)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()


def refused(answer: bytes) -> tuple[int, dict[str, Any]]:
    """Return the status of a response, and the extensions of its only error; the connection has to close."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"connection: close" in head.lower()
    (error,) = orjson.loads(body)["errors"]
    return int(head.split()[1]), error["extensions"]


def writer_of(scope: Scope) -> DirectWriter:
    writer: DirectWriter = scope["extensions"][DIRECT_EXTENSION]
    return writer


def written(writer: DirectWriter, *parts: bytes) -> bool:
    """Write and send at once; return whether the writer took it."""
    flush = writer.write(*parts)
    if flush is not None:
        flush()
    return flush is not None
