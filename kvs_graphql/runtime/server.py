"""The HTTP server: uvicorn with our limits on connections, stopped in our order."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from uvicorn import Config

from kvs_graphql.compat import uvicorn_server
from kvs_graphql.errors import BadSetting
from kvs_graphql.metrics import Metrics
from kvs_graphql.runtime.acceptor import Acceptor
from kvs_graphql.runtime.connection_slots import ConnectionSlots
from kvs_graphql.runtime.http_connections import http_protocol
from kvs_graphql.runtime.limits import ServerLimits
from kvs_graphql.runtime.parsing import ParsingQueue
from kvs_graphql.runtime.patience import Shared
from kvs_graphql.runtime.refusals import Refusals
from kvs_graphql.runtime.tls import RenewedTls, tls_protocol
from kvs_graphql.runtime.unfinished import UnfinishedRequests
from kvs_graphql.runtime.unread import UnreadAnswers
from kvs_graphql.runtime.websocket_connections import websocket_protocol
from kvs_graphql.web import ClientAddresses

_BACKLOG = 2048


class Server(uvicorn_server.Server):
    """Serves an ASGI application until a signal or `stop`.

    Stopping awaits `on_exit` first, so that clients still get the answers it leads to. Then the server closes its
    listening socket and waits for open requests, for `shutdown_seconds_max`.
    """

    def __init__(
        self,
        app: Any,
        limits: ServerLimits,
        metrics: Metrics,
        on_exit: Callable[[], Awaitable[None]],
        *,
        addresses: ClientAddresses,
        tls: RenewedTls | None = None,
    ) -> None:
        slots = ConnectionSlots(addresses, limits.connections_max, limits.connections_per_client_max)
        unread = UnreadAnswers(limits.unread_bytes_max, metrics)
        unfinished = UnfinishedRequests(limits.unfinished_bytes_max, metrics)
        shared = Shared(limits, metrics, slots, unread, unfinished, ParsingQueue(), Refusals(metrics))
        http: type[asyncio.Protocol] = http_protocol(shared)
        config = Config(
            app,
            http=http if tls is None else tls_protocol(shared, tls, http),
            ws=websocket_protocol(shared),
            ws_max_size=limits.message_bytes_max,
            ws_ping_interval=limits.ping_seconds,
            ws_ping_timeout=limits.pong_seconds_max,
            # Compression costs 50 KB for each WebSocket.
            ws_per_message_deflate=False,
            interface="asgi3",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            # Only limits per client need to know the client, and uvicorn would take whatever a header says.
            proxy_headers=False,
            timeout_graceful_shutdown=max(1, round(limits.shutdown_seconds_max)),
        )
        super().__init__(config)
        self._on_exit = on_exit

    async def accepting(self, listener: socket.socket) -> Acceptor:
        return Acceptor(listener, self.new_connection)

    async def before_shutdown(self) -> None:
        await self._on_exit()


@contextmanager
def listen(host: str, port: int) -> Iterator[socket.socket]:
    """Open a listening socket; port 0 takes a free one.

    Raises:
        BadSetting: The address cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Name the protocol: asyncio disables Nagle's algorithm only for sockets that do.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen(_BACKLOG)
        except OSError as error:
            message = f"KVS_HOST={host}, KVS_PORT={port}: cannot listen there: {error.strerror}"
            raise BadSetting(message) from error
        yield listener


def url_of(listener: socket.socket, scheme: str) -> str:
    """Return the URL of a listening socket."""
    host, port = listener.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
