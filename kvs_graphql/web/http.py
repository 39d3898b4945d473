"""GraphQL over HTTP: POST and GET, answered in one body or in a stream."""

import time
from functools import partial
from typing import NoReturn

import structlog
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from kvs_graphql.access import ANYONE, Access
from kvs_graphql.api import Connection
from kvs_graphql.executor import Executed, Executor, Given, Outcome, PreparedOperation, Refusal, Request, ResultSink
from kvs_graphql.throttle import Throttle
from kvs_graphql.web.authentication import ACCESS
from kvs_graphql.web.connections import Connections
from kvs_graphql.web.direct import exchange_of
from kvs_graphql.web.fields import fields_of
from kvs_graphql.web.negotiation import ANSWERS, MediaType, accept_of, answer_type, body_type, refusal_type, stream_type
from kvs_graphql.web.origins import Origins
from kvs_graphql.web.pages import Pages
from kvs_graphql.web.protection import ANSWER_HEADERS
from kvs_graphql.web.requests import check_method, read_body, request_of_address, request_of_body
from kvs_graphql.web.reserved_streams import ReservedStreams
from kvs_graphql.web.responses import answer_of, error_response
from kvs_graphql.web.single_connection import STREAM_TOKEN, SingleConnection
from kvs_graphql.web.streams import END, EventFraming, Framing, MultipartFraming, send_stream

log = structlog.get_logger(__name__)

_FRAMINGS: dict[MediaType, Framing] = {
    MediaType.EVENT_STREAM: EventFraming(),
    MediaType.MULTIPART: MultipartFraming(),
}
_ACCEPT = f"The Accept header must allow {' or '.join(ANSWERS)}."
_PLAIN_METHODS = frozenset({"GET", "POST"})
_NOTHING_MORE = Response(status_code=204, headers={name.decode(): value.decode() for name, value in ANSWER_HEADERS})
_NO_UPGRADE = "This is the handshake of a WebSocket without its Upgrade: the proxy must pass Upgrade and Connection."
_LOG_SECONDS = 60.0
_TRANSPORTS = {MediaType.EVENT_STREAM: "sse", MediaType.MULTIPART: "multipart"}


