"""uvicorn's WebSocket connections, and what of websockets' Sans-I/O protocol is not documented.

The Sans-I/O interface of websockets is documented; that uvicorn keeps its object in `conn` is not, nor is how much of a
message has arrived.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol

from kvs_graphql.compat.uvicorn import ClientConnection

_OPEN = State.OPEN


class Handshake(ServerProtocol):
    """websockets' Sans-I/O protocol, whose refusals all have some headers, whoever makes them.

    websockets refuses handshakes of another form, and uvicorn those that its application does not accept.
    """

    refusal_headers: ClassVar[Mapping[str, str]] = {}

    def send_response(self, response: Response) -> None:
        if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
            for name, value in self.refusal_headers.items():
                if name not in response.headers:
                    response.headers[name] = value
        super().send_response(response)


class WebSocketConnection(WebSocketsSansIOProtocol, ClientConnection):
    """uvicorn's WebSocket connection over websockets' Sans-I/O protocol (`conn`), with hooks."""

    handshake_class: ClassVar[type[Handshake]] = Handshake
    _unsent_pong: bytes = b""

    def __init__(self, *args: Any, **arguments: Any) -> None:
        super().__init__(*args, **arguments)
        # uvicorn makes it without a hook.
        self.conn.__class__ = self.handshake_class

    def failure(self) -> tuple[Mapping[str, str], str]:
        """The headers and the body of the answer where the application fails before it accepts or refuses."""
        return {}, ""

    def admit(self, forwarded_for: Sequence[str]) -> bool:
        """Decide whether the handshake goes on, given its X-Forwarded-For; call `reject` before returning False."""
        return True

    def extensions(self) -> Mapping[str, object]:
        """Return what to add to the extensions of the ASGI scope."""
        return {}

    def control_frame_came(self) -> None:
        """Handle a ping or a pong."""

    def fragment_came(self, fragments: int, size: int) -> None:
        """Handle a part of a message, which has so many by now, and so many bytes."""

    def feed(self, data: bytes) -> None:
        """Parse data: uvicorn's `data_received`."""
        super().data_received(data)

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

    async def room(self) -> None:
        """Wait until uvicorn's `send` would not wait, or the connection is lost (`writable`)."""
        await self.writable.wait()

    @property
    def is_gone(self) -> bool:
        """Whether no message can be sent any more."""
        return self.conn.state is not _OPEN or self.transport.is_closing()

    def takes_messages(self) -> bool:
        """Tell whether a message can be sent now, without waiting."""
        return self.writable.is_set() and self.conn.state is _OPEN and not self.transport.is_closing()

    @property
    def is_held(self) -> bool:
        """Whether uvicorn reads no more until the application has taken its messages (`read_paused`)."""
        return self.read_paused

    @property
    def is_within_message(self) -> bool:
        """Whether a message has begun and not ended.

        Either a frame is incomplete (websockets' `reader.buffer`), or its last fragment is missing (`current_size`).
        """
        conn = self.conn
        return bool(conn.reader.buffer) or conn.current_size is not None

    @property
    def message_bytes(self) -> int:
        """The bytes of this message that have come."""
        return len(self.conn.reader.buffer) + (self.conn.current_size or 0)

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

    def send_500_response(self) -> None:
        if not self.initial_response and not self.handshake_complete:
            headers, body = self.failure()
            self.reject(500, body, headers)

    def _write_frames(self) -> None:
        self.transport.write(b"".join(self.conn.data_to_send()))

    async def receive(self) -> Any:
        message = await self.queue.get()
        if self.read_paused and self.queue.empty():
            self.read_paused = False
            self.resume_receiving()
        return message

    def handle_ping(self) -> None:
        """Answer when there is room. Until then, only the last ping counts, as RFC 6455 (5.5.3) allows."""
        pongs = self.conn.data_to_send()
        if self.writable.is_set():
            self.transport.write(b"".join(pongs))
        elif pongs:
            self._unsent_pong = pongs[-1]
        self.control_frame_came()

    def handle_pong(self, event: Frame) -> None:
        super().handle_pong(event)
        self.control_frame_came()

    def handle_cont(self, event: Frame) -> None:
        super().handle_cont(event)
        if not event.fin:
            self.fragment_came(len(self.frames), self.conn.current_size or 0)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._unsent_pong and self.conn.state is _OPEN:
            self.transport.write(self._unsent_pong)
        self._unsent_pong = b""

    def handle_connect(self, event: Request) -> None:
        if not self.admit(event.headers.get_all("X-Forwarded-For")):
            return
        super().handle_connect(event)
        if not self.handshake_complete:
            # The application begins later.
            self.scope["extensions"].update(self.extensions())  # type: ignore[arg-type]

    def keepalive_timeout(self) -> None:
        self.pong_overdue()
