"""graphql-transport-ws: many operations on one WebSocket.

    OPENED ──connection_init──▶ ACKNOWLEDGED
       └──────────▶ CLOSED ◀────────┘

https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import orjson
import structlog
from starlette.types import Message, Receive, Scope, Send

from kvs_graphql.access import Access
from kvs_graphql.api import Connection
from kvs_graphql.errors import LimitExceeded, Unauthenticated
from kvs_graphql.executor import ClientGone, Executor, Given, Outcome, Payload, PreparedOperation, Refusal, Request
from kvs_graphql.service import Flush
from kvs_graphql.throttle import Throttle
from kvs_graphql.web.authentication import Gate, has_authorization
from kvs_graphql.web.connections import Connections
from kvs_graphql.web.direct import DIRECT_EXTENSION, MessageWriter
from kvs_graphql.web.fields import fields_of
from kvs_graphql.web.origins import Origins
from kvs_graphql.web.requests import checked_request

log = structlog.get_logger(__name__)

SUBPROTOCOL = "graphql-transport-ws"

_GOING_AWAY = 1001
_INVALID_MESSAGE = 4400
_UNAUTHORIZED = 4401
_FORBIDDEN = 4403
_SUBPROTOCOL_NOT_ACCEPTABLE = 4406
_INIT_TIMED_OUT = 4408
_ID_IN_USE = 4409
_TOO_MANY_INITS = 4429

_ORIGIN_REMEDY = "the proxy must pass Host, or set KVS_CORS_ORIGINS"
_ORIGIN_REFUSED = f"Refused for its origin: {_ORIGIN_REMEDY}."
_EXPIRED = "The token has expired."
_LOG_SECONDS = 60.0
_LOGGED_CHARACTERS_MAX = 200


@dataclass(frozen=True, slots=True)
class WebSocketOptions:
    """Who may open a WebSocket, and what it may ask for."""

    origins: Origins
    gate: Gate | None
    """None where nobody is asked who it is."""
    init_seconds_max: float
    operations_max: int


class SocketState(Enum):
    """The state of the protocol."""

    OPENED = auto()
    ACKNOWLEDGED = auto()
    CLOSED = auto()


class _SocketSink:
    """The results of one operation, each in a message of its own.

    The sink of streams asks a framing for each payload. Here, where most deliveries go, that would cost each of them
    0.2 µs of about 10. Nor do the two wait for the same thing in `send`: this one for room in the writer, for which
    other operations wait as well; that one for the server, which has one response at a time on a connection.
    """

    __slots__ = ("_before", "_send", "_writer", "with_token")

    def __init__(self, identity: str, send: Send, writer: MessageWriter | None) -> None:
        self.with_token = False
        self._before = b'{"id":' + orjson.dumps(identity) + b',"type":"next","payload":'
        self._send = send
        self._writer = writer

    def take(self, payload: Payload) -> Flush | None:
        return None if self._writer is None else self._writer.write(self._before, payload.result, b"}")

    async def send(self, payload: Payload) -> None:
        if self._writer is None:
            await _send_text(self._send, self._before + payload.result + b"}")
            return
        # Others may wait, too, and be first to use the room.
        while (flush := self.take(payload)) is None:
            if not await self._writer.room(len(payload.result)):
                raise ClientGone
        flush()


class GraphQLSocket:
    """One WebSocket, from its acceptance to its end."""

    def __init__(
        self,
        executor: Executor,
        connection: Connection,
        access: Access | None,
        connections: Connections,
        rate: Callable[[], None] | None,
        options: WebSocketOptions,
        receive: Receive,
        send: Send,
        writer: MessageWriter | None,
    ) -> None:
        """`access` is who asks; None where `connection_init` has yet to say it."""
        self._executor = executor
        self._connection = connection
        self._access = access
        self._expires: float | None = None
        self._kept = connections.kept
        self._starts = connections.starts
        self._hidden_fields = connections.hidden_fields
        self._rate = rate
        self._options = options
        self._receive = receive
        self._send = send
        self._writer = writer
        self._state = SocketState.OPENED
        self._operations: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Serve the client until the socket is closed, by either side."""
        try:
            await self._serve()
        except ClientGone:
            pass
        finally:
            await self._end_operations()

    async def _serve(self) -> None:
        deadline = asyncio.get_running_loop().time() + self._options.init_seconds_max
        while self._state is not SocketState.CLOSED:
            # Nothing of a message has a name here: it would be kept until the next one comes.
            await self._on_received(await self._received(deadline))

    async def _received(self, deadline: float) -> Message:
        is_opened = self._state is SocketState.OPENED
        try:
            async with asyncio.timeout_at(deadline if is_opened else self._expires):
                return await self._receive()
        except TimeoutError:
            if is_opened:
                await self._close(_INIT_TIMED_OUT, "Connection initialisation timed out")
            else:
                await self._close(_FORBIDDEN, _EXPIRED)
            return {"type": "websocket.disconnect"}

    async def _on_received(self, received: Message) -> None:
        if received["type"] == "websocket.disconnect":
            self._state = SocketState.CLOSED
            return
        try:
            message = orjson.loads(received.pop("text", None) or "")
        except orjson.JSONDecodeError:
            message = None
        handle = _HANDLERS.get(message["type"]) if _is_message(message) else None
        if handle is None:
            await self._close(_INVALID_MESSAGE, "Not a message of graphql-transport-ws")
        else:
            await handle(self, message)

    async def on_connection_init(self, message: dict[str, Any]) -> None:
        if self._state is SocketState.ACKNOWLEDGED:
            await self._close(_TOO_MANY_INITS, "Too many initialisation requests")
        elif await self._authenticate(message.get("payload")):
            self._state = SocketState.ACKNOWLEDGED
            await self._tell(type="connection_ack")

    async def _authenticate(self, payload: dict[str, Any] | None) -> bool:
        """Find out who asks, unless the handshake has told; close the socket of whom nobody knows."""
        gate = self._options.gate
        if gate is None:
            return True
        try:
            access = await gate.access_by_init(payload, self._access)
        except Unauthenticated as error:
            self._executor.refuse(error)
            # Clients come back after this code, with a new token, and give up after 4401.
            await self._close(_FORBIDDEN, str(error))
            return False
        self._connection = self._connection._replace(access=access)
        self._executor = gate.schemas.of(access)
        if access.expires_at is not None:
            self._expires = asyncio.get_running_loop().time() + access.expires_at - time.time()
        return True

    async def on_ping(self, _: dict[str, Any]) -> None:
        await self._tell(type="pong")

    async def on_pong(self, _: dict[str, Any]) -> None:
        """Nothing: the server pings by the WebSocket protocol's own frames."""

    async def on_subscribe(self, message: dict[str, Any]) -> None:
        request = _request(message)
        if request is None:
            await self._close(_INVALID_MESSAGE, "Not a subscribe message of graphql-transport-ws")
        elif self._state is not SocketState.ACKNOWLEDGED:
            await self._close(_UNAUTHORIZED, "Unauthorized")
        elif message["id"] in self._operations:
            await self._close(_ID_IN_USE, f"Subscriber for {message['id']} already exists"[:100])
        elif (error := self._over_limit()) is not None:
            refusal = self._executor.refuse(error)
            await self._tell(id=message["id"], type="error", payload=[error.formatted for error in refusal.errors])
        else:
            # Prepared here: a task that lasts holds neither the text of its document nor its request.
            executor, identity, connection = self._executor, message["id"], self._connection
            prepared = executor.known(request) or await executor.prepare_in_turn(request)
            if isinstance(prepared, PreparedOperation) and prepared.is_subscription:
                connection = self._kept.connection(connection, prepared, request.variables, identity)
                await self._starts.next()
            operating = self._operate(identity, prepared, request.variables, connection)
            self._operations[identity] = asyncio.create_task(operating)

    async def on_complete(self, message: dict[str, Any]) -> None:
        if not isinstance(message.get("id"), str):
            await self._close(_INVALID_MESSAGE, "Not a complete message of graphql-transport-ws")
        elif (task := self._operations.pop(message["id"], None)) is not None:
            # Not awaited: other messages are waiting.
            task.cancel()

    async def _operate(
        self, identity: str, prepared: PreparedOperation | Refusal, variables: Given, connection: Connection
    ) -> None:
        """Run one operation to its end, and tell its client how it ended."""
        outcome: Outcome | Refusal
        try:
            if isinstance(prepared, Refusal):
                self._hidden_fields.count(connection.access, prepared)
                outcome = prepared
            else:
                sink = _SocketSink(identity, self._send, self._writer)
                outcome = await self._executor.stream(prepared, variables, connection, sink)
            # The id is free before the client hears of the end.
            del self._operations[identity]
            await self._tell_outcome(identity, outcome)
        except ClientGone:
            self._operations.pop(identity, None)

    async def _tell_outcome(self, identity: str, outcome: Outcome | Refusal) -> None:
        if outcome is Outcome.STOPPING:
            # The client asks again elsewhere; after an error or `complete` it would not.
            if not self._operations:
                await self._close(_GOING_AWAY, "The service stops.")
        elif outcome is Outcome.SUPERSEDED:
            await self._close(_GOING_AWAY, "The schema has changed.")
        elif isinstance(outcome, Refusal):
            await self._tell(id=identity, type="error", payload=[error.formatted for error in outcome.errors])
        else:
            await self._tell(id=identity, type="complete")

    def _over_limit(self) -> LimitExceeded | None:
        """The limit that one more operation is over."""
        if len(self._operations) >= (limit := self._options.operations_max):
            return LimitExceeded.of("KVS_OPERATIONS_PER_WEBSOCKET_MAX", limit, "open operations on this WebSocket")
        if self._rate is not None:
            try:
                self._rate()
            except LimitExceeded as error:
                return error
        return None

    async def _tell(self, **message: Any) -> None:
        await _send_text(self._send, orjson.dumps(message))

    async def _close(self, code: int, reason: str) -> None:
        self._state = SocketState.CLOSED
        try:
            await self._send({"type": "websocket.close", "code": code, "reason": reason})
        except (OSError, RuntimeError) as error:
            raise ClientGone from error

    async def _end_operations(self) -> None:
        tasks = list(self._operations.values())
        for task in tasks:
            task.cancel()
        # Nothing of an operation is left when its socket is gone.
        await asyncio.gather(*tasks, return_exceptions=True)
        # A task that was cancelled leads back to this socket, and would be left until the next collection.
        self._operations.clear()


