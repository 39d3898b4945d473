"""uvicorn, made to end in our order and to wait for nobody for ever. The only uvicorn, with `connections`."""

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from kvs_graphql.errors import BadSetting
from kvs_graphql.metrics import Metrics
from kvs_graphql.runtime.connections import ServerLimits, http_protocol, socket_protocol

_BACKLOG = 2048


class Server(uvicorn.Server):
    """Ends on signals without raising them again: what is to be stopped after it is ours.

    `on_exit` is awaited first of all, so that what it answers can still reach its clients; then no new connection is
    taken, and open ones are waited for. Of `forwarded_allow_ips` is believed which client they ask for.
    """

    def __init__(
        self,
        app: Any,
        limits: ServerLimits,
        metrics: Metrics,
        on_exit: Callable[[], Awaitable[None]],
        *,
        forwarded_allow_ips: tuple[str, ...],
    ) -> None:
        config = uvicorn.Config(
            app,
            http=http_protocol(limits, metrics),
            ws=socket_protocol(limits, metrics),
            ws_max_size=limits.message_bytes_max,
            ws_ping_interval=limits.ping_seconds,
            ws_ping_timeout=limits.pong_seconds_max,
            # It costs 50 KB a socket.
            ws_per_message_deflate=False,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            forwarded_allow_ips=list(forwarded_allow_ips),
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
