"""WebSocket connections: limited, pinged, told why they are closed, and written to directly."""

from asyncio import TimerHandle
from collections.abc import Mapping, Sequence
from typing import ClassVar

from kvs_graphql.compat.websockets import Handshake, WebSocketConnection
from kvs_graphql.errors import LimitExceeded
from kvs_graphql.runtime.limits import FAREWELL_SECONDS
from kvs_graphql.runtime.parsing import ParsesSlices
from kvs_graphql.runtime.patience import Patience, Shared
from kvs_graphql.runtime.refusals import PROTECTION, RETRY_SECONDS
from kvs_graphql.runtime.unread import UnreadAnswers
from kvs_graphql.service import Flush
from kvs_graphql.web.direct import DIRECT_EXTENSION

_GOING_AWAY = 1001
_POLICY_VIOLATION = 1008
_MESSAGE_TOO_BIG = 1009
_TRY_AGAIN_LATER = 1013
"""Clients reconnect after 1001 and 1013; graphql-ws treats most other close codes below 2000 as final."""

_FRAGMENT_BYTES = 256
"""What a fragment takes in memory, and in time, beside its bytes."""

_WHOLE_TEXT = 0x81
_LENGTH_IN_2_BYTES, _LENGTH_IN_8_BYTES = bytes((_WHOLE_TEXT, 126)), bytes((_WHOLE_TEXT, 127))
_SHORT_MAX, _MIDDLE_MAX = 125, 2**16 - 1


class TextWriter:
    """Writes text messages to one WebSocket; a `MessageWriter`."""

    __slots__ = ("_buffer_bytes_max", "_connection", "_room_bytes", "_taken", "_unread")

    def __init__(self, connection: WebSocketConnection, buffer_bytes_max: int, unread: UnreadAnswers) -> None:
        self._connection = connection
        self._buffer_bytes_max = buffer_bytes_max
        self._unread = unread
        self._taken: list[bytes] = []
        self._room_bytes = 0

    def write(self, *parts: bytes) -> Flush | None:
        """Take a message as one frame, unfragmented and unmasked, as servers send it (RFC 6455, 5.2)."""
        if not self._taken:
            connection = self._connection
            if not connection.takes_messages():
                return None
            self._room_bytes = self._buffer_bytes_max - connection.transport.get_write_buffer_size()
        # Nothing else is sent before the flush, so the room only shrinks by what is taken.
        if self._room_bytes < 0:
            return None
        size = 0
        for part in parts:
            size += len(part)
        if size <= _SHORT_MAX:
            head = bytes((_WHOLE_TEXT, size))
        elif size <= _MIDDLE_MAX:
            head = _LENGTH_IN_2_BYTES + size.to_bytes(2, "big")
        else:
            head = _LENGTH_IN_8_BYTES + size.to_bytes(8, "big")
        self._taken += (head, *parts)
        self._room_bytes -= size
        return self._flush

    async def room(self, waiting_bytes: int) -> bool:
        """As a `MessageWriter` has it."""
        self._flush()
        connection = self._connection
        if not connection.is_gone:
            transport = connection.transport
            self._unread.hold(transport, waiting_bytes)
            try:
                await connection.room()
            finally:
                self._unread.release(transport, waiting_bytes)
        return not connection.is_gone

    def _flush(self) -> None:
        if not self._taken:
            return
        taken, self._taken = self._taken, []
        if self._connection.is_open:
            self._connection.transport.write(b"".join(taken))


class _Handshake(Handshake):
    refusal_headers = PROTECTION


