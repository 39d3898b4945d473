"""graphql-transport-ws, on top of Strawberry's: malformed messages are refused by the protocol's own close code, and
what a stopping service ends is not told to be over.

What a plan tells goes to the socket as it is: the envelope with the operation's id is put around what was encoded
once for all subscribers.
"""

from collections.abc import Callable
from contextlib import aclosing, suppress
from typing import Any

import orjson
from graphql import GraphQLError
from starlette.websockets import WebSocketDisconnect
from starlette.websockets import WebSocketDisconnected as SocketClosed
from strawberry.asgi import ASGIWebSocketAdapter
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler, Operation
from strawberry.types import ExecutionResult
from strawberry.types.execution import PreExecutionError

from kvs_graphql.api import Connection, KvsSchema, Payload, Send
from kvs_graphql.errors import LimitExceeded, Unavailable
from kvs_graphql.service import Flush
from kvs_graphql.web.direct import DIRECT_EXTENSION, DirectWriter

PushText = Callable[..., Flush | None]

_GOING_AWAY = 1001
_AFTER = b"}}"


class SocketAdapter(ASGIWebSocketAdapter):
    """Strawberry's view of a WebSocket, and ways to send what is encoded already."""

    @property
    def push(self) -> PushText | None:
        """Takes a text message without waiting; None where the server has no such way."""
        writer: DirectWriter | None = self.ws.scope["extensions"].get(DIRECT_EXTENSION)
        return None if writer is None else writer.write

    async def send_text(self, text: bytes) -> None:
        """Send it, waiting for the client where need be."""
        try:
            await self.ws.send_text(text.decode())
        except WebSocketDisconnect as error:
            raise WebSocketDisconnected from error


class SocketHandler(BaseGraphQLTransportWSHandler[Connection, None]):
    """One WebSocket."""

    async def handle_message(self, message: Any) -> None:
        if _is_well_formed(message):
            await super().handle_message(message)
        else:
            await self.handle_invalid_message("Not a message of graphql-transport-ws")

    async def handle_task_exception(self, error: Exception) -> None:
        """A client that left, or a service that stops, while something is being sent is nobody's fault."""
        if not isinstance(error, (WebSocketDisconnected, SocketClosed)):
            await super().handle_task_exception(error)

    async def handle_subscribe(self, message: Any) -> None:
        limit = self.max_subscriptions_per_connection
        if limit is None or len(self.operations) < limit or not self.connection_acknowledged:
            await super().handle_subscribe(message)
            return
        error = LimitExceeded.of("KVS_SUBSCRIPTIONS_PER_SOCKET_MAX", limit, "operations open on this socket")
        shown = GraphQLError(str(error), extensions={"code": error.code, **error.details})
        self.context.metrics.errors.labels(error.code).inc()
        await self.send_message({"id": message["id"], "type": "error", "payload": [shown.formatted]})

    async def run_operation(self, operation: Operation[Any, Any]) -> None:
        """Send what an operation gives, until it ends."""
        try:
            await self._run(operation)
        except Exception as error:
            await self.handle_task_exception(error)
            with suppress(Exception):
                await operation.send_operation_message({"id": operation.id, "type": "complete"})
            self.operations.pop(operation.id, None)
            raise

    async def _run(self, operation: Operation[Any, Any]) -> None:
        assert isinstance(self.schema, KvsSchema)
        before = b'{"id":' + orjson.dumps(operation.id) + b',"type":"next","payload":{"data":'
        pages = self.schema.pages(
            operation.query,
            operation.variables,
            operation.operation_name,
            send=self._sender(before),
            context_value=self.context,
        )
        first = True
        async with aclosing(pages):
            async for page in pages:
                if not isinstance(page, ExecutionResult):
                    for payload in page:
                        await self._tell(operation, before, payload)
                elif first and isinstance(page, PreExecutionError):
                    await self._refuse(operation, page)
                    return
                else:
                    await operation.send_next(page)
                first = False
        await operation.send_operation_message({"id": operation.id, "type": "complete"})

    async def _refuse(self, operation: Operation[Any, Any], result: PreExecutionError) -> None:
        assert result.errors
        reason = self._get_pre_execution_close_reason(result.errors[0])
        if reason is None:
            await operation.send_initial_errors(result.errors)
            return
        await self.websocket.close(code=4400, reason=reason)
        self.operations.pop(operation.id, None)

    def _sender(self, before: bytes) -> Send | None:
        """How an operation sends data without waiting."""
        assert isinstance(self.websocket, SocketAdapter)
        push = self.websocket.push
        return None if push is None else lambda data: push(before, data, _AFTER)

    async def _tell(self, operation: Operation[Any, Any], before: bytes, payload: Payload) -> None:
        if payload.errors is None and payload.data is not None:
            assert isinstance(self.websocket, SocketAdapter)
            await self.websocket.send_text(before + payload.data + _AFTER)
        else:
            data: Any = None if payload.data is None else orjson.Fragment(payload.data)
            await operation.send_next(ExecutionResult(data, payload.errors))

    async def send_message(self, message: Any) -> None:
        if self.context.service.stopping and _is_refusal(message):
            await self._leave(message["id"])
        else:
            await super().send_message(message)

    async def _leave(self, identity: str) -> None:
        """End an operation without a word, and the socket when it has no other: its client asks again elsewhere.

        It would not if it was told of an error or of the end.
        """
        if identity in self.operations:
            self.operations[identity].completed = True
        if all(operation.completed for operation in self.operations.values()):
            await self.websocket.close(_GOING_AWAY, "The service stops.")


def _is_refusal(message: Any) -> bool:
    """Whether nothing was done, for the service is stopping."""
    if message["type"] == "next":
        errors = [] if message["payload"]["data"] is not None else message["payload"].get("errors", [])
    else:
        errors = message["payload"] if message["type"] == "error" else []
    return bool(errors) and all(error["extensions"]["code"] == Unavailable.code for error in errors)


def _is_well_formed(message: object) -> bool:
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        return False
    if message["type"] == "complete":
        return isinstance(message.get("id"), str)
    return message["type"] != "subscribe" or (
        isinstance(message.get("id"), str) and _is_request(message.get("payload"))
    )


def _is_request(payload: object) -> bool:
    return (
        isinstance(payload, dict)
        and isinstance(payload.get("query"), str)
        and isinstance(payload.get("variables"), dict | None)
        and isinstance(payload.get("operationName"), str | None)
    )
