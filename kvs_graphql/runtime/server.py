"""uvicorn, made to end in our order and to wait for nobody for ever. The only uvicorn."""

import asyncio
import signal
import socket
from asyncio import TimerHandle, Transport
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from kvs_graphql.errors import BadSetting

_BACKLOG = 2048


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """How long and how large: of a WebSocket message, of a request's head, of the shutdown."""

    message_bytes_max: int
    head_seconds_max: float
    shutdown_seconds_max: float


class Server(uvicorn.Server):
    """Ends on signals without raising them again: what is to be stopped after it is ours.

    `on_exit` is awaited first of all, so that what it answers can still reach its clients; then no new connection is
    taken, and open ones are waited for.
    """

    def __init__(self, app: Any, limits: ServerLimits, on_exit: Callable[[], Awaitable[None]]) -> None:
        config = uvicorn.Config(
            app,
            http=_protocol(limits.head_seconds_max),
            ws="websockets-sansio",
            ws_max_size=limits.message_bytes_max,
            # It costs 50 KB a socket.
            ws_per_message_deflate=False,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=max(1, round(limits.shutdown_seconds_max)),
        )
        super().__init__(config)
        self._on_exit = on_exit

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._on_exit()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)


@contextmanager
def listen(host: str, port: int) -> Iterator[socket.socket]:
    """A listening socket; port 0 takes a free one.

    Raises:
        BadSetting: One cannot listen there.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named, for asyncio switches Nagle's algorithm off only for sockets that name it.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen(_BACKLOG)
        except OSError as error:
            message = f"KVS_HOST={host}, KVS_PORT={port}: cannot listen there: {error.strerror}"
            raise BadSetting(message) from error
        yield listener


def url_of(listener: socket.socket) -> str:
    """The address as a URL."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _protocol(head_seconds_max: float) -> type[asyncio.Protocol]:
    class HeadLimitedProtocol(HttpToolsProtocol):
        """Closes a connection whose request head does not end; uvicorn itself would wait for ever."""

        _head_timer: TimerHandle | None = None

        def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._begin_head()

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self._begin_head()

        def on_headers_complete(self) -> None:
            self._end_head()
            super().on_headers_complete()

        def connection_lost(self, exc: Exception | None) -> None:
            self._end_head()
            super().connection_lost(exc)

        def _begin_head(self) -> None:
            self._end_head()
            self._head_timer = self.loop.call_later(head_seconds_max, self.transport.close)

        def _end_head(self) -> None:
            if self._head_timer is not None:
                self._head_timer.cancel()
                self._head_timer = None

    return HeadLimitedProtocol
