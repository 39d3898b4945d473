"""uvicorn's undocumented names: its HTTP connections, and their attributes.

uvicorn documents its settings and the ASGI interface. Limits on connections and writing without waiting need more. The
classes here and in `compat.websockets` offer it under names of this project, and only they read or override uvicorn's
own names.
"""

import asyncio
from collections.abc import Callable
from enum import Enum, auto
from types import FunctionType
from typing import ClassVar

from httptools import HttpParserError, HttpParserUpgrade
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState


class Response(RequestResponseCycle):
    """One request and its response. uvicorn has no public view of how far a response has come.

    Where the application fails before it answers, uvicorn answers by itself (`send_500_response`).
    """

    _default_fields: ClassVar[tuple[list[tuple[bytes, bytes]], bytes]] = [], b""
    """The fields that uvicorn adds to each response (`default_headers`, a new list each second), and their lines."""

    def take_body(self) -> bytes | None:
        """The whole body of the request, once; None where it is for `receive` to wait for the rest, or for an end."""
        if self.more_body or self.disconnected or self.flow.read_paused:
            return None
        body, self.body = bytes(self.body), bytearray()
        return body

    def answer(self, status: int, fields: bytes, body: bytes) -> bool:
        """Send a whole response at once, but not to HEAD; `fields` are the lines of its header, also content-length.

        It leaves the response as `send` does after its two messages, without looking into every field. False, and
        nothing is done, where `send` would wait for the client, drop the response, or change it.
        """
        if self.response_started or self.disconnected or self.flow.write_paused or not self.keep_alive:
            return False
        defaults, lines = self._default_fields
        if defaults is not self.default_headers:
            defaults = self.default_headers
            lines = b"".join(b"%b: %b\r\n" % field for field in defaults)
            type(self)._default_fields = defaults, lines
        self.response_started = self.response_complete = True
        self.waiting_for_100_continue = False
        self.transport.writelines((STATUS_LINE[status] + lines + fields + b"\r\n", body))
        self.message_event.set()
        self.on_response()
        return True

    def failure(self) -> tuple[list[tuple[bytes, bytes]], bytes]:
        """The headers and the body of that answer."""
        return [], b""

    async def send_500_response(self) -> None:
        headers, body = self.failure()
        headers = [*headers, (b"content-length", b"%d" % len(body)), (b"connection", b"close")]
        await self.send({"type": "http.response.start", "status": 500, "headers": headers})
        await self.send({"type": "http.response.body", "body": body, "more_body": False})


FIELD_BYTES_MIN = 32
"""What a field counts beside its bytes, in HTTP/2 (RFC 9113, 6.5.2) and here: it is kept as several objects."""


class ClientConnection(asyncio.Protocol):
    """What uvicorn's HTTP and WebSocket connections have in common.

    uvicorn sets `loop` and `transport`, and its server calls `shutdown` on every connection when it stops.
    """

    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport

    def shutdown(self) -> None:
        """Stop serving this connection."""

    @property
    def is_held(self) -> bool:
        """Whether uvicorn reads no more until the application has handled something; then it resumes receiving."""
        raise NotImplementedError

    def resume_receiving(self) -> None:
        """Go on reading: the application has handled what made uvicorn pause."""
        self.transport.resume_reading()


class _Flow(FlowControl):
    """uvicorn's flow control, which would resume reading while requests wait, and so take any number of them."""

    def resume_reading(self) -> None:
        if not self.read_paused:
            return
        connection = self._transport.get_protocol()
        if isinstance(connection, HttpConnection) and not connection.pipeline:
            self.read_paused = False
            connection.resume_receiving()


class State(ServerState):
    """What uvicorn's server shares with its connections, and whether it has begun to end them."""

    is_ending = False


class Part(Enum):
    """The part of a request that has begun to arrive on a connection and has not ended."""

    NONE = auto()
    HEAD = auto()
    BODY = auto()


# Every request passes these, and a member is looked up through a descriptor.
_NONE, _HEAD, _BODY = Part


class HeadRefused(Exception):
    """Raised by `HttpConnection.check_head` to stop the parser."""


def _beginning(response_class: type[Response]) -> FunctionType:
    """uvicorn's own `on_headers_complete`, which makes responses of that class."""
    begin = HttpToolsProtocol.on_headers_complete
    return FunctionType(begin.__code__, {**begin.__globals__, RequestResponseCycle.__name__: response_class})


