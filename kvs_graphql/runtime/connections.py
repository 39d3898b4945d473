"""uvicorn's connections, made to wait for no client for ever, and to be no more than are allowed."""

import asyncio
from asyncio import TimerHandle, Transport
from dataclasses import dataclass

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from kvs_graphql.errors import LimitExceeded

_RETRY_SECONDS = 10


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """How many, how large and how long: of WebSockets and their messages, of a request's head, of the shutdown."""

    sockets_max: int
    message_bytes_max: int
    head_seconds_max: float
    shutdown_seconds_max: float


def http_protocol(limits: ServerLimits) -> type[asyncio.Protocol]:
    """HTTP, over connections within these limits."""

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
            self._head_timer = self.loop.call_later(limits.head_seconds_max, self.transport.close)

        def _end_head(self) -> None:
            if self._head_timer is not None:
                self._head_timer.cancel()
                self._head_timer = None

    return HeadLimitedProtocol


def socket_protocol(limits: ServerLimits) -> type[asyncio.Protocol]:
    """WebSockets, over connections within these limits."""
    opened: set[asyncio.Protocol] = set()

    class LimitedSocketProtocol(WebSocketsSansIOProtocol):
        """Refuses a socket beyond the limit; `limit_concurrency` of uvicorn refuses health checks, but no sockets."""

        def handle_connect(self, event: Request) -> None:
            if len(opened) >= limits.sockets_max:
                self._refuse(LimitExceeded.of("KVS_SOCKETS_MAX", limits.sockets_max, "WebSockets open"))
            else:
                opened.add(self)
                super().handle_connect(event)

        def connection_lost(self, exc: Exception | None) -> None:
            opened.discard(self)
            super().connection_lost(exc)

        def _refuse(self, error: LimitExceeded) -> None:
            """Answer instead of opening, with 503 and what a refused subscription is told."""
            shown = {"message": str(error), "extensions": {"code": error.code, **error.details}}
            response = self.conn.reject(503, orjson.dumps({"errors": [shown]}).decode())
            del response.headers["Content-Type"]
            response.headers.update({"Content-Type": "application/json", "Retry-After": str(_RETRY_SECONDS)})
            self.conn.send_response(response)
            self.handshake_complete = self.close_sent = True
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()

    return LimitedSocketProtocol