class GraphQLOverHttp:
    """An ASGI application for one path."""

    def __init__(
        self,
        executor: Executor,
        connections: Connections,
        pages: Pages,
        origins: Origins,
        reserved: ReservedStreams,
        *,
        asks: bool = False,
        request_bytes_max: int,
        heartbeat_seconds: float,
    ) -> None:
        """`asks` where the scope of each request says who makes it, as a `GatedHttp` has it."""
        self._executor = executor
        self._connections = connections
        self._pages = pages
        self._origins = origins
        self._asks = asks
        self._request_bytes_max = request_bytes_max
        self._heartbeat_seconds = heartbeat_seconds
        self._log = Throttle(_LOG_SECONDS)
        self._single_connection = SingleConnection(
            executor,
            connections,
            reserved,
            origins,
            request_bytes_max=request_bytes_max,
            heartbeat_seconds=heartbeat_seconds,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        fields, method = fields_of(scope), scope["method"]
        accept, exchange = accept_of(fields), exchange_of(scope)
        try:
            if method not in _PLAIN_METHODS or STREAM_TOKEN in fields:
                await self._single_connection.serve(fields, accept, scope, receive, send)
                return
            if method == "POST":
                body = None if exchange is None else exchange.take_body()
                if body is None:
                    body = await read_body(receive, self._request_bytes_max)
                request = request_of_body(body, fields, self._request_bytes_max)
                del body
            elif (page := self._page(scope, accept)) is not None:
                await page(scope, receive, send)
                return
            else:
                request = self._of_address(scope)
            executor = self._executor
            prepared = executor.known(request) or await executor.prepare_in_turn(request)
            variables = request.variables
            # A stream that lasts keeps nothing of its request but the variables: not even in this frame.
            del request, fields
            media_type = _media_type(prepared, accept, method)
            # A dict would compute the hash of an enum's member in Python.
            if media_type is MediaType.EVENT_STREAM or media_type is MediaType.MULTIPART:
                await self._send_stream(media_type, prepared, variables, scope, receive, send)
                return
            answer: Executed | Refusal
            if isinstance(prepared, Refusal):
                answer = self._counted(prepared, scope)
            else:
                connections = self._connections
                connection = connections.plain_of(scope[ACCESS]) if self._asks else connections.plain
                answer = await executor.execute(prepared, variables, connection)
            encoded = answer_of(media_type, answer)
        except HTTPException as error:
            await error_response(self._executor, accept, error)(scope, receive, send)
            return
        except Exception as error:  # noqa: BLE001 - masked and logged
            encoded = answer_of(body_type(accept), self._executor.refuse(error))
        if not encoded.is_sent(scope, exchange):
            await encoded.send(send)

    def _counted(self, refusal: Refusal, scope: Scope) -> Refusal:
        """A refusal, of which it is counted whether the principal asked for what it may not see."""
        if self._asks:
            self._connections.hidden_fields.count(scope[ACCESS], refusal)
        return refusal

    def is_for_all(self, scope: Scope) -> bool:
        """Whether the answer tells nothing of tables: a page, or that a proxy has lost a WebSocket."""
        fields = fields_of(scope)
        if scope["method"] != "GET" or STREAM_TOKEN in fields:
            return False
        return _was_handshake(scope) or self._pages.graphiql(accept_of(fields)) is not None

    def _of_address(self, scope: Scope) -> Request:
        """What an address asks for. Raises: HTTPException: It is no request of GraphQL, or another site's page asks."""
        self._origins.check_get(scope)
        return request_of_address(scope["query_string"])

    def _page(self, scope: Scope, accept: str) -> Response | None:
        """The page for a browser; None if the request carries an operation.

        Raises:
            HTTPException: 426: A proxy has made it of a WebSocket's handshake.
        """
        if _was_handshake(scope):
            if self._log.allow():  # For the operator of the proxy.
                log.warning("WebSocket without Upgrade", remedy="the proxy must pass Upgrade and Connection")
            raise HTTPException(426, _NO_UPGRADE, {"Upgrade": "websocket"})
        return self._pages.graphiql(accept)

    async def _send_stream(
        self,
        media_type: MediaType,
        prepared: PreparedOperation | Refusal,
        variables: Given,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        resume = fields_of(scope).get(b"last-event-id", b"") if media_type is MediaType.EVENT_STREAM else b""
        if resume == END:
            await _NOTHING_MORE(scope, receive, send)
            return
        access: Access = scope.get(ACCESS, ANYONE)
        resumed = resume.decode("latin-1") or None
        connection = self._connections.streaming(scope, _TRANSPORTS[media_type], access, resumed)
        if isinstance(prepared, PreparedOperation):
            connection = self._connections.kept.connection(connection, prepared, variables)
            if prepared.is_subscription:
                await self._connections.starts.next()
        else:
            self._counted(prepared, scope)
        stream = partial(self._stream, prepared, variables, connection)
        writer = exchange_of(scope)
        seconds_max = None if access.expires_at is None else access.expires_at - time.time()
        framing = _FRAMINGS[media_type]
        await send_stream(framing, stream, receive, send, writer, self._heartbeat_seconds, seconds_max)

    async def _stream(
        self, prepared: PreparedOperation | Refusal, variables: Given, connection: Connection, sink: ResultSink
    ) -> Outcome | Refusal:
        if isinstance(prepared, Refusal):
            return prepared
        return await self._executor.stream(prepared, variables, connection, sink)


def _was_handshake(scope: Scope) -> bool:
    """Whether a request was the handshake of a WebSocket before a proxy took its Upgrade."""
    return b"sec-websocket-key" in fields_of(scope)


def _media_type(prepared: PreparedOperation | Refusal, accept: str, method: str) -> MediaType:
    """The media type of an answer, as the client prefers it among those that fit the operation.

    Raises:
        HTTPException: 406: The client accepts none of them. 405: The operation has to come by another method.
    """
    if isinstance(prepared, Refusal):
        return refusal_type(accept) or _not_acceptable(_ACCEPT)
    check_method(prepared, method)
    if not prepared.is_subscription:
        return answer_type(accept) or _not_acceptable(_ACCEPT)
    return stream_type(accept) or _not_acceptable("Subscriptions need a WebSocket, or Accept: text/event-stream.")


def _not_acceptable(message: str) -> NoReturn:
    raise HTTPException(406, message)
