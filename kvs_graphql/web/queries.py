"""The short way for queries that have a plan: from the request's body to the answer's, with nothing in between.

Everything else, whatever is wrong with it, goes on to the application as if it had not been looked at.
"""

from contextlib import nullcontext
from typing import Any

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kvs_graphql.access import ANYONE
from kvs_graphql.api import Connection, KvsSchema
from kvs_graphql.metrics import Metrics
from kvs_graphql.service import Service
from kvs_graphql.web.responses import media_type

_ELSEWHERE = ("text/event-stream", "multipart/mixed")


class PlannedQueries:
    """An ASGI application in front of another."""

    def __init__(self, app: ASGIApp, schema: KvsSchema, service: Service, metrics: Metrics, *, bytes_max: int) -> None:
        self._app = app
        self._schema = schema
        self._connection = Connection(service, ANYONE, "http", metrics, nullcontext)
        self._bytes_max = bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] != "/graphql":
            await self._app(scope, receive, send)
            return
        first = await receive()
        accept = _accepted(scope)
        answer = None if accept is None else await self._answer(first)
        if answer is None or accept is None:
            await self._app(scope, _again(first, receive), send)
            return
        headers = [(b"content-length", b"%d" % len(answer)), (b"content-type", media_type(accept).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    async def _answer(self, message: Message) -> bytes | None:
        body = message.get("body", b"")
        if message.get("more_body") or len(body) > self._bytes_max:
            return None
        try:
            asked = orjson.loads(body)
        except orjson.JSONDecodeError:
            return None
        if not isinstance(asked, dict):
            return None
        query, variables, name = asked.get("query"), asked.get("variables"), asked.get("operationName")
        if not (isinstance(query, str) and isinstance(variables, dict | None) and isinstance(name, str | None)):
            return None
        found: dict[str, Any] | None = await self._schema.read(query, variables, name, self._connection)
        return None if found is None else orjson.dumps(found)


def _accepted(scope: Scope) -> str | None:
    """What the client accepts, where that is one answer to a request in JSON."""
    accept, json = "", False
    for name, value in scope["headers"]:
        if name == b"accept":
            accept = value.decode("latin-1")
        elif name == b"content-type":
            json = value.startswith(b"application/json")
        elif name == b"last-event-id":
            return None
    return accept if json and not any(other in accept for other in _ELSEWHERE) else None


def _again(first: Message, receive: Receive) -> Receive:
    """Receive from the start, where the first message was taken already."""
    taken = False

    async def receive_again() -> Message:
        nonlocal taken
        if taken:
            return await receive()
        taken = True
        return first

    return receive_again
