"""HTTP connections: bounded, impatient with slow clients, and written to directly."""

from asyncio import TimerHandle, Transport
from typing import ClassVar
from weakref import ref

import orjson

from kvs_graphql.compat.uvicorn import (
    HttpConnection,
    Response,
    add_extension,
    is_complete,
    is_started,
    takes_chunks,
    transport_of,
)
from kvs_graphql.errors import LimitExceeded
from kvs_graphql.metrics import Metrics
from kvs_graphql.runtime.limits import ServerLimits
from kvs_graphql.runtime.patience import Patience, bound_buffers
from kvs_graphql.service import Flush
from kvs_graphql.web.direct import DIRECT_EXTENSION


class ChunkWriter(ref[Response]):
    """Writes chunks of one response's body; a `DirectWriter`. Each response on a connection has its own.

    Itself a weak reference to the response, which holds the scope, which holds this: a strong one would leave every
    request to the garbage collector. Every request makes one, most use none: hence no `__init__`, which costs as much
    as all the rest.
    """

    buffer_bytes_max: ClassVar[int]
    _taken: list[bytes] | None = None
    _room_bytes = 0

    def write(self, *parts: bytes) -> Flush | None:
        """Take a chunk (RFC 9112, 7.1)."""
        if not self._taken:
            response = self()
            if response is None or not takes_chunks(response):
                return None
            self._room_bytes = self.buffer_bytes_max - transport_of(response).get_write_buffer_size()
        # Nothing else is sent before the flush, so the room only shrinks by what is taken.
        if self._room_bytes < 0:
            return None
        size = 0
        for part in parts:
            size += len(part)
        # An empty chunk would end the body.
        if size:
            if self._taken is None:
                self._taken = []
            self._taken += (b"%x\r\n" % size, *parts, b"\r\n")
            self._room_bytes -= size
        return self._flush

    def _flush(self) -> None:
        taken, self._taken = self._taken, None
        response = self()
        if taken and response is not None and not is_complete(response):
            transport_of(response).write(b"".join(taken))


class LimitedHttpConnection(Patience, HttpConnection):
    """An HTTP connection within limits; closed if a head or a body does not end, for which uvicorn would wait."""

    chunk_writer: ClassVar[type[ChunkWriter]]
    _in_head = False
    _head_timer: TimerHandle | None = None
    _body_timer: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        bound_buffers(transport, self.limits)
        super().connection_made(transport)
        self._start_head_timer()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._in_head and self._head_timer is None:
            self._start_head_timer()
        elif self._body_timer is None and (response := self.awaiting_body) is not None:
            self._start_body_timer(response)

    def head_began(self) -> None:
        self._in_head = True

    def head_ended(self, response: Response | None) -> None:
        self._in_head = False
        self._stop_head_timer()
        if response is not None:
            add_extension(response, DIRECT_EXTENSION, self.chunk_writer(response))

    def upgrading(self) -> None:
        self.end_patience()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_head_timer()
        if self._body_timer is not None:
            self._body_timer.cancel()
        super().connection_lost(exc)

    def _start_head_timer(self) -> None:
        self._head_timer = self.loop.call_later(self.limits.head_seconds_max, self.transport.close)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _start_body_timer(self, response: Response) -> None:
        # The end of a body does not stop it: that would cost every request, and few bodies come in several parts.
        self._body_timer = self.loop.call_later(self.limits.body_seconds_max, self._check_body, response)

    def _check_body(self, response: Response) -> None:
        self._body_timer = None
        awaiting = self.awaiting_body
        if awaiting is None:
            return
        if awaiting is not response:
            self._start_body_timer(awaiting)
            return
        if not is_started(response):
            self.transport.write(_body_overdue(self.limits.body_seconds_max))
        self.transport.close()


def _body_overdue(seconds: float) -> bytes:
    """The response to a request whose body did not end in time."""
    setting = "KVS_REQUEST_BODY_SECONDS_MAX"
    error = LimitExceeded(f"The request's body did not end within {seconds:g} s.", limit=seconds, setting=setting)
    shown = {"message": str(error), "extensions": {"code": error.code, **error.details}}
    body = orjson.dumps({"errors": [shown]})
    head = (
        "HTTP/1.1 408 Request Timeout\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + body


def http_protocol(limits: ServerLimits, metrics: Metrics) -> type[LimitedHttpConnection]:
    """Return the class of HTTP connections within these limits."""
    writer = type("ChunkWriter", (ChunkWriter,), {"buffer_bytes_max": limits.send_buffer_bytes_max})
    names = {"limits": limits, "metrics": metrics, "chunk_writer": writer}
    return type("HttpConnection", (LimitedHttpConnection,), names)