class LimitedWebSocketConnection(Patience, ParsesSlices, WebSocketConnection):
    """A WebSocket within limits. uvicorn's own `limit_concurrency` would refuse health checks, but no WebSockets."""

    handshake_class = _Handshake
    opened: ClassVar[set[WebSocketConnection]]
    _control_frames = 0
    _control_second = 0.0
    _message_timer: TimerHandle | None = None
    _farewell_timer: TimerHandle | None = None

    def admit(self, forwarded_for: Sequence[str]) -> bool:
        """Refuse WebSockets over a limit: with 503, and the same error as a refused subscription."""
        slots, peer = self.shared.slots, self.client[0] if self.client else ""
        self.counted_client = slots.counted_client(peer, forwarded_for)
        error: LimitExceeded | None
        if len(self.opened) >= self.limits.websockets_max:
            error = LimitExceeded.of("KVS_WEBSOCKETS_MAX", self.limits.websockets_max, "open WebSockets")
        else:
            error = slots.pass_to(self.transport, peer, forwarded_for)
        if error is None:
            self.opened.add(self)
            return True
        headers = {"Content-Type": "application/json", "Retry-After": str(RETRY_SECONDS)}
        self.reject(503, self.shared.refusals.body(error).decode(), headers)
        return False

    def failure(self) -> tuple[Mapping[str, str], str]:
        _, body = self.shared.refusals.failed()
        return {"Content-Type": "application/json"}, body.decode()

    def parse(self, data: bytes) -> None:
        self.feed(data)
        if self.ignores_input:
            return
        if not self.is_within_message:
            if self._message_timer is not None:
                self._message_timer.cancel()
                self._message_timer = None
                self.shared.unfinished.release(self.transport)
            return
        self.shared.unfinished.hold(self.transport, self.message_bytes)
        if self._message_timer is None:
            self._message_timer = self.loop.call_later(self.limits.body_seconds_max, self._message_overdue)

    def control_frame_came(self) -> None:
        """Close on more pings and pongs than a client has reason to send."""
        now = self.loop.time()
        if now - self._control_second >= 1:
            self._control_second, self._control_frames = now, 0
        self._control_frames += 1
        limit = self.limits.control_frames_per_second_max
        if self._control_frames > limit:
            self._turn_away(_POLICY_VIOLATION, f"More than {limit} pings and pongs within a second.")

    def fragment_came(self, fragments: int, size: int) -> None:
        """Close on a message that is too large, each of its fragments counted with what it costs."""
        limit = self.limits.message_bytes_max
        if size + fragments * _FRAGMENT_BYTES > limit:
            self._turn_away(_MESSAGE_TOO_BIG, f"Over {limit} bytes, with {_FRAGMENT_BYTES} for each fragment.")

    def extensions(self) -> Mapping[str, object]:
        return {DIRECT_EXTENSION: TextWriter(self, self.limits.send_buffer_bytes_max, self.shared.unread)}

    def connection_lost(self, exc: Exception | None) -> None:
        self.opened.discard(self)
        self.shared.slots.release(self.transport)
        self.shared.unfinished.release(self.transport)
        for timer in (self._farewell_timer, self._message_timer):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.awaits_pong:
            self.await_pong(self.limits.pong_seconds_max)

    def pong_overdue(self) -> None:
        """Disconnect a silent client; it reconnects, as graphql-ws would not after uvicorn's 1011."""
        if not self.is_open:
            return
        if not self.has_room:
            # The ping may not have reached the client. `Patience` limits how long it may take to read.
            self.await_pong(self.limits.pong_seconds_max)
            return
        self.shared.metrics.clients_disconnected.labels("silent").inc()
        self._say_farewell(_TRY_AGAIN_LATER, f"Silent: no pong for {self.limits.pong_seconds_max:g} s.")

    def drop_slow_client(self) -> None:
        seconds = self.limits.slow_client_seconds_max
        self._say_farewell(_TRY_AGAIN_LATER, f"Too slow: nothing could be sent for {seconds:g} s.")

    def shutdown(self) -> None:
        """Disconnect without uvicorn's 1012, which promises that this service comes back."""
        if self.is_open:
            self._say_farewell(_GOING_AWAY, "The service stops.", self.limits.shutdown_farewell_seconds)
            self.transport.close()
        elif self.is_answered:
            self.transport.close()
        else:
            super().shutdown()

    def _message_overdue(self) -> None:
        seconds = self.limits.body_seconds_max
        self._turn_away(_POLICY_VIOLATION, f"A message did not end within {seconds:g} s.")

    def _turn_away(self, code: int, reason: str) -> None:
        """Close, and take nothing more."""
        if self.ignores_input:
            return
        self.ignores_input = True
        self.transport.pause_reading()
        self.shared.metrics.clients_disconnected.labels("abusive").inc()
        self._say_farewell(code, reason)

    def _say_farewell(self, code: int, reason: str, seconds: float = FAREWELL_SECONDS) -> None:
        """Close, with the reason if the client reads it in time; it may not read at all."""
        self.close(code, reason)
        if self._farewell_timer is None:
            self._farewell_timer = self.loop.call_later(seconds, self.transport.abort)


def websocket_protocol(shared: Shared) -> type[LimitedWebSocketConnection]:
    """Return the class of WebSocket connections that share these limits; they are counted together."""
    names = {"shared": shared, "limits": shared.limits, "parsing": shared.parsing, "opened": set()}
    return type("WebSocketConnection", (LimitedWebSocketConnection,), names)
