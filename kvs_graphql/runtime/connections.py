"""uvicorn's connections, made to be no more than are allowed, and to wait for no client for ever.

What is sent to a client waits for it in the kernel and in the transport, each bounded; then whoever sends waits too
(uvicorn's `send` returns when the transport takes more), and reads its next page only after that. So a client that
stops reading costs its buffers, and delays nobody. One that goes on like that is cut off; its last cursor is enough
to go on from.
"""

import asyncio
import socket
from asyncio import TimerHandle, Transport
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request
from websockets.protocol import State

from kvs_graphql.errors import LimitExceeded
from kvs_graphql.metrics import Metrics
from kvs_graphql.web import PUSH_EXTENSION

_GOING_AWAY = 1001
_TRY_AGAIN_LATER = 1013
"""With these clients connect again; graphql-ws takes most other close codes below 2000 for final."""

_WHOLE_TEXT = 0x81
_SHORT, _MIDDLE_MAX = 126, 2**16 - 1
_WHOLE_TEXT_MIDDLE, _WHOLE_TEXT_LONG = bytes((_WHOLE_TEXT, 126)), bytes((_WHOLE_TEXT, 127))

_OPEN = State.OPEN

_RETRY_SECONDS = 10
_FAREWELL_SECONDS = 2.0
_MILLISECONDS_MAX = 2**31 - 1


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """How many, how large and how long: of WebSockets and their messages, of a request's head, of what a client was
    sent and has not taken, of the silence of sockets, of the shutdown."""

    sockets_max: int
    message_bytes_max: int
    head_seconds_max: float
    send_buffer_bytes_max: int
    slow_client_seconds_max: float
    ping_seconds: float
    pong_seconds_max: float
    shutdown_seconds_max: float

    @property
    def shutdown_farewell_seconds(self) -> float:
        """How long a shutdown waits for a client that takes nothing: less than for others, whose answers are due."""
        return min(_FAREWELL_SECONDS, self.shutdown_seconds_max / 2)


class _Mixed(asyncio.Protocol if TYPE_CHECKING else object):  # type: ignore[misc]
    """What the classes below have from uvicorn."""

    loop: asyncio.AbstractEventLoop
    transport: Transport


class _Patience(_Mixed):
    """Ends a connection on which sending has waited for too long."""

    limits: ClassVar[ServerLimits]
    metrics: ClassVar[Metrics]
    _slow_timer: TimerHandle | None = None

    def pause_writing(self) -> None:
        super().pause_writing()
        self._slow_timer = self.loop.call_later(self.limits.slow_client_seconds_max, self._too_slow)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._end_patience()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_patience()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """The service stops: what is being sent may end, unless the client does not take it."""
        super().shutdown()
        if self._slow_timer is not None:
            self._slow_timer.cancel()
            self._slow_timer = self.loop.call_later(self.limits.shutdown_farewell_seconds, self.transport.abort)

    def cut_off(self) -> None:
        """End the connection: what the client has not taken will not reach it."""
        self.transport.abort()

    def _too_slow(self) -> None:
        self.metrics.clients_dropped.labels("slow").inc()
        self.cut_off()

    def _end_patience(self) -> None:
        if self._slow_timer is not None:
            self._slow_timer.cancel()
            self._slow_timer = None


class _HttpConnection(_Patience, HttpToolsProtocol):
    """Closes a connection whose request head does not end, too; uvicorn itself would wait for ever."""

    _head_timer: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        transport.set_write_buffer_limits(high=self.limits.send_buffer_bytes_max)
        _bound_kernel(transport.get_extra_info("socket"), self.limits)
        super().connection_made(transport)
        self._begin_head()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._begin_head()

    def on_headers_complete(self) -> None:
        self._end_head()
        super().on_headers_complete()

    def handle_websocket_upgrade(self) -> None:
        self._end_patience()
        super().handle_websocket_upgrade()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_head()
        super().connection_lost(exc)

    def _begin_head(self) -> None:
        self._end_head()
        self._head_timer = self.loop.call_later(self.limits.head_seconds_max, self.transport.close)

    def _end_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


