"""uvicorn's undocumented names: its connections, their attributes, and the order in which its server stops.

uvicorn documents its settings and the ASGI interface. Limits on connections, close reasons and writing without waiting
need more. The classes here offer it under names of this project, and only they read or override uvicorn's own names.
The Sans-I/O interface of `websockets` is documented; that uvicorn keeps its object in `conn` is not.
"""

import asyncio
import signal
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request
from websockets.protocol import State

Response = RequestResponseCycle
"""One request and its response. uvicorn has no public view of how far a response has come."""

_OPEN = State.OPEN


class Connection(asyncio.Protocol):
    """What uvicorn's HTTP and WebSocket connections have in common.

    uvicorn sets `loop` and `transport`, and its server calls `shutdown` on every connection when it stops.
    """

    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport

    def shutdown(self) -> None:
        """Stop serving this connection."""


class HttpConnection(HttpToolsProtocol, Connection):
    """uvicorn's HTTP/1.1 connection, with hooks.

    uvicorn registers itself for httptools' callbacks (`on_message_begin`, `on_headers_complete`), and makes the
    `RequestResponseCycle` of a request (`cycle`) in the second one; there is no setting for a class of its own.
    """

    def head_began(self) -> None:
        """Handle the first bytes of a request."""

    def head_ended(self, response: Response | None) -> None:
        """Handle the end of a request's head; the application has not run yet. None for an upgrade to a WebSocket."""

    def upgrading(self) -> None:
        """Handle the end of this protocol: a WebSocket takes over the transport."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.head_began()

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        response = self.cycle
        # An upgrade makes none: then this is the one of the request before, if there was any.
        upgrade = response is None or response.scope is not self.scope
        self.head_ended(None if upgrade else response)

    def handle_websocket_upgrade(self) -> None:
        self.upgrading()
        super().handle_websocket_upgrade()

    @property
    def awaiting_body(self) -> Response | None:
        """The request that is not answered yet and whose body has not ended (`more_body`), if there is one."""
        response = self.cycle
        return response if response is not None and response.more_body and not response.response_complete else None


def add_extension(response: Response, name: str, extension: object) -> None:
    """Offer an extension to the application that answers this request.

    uvicorn's HTTP scopes have no extensions, and it makes the scope (`scope`) without a hook.
    """
    response.scope["extensions"] = {name: extension}  # type: ignore[dict-item]


def takes_chunks(response: Response) -> bool:
    """Tell whether a chunk can be added to the body of this response now, without waiting.

    Decides as `RequestResponseCycle.send` does, which waits while `flow.write_paused` is set, and frames a body in
    chunks if `chunked_encoding` is set and the method is not HEAD. uvicorn sets that for HTTP/1.0 too, whose clients do
    not know chunks: False for these.
    """
    return (
        response.response_started
        and not response.response_complete
        and not response.flow.write_paused
        and not response.transport.is_closing()
        and bool(response.chunked_encoding)
        and response.scope["method"] != "HEAD"
        and response.scope["http_version"] != "1.0"
    )


def is_started(response: Response) -> bool:
    """Tell whether the application has begun to answer (`response_started`)."""
    return response.response_started


def is_complete(response: Response) -> bool:
    """Tell whether the response has ended (`response_complete`): the next one on its connection may have begun."""
    return response.response_complete


def transport_of(response: Response) -> asyncio.Transport:
    """Return where uvicorn writes this response (`transport`)."""
    return response.transport


class WebSocketConnection(WebSocketsSansIOProtocol, Connection):
    """uvicorn's WebSocket connection over websockets' Sans-I/O protocol (`conn`), with hooks."""

    def admit(self) -> bool:
        """Decide whether the handshake goes on; call `reject` before returning False."""
        return True

    def extensions(self) -> Mapping[str, object]:
        """Return what to add to the extensions of the ASGI scope."""
        return {}

    def pong_overdue(self) -> None:
        """Handle a ping that was not answered in time, in place of uvicorn's closing with 1011."""

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent: the handshake is complete, and nobody has begun to close.

        uvicorn's `close_sent` is about closing by the application only.
        """
        return self.conn.state is _OPEN

    @property
    def is_answered(self) -> bool:
        """Whether the handshake was answered, by accepting or refusing it (`handshake_complete`)."""
        return self.handshake_complete

    @property
    def has_room(self) -> bool:
        """Whether uvicorn's `send` would not wait (`writable`)."""
        return self.writable.is_set()

    def takes_messages(self) -> bool:
        """Tell whether a message can be sent now, without waiting."""
        return self.writable.is_set() and self.conn.state is _OPEN and not self.transport.is_closing()

    @property
    def awaits_pong(self) -> bool:
        """Whether a ping is unanswered (`pong_timer`)."""
        return self.pong_timer is not None

    def await_pong(self, seconds: float) -> None:
        """Call `pong_overdue` in so many seconds, if no pong comes; replaces the deadline set before."""
        if self.pong_timer is not None:
            self.pong_timer.cancel()
        # uvicorn's own timer, which it cancels when the pong comes or the connection ends.
        self.pong_timer = self.loop.call_later(seconds, self.pong_overdue)

    def close(self, code: int, reason: str) -> None:
        """Send a close frame, and tell the application that its client is gone.

        The transport stays open, and `close_sent` stays False: with it, uvicorn would raise an error at whatever the
        application still sends.
        """
        self.stop_keepalive()
        if self.conn.state is _OPEN:
            self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
            self.conn.send_close(code, reason)
            self._write_frames()

    def reject(self, status: int, body: str, headers: Mapping[str, str]) -> None:
        """Answer the handshake with a response, instead of running the application, and close.

        `handshake_complete` and `close_sent` keep uvicorn from answering again when the service stops.
        """
        response = self.conn.reject(status, body)
        for name, value in headers.items():
            if name in response.headers:
                del response.headers[name]
            response.headers[name] = value
        self.conn.send_response(response)
        self.handshake_complete = self.close_sent = True
        self._write_frames()
        self.transport.close()

    def _write_frames(self) -> None:
        self.transport.write(b"".join(self.conn.data_to_send()))

    def handle_connect(self, event: Request) -> None:
        if not self.admit():
            return
        super().handle_connect(event)
        if not self.handshake_complete:
            # The application begins later.
            self.scope["extensions"].update(self.extensions())  # type: ignore[arg-type]

    def keepalive_timeout(self) -> None:
        self.pong_overdue()


class Server(uvicorn.Server):
    """uvicorn's server, with a hook before it ends connections, and with signals that only stop it.

    uvicorn's own `capture_signals` raises a signal again once the server has ended, which would kill the process before
    the other rooms have stopped. `shutdown` is the only place between the decision to stop and the end of connections.
    """

    async def before_shutdown(self) -> None:
        """Do what comes before connections are ended."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self.before_shutdown()
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

    @property
    def stopping(self) -> bool:
        """Whether the server ends, or will soon (`should_exit`)."""
        return self.should_exit

    def stop(self) -> None:
        """Begin to stop."""
        self.should_exit = True
