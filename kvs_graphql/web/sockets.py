"""graphql-transport-ws, on top of Strawberry's: malformed messages are refused by the protocol's own close code."""

from typing import Any

from graphql import GraphQLError
from starlette.websockets import WebSocketDisconnected as SocketClosed
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler


class SocketHandler(BaseGraphQLTransportWSHandler[Any, Any]):
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
        error = GraphQLError(
            f"This socket has {limit} operations open, as many as are allowed.", extensions={"code": "LIMIT_EXCEEDED"}
        )
        await self.send_message({"id": message["id"], "type": "error", "payload": [error.formatted]})


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