_HANDLERS: dict[str, Callable[[GraphQLSocket, dict[str, Any]], Awaitable[None]]] = {
    "connection_init": GraphQLSocket.on_connection_init,
    "ping": GraphQLSocket.on_ping,
    "pong": GraphQLSocket.on_pong,
    "subscribe": GraphQLSocket.on_subscribe,
    "complete": GraphQLSocket.on_complete,
}


class GraphQLWebSockets:
    """An ASGI application for the WebSockets of one path."""

    def __init__(self, executor: Executor, connections: Connections, options: WebSocketOptions) -> None:
        self._executor = executor
        self._connections = connections
        self._options = options
        self._log = Throttle(_LOG_SECONDS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "websocket.connect"
        await self._connections.handshakes.next()
        gate, access = self._options.gate, None
        if gate is not None and has_authorization(scope):
            try:
                access = await gate.access(scope)
            except Unauthenticated as error:
                await gate.refuse(scope, error)(scope, receive, send)
                return
        known = SUBPROTOCOL in scope["subprotocols"]
        await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL if known else None})
        if not self._options.origins.allow_socket(scope):
            # After the handshake, for browsers tell a page nothing of one that fails.
            self._log_refused_origin(scope)
            await send({"type": "websocket.close", "code": _FORBIDDEN, "reason": _ORIGIN_REFUSED})
            return
        if not known:
            reason = f"The subprotocol must be {SUBPROTOCOL}"
            await send({"type": "websocket.close", "code": _SUBPROTOCOL_NOT_ACCEPTABLE, "reason": reason})
            return
        writer = scope.get("extensions", {}).get(DIRECT_EXTENSION)
        connection = self._connections.streaming(scope, "websocket")
        rate = self._connections.rate(scope)
        socket = GraphQLSocket(
            self._executor, connection, access, self._connections, rate, self._options, receive, send, writer
        )
        await socket.run()

    def _log_refused_origin(self, scope: Scope) -> None:
        """Tell the operator, but not for each of many attempts."""
        if not self._log.allow():
            return
        fields = fields_of(scope)
        origin, host = (
            fields.get(name, b"")[:_LOGGED_CHARACTERS_MAX].decode("latin-1") for name in (b"origin", b"host")
        )
        log.warning("WebSocket refused for its origin", origin=origin, host=host, remedy=_ORIGIN_REMEDY)


async def _send_text(send: Send, text: bytes) -> None:
    try:
        await send({"type": "websocket.send", "text": text.decode()})
    except (OSError, RuntimeError) as error:
        # uvicorn raises these for a socket that is closed.
        raise ClientGone from error


def _is_message(message: object) -> bool:
    """Whether it has the form that all messages of clients have; null is as good as absent."""
    return (
        isinstance(message, dict)
        and isinstance(message.get("type"), str)
        and isinstance(message.get("payload"), dict | None)
    )


def _request(message: dict[str, Any]) -> Request | None:
    """The request in a subscribe message; None where it has not the protocol's form."""
    payload = message.get("payload")
    if not isinstance(message.get("id"), str) or not isinstance(payload, dict):
        return None
    request = checked_request(payload)
    if isinstance(request, str) or (request.query is None and request.document_id is None):
        return None
    return request
