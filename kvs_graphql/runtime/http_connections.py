"""HTTP connections: bounded, impatient with slow clients, and written to directly."""

from asyncio import TimerHandle, Transport
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import ClassVar, NoReturn
from weakref import ref

from kvs_graphql.compat.uvicorn import (
    FIELD_BYTES_MIN,
    HeadRefused,
    HttpConnection,
    Part,
    Response,
    add_extension,
    close_after,
    disconnect,
    is_complete,
    is_started,
    takes_chunks,
    transport_of,
)
from kvs_graphql.errors import LimitExceeded
from kvs_graphql.runtime.limits import FAREWELL_SECONDS
from kvs_graphql.runtime.parsing import ParsesSlices
from kvs_graphql.runtime.patience import Patience, Shared, bound_buffers
from kvs_graphql.runtime.unread import UnreadAnswers
from kvs_graphql.service import Flush
from kvs_graphql.web.direct import DIRECT_EXTENSION

_FIELD_GROWTH_MAX = 9
"""The shortest field has four bytes and one that counts."""
_NOTHING = Part.NONE
_IGNORED_PAUSE_SECONDS = 0.01
"""Between two reads of what is ignored, so that a client can send little of it: a read has at most 256 KiB."""
_HEALTH_URLS = {b"/healthz", b"/readyz"}


class Exchange(ref[Response]):
    """One request and its response, without waiting; a `DirectExchange`. Each response on a connection has its own.

    Itself a weak reference to the response, which holds the scope, which holds this: a strong one would leave every
    request to the garbage collector. Every request makes one, most use none: hence no `__init__`, which costs as much
    as all the rest.
    """

    buffer_bytes_max: ClassVar[int]
    unread: ClassVar[UnreadAnswers]
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

    @contextmanager
    def waiting(self, waiting_bytes: int) -> Iterator[None]:
        """As a `DirectExchange` has it."""
        response = self()
        if response is None:
            yield
            return
        transport = transport_of(response)
        self.unread.hold(transport, waiting_bytes)
        try:
            yield
        finally:
            self.unread.release(transport, waiting_bytes)

    def take_body(self) -> bytes | None:
        """Take the whole body of the request, where it has arrived."""
        response = self()
        return None if response is None else response.take_body()

    def answer(self, status: int, fields: bytes, body: bytes) -> bool:
        """Send the whole response."""
        response = self()
        return response is not None and response.answer(status, fields, body)

    def _flush(self) -> None:
        taken, self._taken = self._taken, None
        response = self()
        if taken and response is not None and not is_complete(response):
            transport_of(response).write(b"".join(taken))