class _SocketConnection(_Patience, WebSocketsSansIOProtocol):
    """Refuses a socket beyond the limit; `limit_concurrency` of uvicorn refuses health checks, but no sockets."""

    opened: ClassVar[set[asyncio.Protocol]]
    _farewell_timer: TimerHandle | None = None
    _pushed: list[bytes]
    _pushed_bytes = 0

    def handle_connect(self, event: Request) -> None:
        if len(self.opened) >= self.limits.sockets_max:
            self._refuse(LimitExceeded.of("KVS_SOCKETS_MAX", self.limits.sockets_max, "WebSockets open"))
        else:
            self.opened.add(self)
            super().handle_connect(event)
            if not self.handshake_complete:
                # The application begins later.
                self._pushed = []
                extensions: dict[str, object] = self.scope["extensions"]  # type: ignore[assignment]
                extensions[PUSH_EXTENSION] = self.push

    def push(self, before: bytes, middle: bytes, after: bytes) -> Callable[[], None] | None:
        """Take a text message in UTF-8, to be sent with others by what is returned; None where there is no room for it.

        One frame, as a server sends it: not masked, and not in parts (RFC 6455, 5.2).
        """
        if not self.writable.is_set() or self.disconnected or self.conn.state is not _OPEN:
            return None
        if self._pushed_bytes + self.transport.get_write_buffer_size() > self.limits.send_buffer_bytes_max:
            return None
        size = len(before) + len(middle) + len(after)
        if size < _SHORT:
            head = bytes((_WHOLE_TEXT, size))
        elif size <= _MIDDLE_MAX:
            head = _WHOLE_TEXT_MIDDLE + size.to_bytes(2, "big")
        else:
            head = _WHOLE_TEXT_LONG + size.to_bytes(8, "big")
        self._pushed += (head, before, middle, after)
        self._pushed_bytes += size
        return self._send_pushed

    def _send_pushed(self) -> None:
        if self._pushed:
            pushed, self._pushed, self._pushed_bytes = self._pushed, [], 0
            self.transport.write(b"".join(pushed))

    def connection_lost(self, exc: Exception | None) -> None:
        self.opened.discard(self)
        if self._farewell_timer is not None:
            self._farewell_timer.cancel()
        super().connection_lost(exc)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.pong_timer is not None:
            self._await_pong()

    def keepalive_timeout(self) -> None:
        """Close, for there was no pong in time: with uvicorn's own 1011, graphql-ws would not connect again."""
        if self.conn.state is not State.OPEN:
            return
        if not self.writable.is_set():
            # It may not have got the ping yet, and is judged by how long sending waits for it.
            self._await_pong()
            return
        self.metrics.clients_dropped.labels("silent").inc()
        self._say_farewell(_TRY_AGAIN_LATER, f"Silent: no pong for {self.limits.pong_seconds_max:g} s.")

    def _await_pong(self) -> None:
        if self.pong_timer is not None:
            self.pong_timer.cancel()
        self.pong_timer = self.loop.call_later(self.limits.pong_seconds_max, self.keepalive_timeout)

    def cut_off(self) -> None:
        seconds = self.limits.slow_client_seconds_max
        self._say_farewell(_TRY_AGAIN_LATER, f"Too slow: nothing could be sent for {seconds:g} s.")

    def shutdown(self) -> None:
        """The service stops: uvicorn's own 1012 promises that it comes back."""
        if self.conn.state is State.OPEN:
            self._say_farewell(_GOING_AWAY, "The service stops.", self.limits.shutdown_farewell_seconds)
            self.transport.close()
        elif self.handshake_complete:
            self.transport.close()
        else:
            super().shutdown()

    def _say_farewell(self, code: int, reason: str, seconds: float = _FAREWELL_SECONDS) -> None:
        """Close, telling why if the client listens within so many seconds; it may not.

        `close_sent` stays as it is: it says that the application closed, and turns what it still sends into errors.
        """
        self.stop_keepalive()
        if self.conn.state is State.OPEN:
            self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
            self.conn.send_close(code, reason)
            self.transport.write(b"".join(self.conn.data_to_send()))
        if self._farewell_timer is None:
            self._farewell_timer = self.loop.call_later(seconds, self.transport.abort)

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


def http_protocol(limits: ServerLimits, metrics: Metrics) -> type[asyncio.Protocol]:
    """HTTP, over connections within these limits."""
    return type("HttpConnection", (_HttpConnection,), {"limits": limits, "metrics": metrics})


def socket_protocol(limits: ServerLimits, metrics: Metrics) -> type[asyncio.Protocol]:
    """WebSockets, over connections within these limits."""
    return type("SocketConnection", (_SocketConnection,), {"limits": limits, "metrics": metrics, "opened": set()})


def _bound_kernel(connection: socket.socket, limits: ServerLimits) -> None:
    """Bound what the kernel holds for a client, in bytes and in time: it would take megabytes, and wait for ever.

    Of what the client's window has room for it holds more: that is on its way, and fast clients need it.
    """
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, limits.send_buffer_bytes_max)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        # After ours, which says why.
        milliseconds = round(1000 * (limits.slow_client_seconds_max + _FAREWELL_SECONDS))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, min(milliseconds, _MILLISECONDS_MAX))