class HttpConnection(HttpToolsProtocol, ClientConnection):
    """uvicorn's HTTP/1.1 connection, with hooks.

    uvicorn registers itself for httptools' callbacks (`on_message_begin`, `on_headers_complete`,
    `on_message_complete`), and makes the `RequestResponseCycle` of a request (`cycle`) in the second one. There is no
    setting for another class, so a copy of that function finds `response_class` under this global name. (To change the
    class of a response afterwards costs a read 6 %: Python then keeps its attributes in a dict.) Requests that wait for
    the one before them are in `pipeline`.
    """

    response_class: ClassVar[type[Response]] = Response
    server_state: State
    _begin_response: ClassVar[FunctionType] = _beginning(Response)
    part = Part.NONE
    ignores_input = False
    """Whether whatever else arrives is to be ignored: `end_with` was called, or a WebSocket has taken over."""
    _last_words = b""
    _leave: Callable[[], None]
    _next_is_deferred = False

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls._begin_response = _beginning(cls.response_class)

    def check_head(self, url: bytes) -> None:
        """Handle the end of a request's head.

        Raises:
            HeadRefused: The request is not served; `end_with` was called.
        """

    def responding(self, response: Response) -> None:
        """Handle a request whose head has ended, unless it is an upgrade. The application has not run yet."""

    def upgrading(self) -> None:
        """Handle the end of this protocol: a WebSocket takes over the transport."""

    def parsing_failed(self) -> None:
        """Handle bytes that are not HTTP, or a handshake that is none."""

    def feed(self, data: bytes) -> None:
        """Parse data as uvicorn's `data_received` does, but without its warnings: any client could repeat them."""
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except HttpParserUpgrade:
            if self._should_upgrade():
                self.handle_websocket_upgrade()
        except HttpParserError:
            if not self.ignores_input:
                self.parsing_failed()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = _Flow(transport)
        if self.server_state.is_ending:
            # It was on its way when the server asked all others to end, and would hold up the stop.
            self.loop.call_soon(self.shutdown)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.part = _HEAD

    def on_headers_complete(self) -> None:
        self.check_head(self.url)
        self.part = _BODY
        self._begin_response()
        response = self.cycle
        # An upgrade makes none: then this is the one of the request before, if there was any.
        if response is not None and response.scope is self.scope:
            self.responding(response)  # type: ignore[arg-type]

    def on_message_complete(self) -> None:
        self.part = _NONE
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Begin with the next request, once the client has read enough of this response."""
        if self.flow.write_paused:
            self._next_is_deferred = True
            self.flow.pause_reading()
        elif self._last_words and not self.pipeline:
            self._say_last_words()
        else:
            super().on_response_complete()
            if self.flow.read_paused:
                self.flow.resume_reading()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._next_is_deferred:
            self._next_is_deferred = False
            self.on_response_complete()

    def handle_websocket_upgrade(self) -> None:
        if not self.is_answered:
            # uvicorn would leave the request before without a connection, and never end it.
            self.ignores_input = True
            self.transport.close()
            return
        self.upgrading()
        super().handle_websocket_upgrade()
        self.transport.resume_reading()
        opened = self.transport.get_protocol()
        assert isinstance(opened, WebSocketsSansIOProtocol)
        if not opened.handshake_initiated and not opened.handshake_complete:
            # websockets' parser has refused the head, and uvicorn would wait for another one.
            self.parsing_failed()
        self.ignores_input = True

    def end_with(self, answer: bytes, leave: Callable[[], None] | None = None) -> None:
        """Send this as the last response on the connection, after those to the requests before; handle nothing more.

        Then `leave`, or close the connection.
        """
        self._last_words, self._leave = answer, leave or self.transport.close
        self.ignores_input = True
        if self.is_answered:
            self._say_last_words()

    def _say_last_words(self) -> None:
        self.transport.write(self._last_words)
        self._leave()

    @property
    def is_answered(self) -> bool:
        """Whether all requests so far are answered."""
        return self.cycle is None or self.cycle.response_complete

    @property
    def is_held(self) -> bool:
        """Whether uvicorn reads no more until the application has taken a body or answered (`read_paused`)."""
        return self.flow.read_paused

    @property
    def is_first_in_line(self) -> bool:
        """Whether the last request so far waits for no other one's response."""
        return not self.pipeline

    @property
    def url_bytes(self) -> int:
        """The bytes of the last request's URL that have arrived (`url`)."""
        return len(self.url)

    @property
    def field_count(self) -> int:
        """The number of the last request's header and trailer fields that have arrived."""
        return len(self.headers)

    @property
    def field_bytes(self) -> int:
        """The size of these fields (`headers`)."""
        return sum(len(name) + len(value) + FIELD_BYTES_MIN for name, value in self.headers)

    @property
    def awaiting_body(self) -> Response | None:
        """The request that is not answered yet and whose body has not ended (`more_body`), if there is one."""
        response = self.cycle
        if response is None or response.response_complete or not response.more_body:
            return None
        assert isinstance(response, Response)
        return response


def add_extension(response: Response, name: str, extension: object) -> None:
    """Offer an extension to the application that answers this request.

    uvicorn's HTTP scopes have no extensions, and it makes the scope (`scope`) without a hook.
    """
    response.scope["extensions"] = {name: extension}  # type: ignore[dict-item]


def disconnect(response: Response) -> None:
    """Have the application see that its client is gone, and ignore what it sends (`disconnected`, `message_event`)."""
    response.disconnected = True
    response.message_event.set()


def close_after(response: Response) -> None:
    """End the connection with this response (`keep_alive`)."""
    response.keep_alive = False


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