class LimitedHttpConnection(Patience, ParsesSlices, HttpConnection):
    """An HTTP connection within limits; uvicorn would take and wait for heads and bodies without end.

    Nothing is counted for a small request that arrives in one read. Of another one, the bytes of each further slice
    count for the part of it that has not ended.
    """

    whole_bytes_max = 4096
    exchange_class: ClassVar[type[Exchange]]
    _over: LimitExceeded | None = None
    _slice_bytes = 0
    _part_bytes = 0
    _is_unfinished = False
    _head_timer: TimerHandle | None = None
    _body_timer: TimerHandle | None = None
    _rest_timer: TimerHandle | None = None
    _farewell_timer: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        bound_buffers(transport, self.limits)
        super().connection_made(transport)
        slots, peer = self.shared.slots, self.client[0] if self.client else ""
        self._over = slots.take(transport, peer)
        self.counted_client = slots.counted_client(peer)
        self._start_head_timer()

    def parse(self, data: bytes) -> None:
        before, self._slice_bytes = self.scope, len(data)
        self.feed(data)
        if self.ignores_input:
            return
        if self.part is not _NOTHING:
            self._bound_part(began=self.scope is not before)
        elif self.scope is before:
            # The rest of a body, or nothing of a request.
            self._bound_silence()
        elif self._is_unfinished:
            self._finish()

    def check_head(self, url: bytes) -> None:
        limits = self.limits
        if len(url) > limits.url_bytes_max:
            self._refuse_url()
        size_max = _FIELD_GROWTH_MAX * (self._part_bytes + self._slice_bytes)
        if size_max > limits.head_bytes_max and self.field_bytes > limits.head_bytes_max:
            self._refuse_fields()
        if self._over is not None and url.partition(b"?")[0] not in _HEALTH_URLS:
            self._refuse(self.shared.refusals.no_slot(self._over), self.transport.close)
        self._part_bytes = 0
        if self._head_timer is not None:
            self._stop_head_timer()

    def responding(self, response: Response) -> None:
        add_extension(response, DIRECT_EXTENSION, self.exchange_class(response))
        if self._over is not None:
            close_after(response)

    def upgrading(self) -> None:
        self._finish()
        self.end_patience()

    def parsing_failed(self) -> None:
        self.end_with(self.shared.refusals.not_http(), self._leave_slowly)

    def ignore(self) -> None:
        if self._farewell_timer is not None and not self.transport.is_closing():
            self.transport.pause_reading()
            self.loop.call_later(_IGNORED_PAUSE_SECONDS, self._ignore_more)

    def connection_lost(self, exc: Exception | None) -> None:
        self.shared.slots.release(self.transport)
        self.shared.unfinished.release(self.transport)
        self._stop_head_timer()
        for timer in (self._body_timer, self._rest_timer, self._farewell_timer):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def _bound_part(self, *, began: bool) -> None:
        """Bound a head or a body that has not ended with a slice; `began` tells whether its request began in it."""
        limits = self.limits
        self._is_unfinished = True
        if self.part is Part.BODY:
            response = self.awaiting_body
            self._part_bytes += 0 if began or response is None else self._slice_bytes
            self.shared.unfinished.hold(self.transport, self._part_bytes)
            if self._part_bytes > limits.framed_body_bytes_max:
                self._end_body(self._body_too_large)
            elif self.field_count > limits.head_bytes_max // FIELD_BYTES_MIN:
                # Of trailers.
                self._end_body(self._fields_too_large)
            elif response is None:
                self._bound_rest()
            elif self._body_timer is None:
                self._start_body_timer(response)
            return
        self._part_bytes = self._slice_bytes + (0 if began else self._part_bytes)
        self.shared.unfinished.hold(self.transport, self._part_bytes)
        if self._head_timer is None:
            self._start_head_timer()
        try:
            if self.url_bytes > limits.url_bytes_max:
                self._refuse_url()
            # A field is known once it has ended. Of one that has not, only the first slice may hold something else.
            unknown = self._part_bytes - self.url_bytes - self.whole_bytes_max
            if max(self.field_bytes, unknown) > limits.head_bytes_max:
                self._refuse_fields()
        except HeadRefused:
            return

    def _bound_silence(self) -> None:
        """Bound how long a client may send no request, but empty lines, which HTTP allows before one."""
        self._finish()
        if self._head_timer is None and self.is_answered:
            self._start_head_timer()

    def _bound_rest(self) -> None:
        """Bound how long a client may send the rest of a body whose request is answered: nothing of it is kept."""
        if self._rest_timer is None:
            self._rest_timer = self.loop.call_later(self.limits.body_seconds_max, self.transport.close)

    def _finish(self) -> None:
        self._is_unfinished = False
        self.shared.unfinished.release(self.transport)
        if self._rest_timer is not None:
            self._rest_timer.cancel()
            self._rest_timer = None

    def _refuse_url(self) -> NoReturn:
        limit = self.limits.url_bytes_max
        message = f"A URL has at most {limit} bytes."
        self._refuse(self.shared.refusals.over(HTTPStatus.REQUEST_URI_TOO_LONG, "KVS_URL_BYTES_MAX", limit, message))

    def _refuse_fields(self) -> NoReturn:
        self._refuse(self._fields_too_large())

    def _refuse(self, refusal: bytes, leave: Callable[[], None] | None = None) -> NoReturn:
        self._stop_head_timer()
        self.end_with(refusal, leave or self._leave_slowly)
        raise HeadRefused

    def _start_head_timer(self) -> None:
        self._head_timer = self.loop.call_later(self.limits.head_seconds_max, self._end_head)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _end_head(self) -> None:
        self._head_timer = None
        if self.part is not Part.HEAD:
            # Nothing of a request has come.
            self.transport.close()
            return
        limit = self.limits.head_seconds_max
        message = f"The request's head did not end within {limit:g} s."
        self.end_with(
            self.shared.refusals.over(HTTPStatus.REQUEST_TIMEOUT, "KVS_REQUEST_HEAD_SECONDS_MAX", limit, message)
        )

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
        self._end_body(self._body_too_slow)

    def _body_too_slow(self) -> bytes:
        limit = self.limits.body_seconds_max
        message = f"The request's body did not end within {limit:g} s."
        return self.shared.refusals.over(HTTPStatus.REQUEST_TIMEOUT, "KVS_REQUEST_BODY_SECONDS_MAX", limit, message)

    def _end_body(self, refusal: Callable[[], bytes]) -> None:
        """Leave a connection whose last body does not end; with a response where none has begun, nor one before it."""
        response = self.awaiting_body
        if response is not None and not is_started(response) and self.is_first_in_line:
            self.transport.write(refusal())
        self.ignores_input = True
        if response is not None:
            disconnect(response)
        self._leave_slowly()

    def _leave_slowly(self) -> None:
        """Close the connection once the client has read why, or has had the time to.

        A connection that is closed while its client still sends is reset, and many clients then read nothing more.
        """
        if self._over is not None:
            # It has no slot, and keeps no descriptor for longer.
            self.transport.close()
        if self.transport.is_closing():
            return
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._farewell_timer = self.loop.call_later(FAREWELL_SECONDS, self.transport.close)
        self.transport.resume_reading()

    def _ignore_more(self) -> None:
        if not self.transport.is_closing():
            self.transport.resume_reading()

    def _fields_too_large(self) -> bytes:
        limit, setting = self.limits.head_bytes_max, "KVS_REQUEST_HEAD_BYTES_MAX"
        message = f"The fields of a request have at most {limit} bytes, and {FIELD_BYTES_MIN} for each."
        return self.shared.refusals.over(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, setting, limit, message)

    def _body_too_large(self) -> bytes:
        limit = self.limits.message_bytes_max
        message = f"A request has at most {limit} bytes, and as many for the framing of its chunks."
        return self.shared.refusals.over(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "KVS_REQUEST_BYTES_MAX", limit, message)


def http_protocol(shared: Shared) -> type[LimitedHttpConnection]:
    """Return the class of HTTP connections that share these limits."""
    response = type("Response", (Response,), {"failure": lambda _: shared.refusals.failed()})
    bounds = {"buffer_bytes_max": shared.limits.send_buffer_bytes_max, "unread": shared.unread}
    exchange = type("Exchange", (Exchange,), bounds)
    names = {
        "shared": shared,
        "limits": shared.limits,
        "parsing": shared.parsing,
        "exchange_class": exchange,
        "response_class": response,
    }
    return type("HttpConnection", (LimitedHttpConnection,), names)
