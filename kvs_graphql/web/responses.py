"""GraphQL responses over HTTP: media types, status codes, and errors of requests that never became GraphQL."""

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

GRAPHQL_RESPONSE = "application/graphql-response+json"
_JSON = "application/json"
_CODES = {413: "LIMIT_EXCEEDED", 500: "INTERNAL", 503: "UNAVAILABLE"}


def media_type(accept: str) -> str:
    """The better of the two media types of GraphQL over HTTP that the client accepts."""
    return GRAPHQL_RESPONSE if GRAPHQL_RESPONSE in accept else _JSON


def graphql_response(payload: Any, accept: str, encoded: bytes) -> Response:
    """A response whose status is 200, unless the client knows the new media type and nothing was executed."""
    chosen = media_type(accept)
    refused = isinstance(payload, dict) and "data" not in payload
    return Response(encoded, 400 if refused and chosen == GRAPHQL_RESPONSE else 200, media_type=chosen)


def error_response(
    request: Request, status: int, message: str, headers: Mapping[str, str] | None = None, **extensions: object
) -> Response:
    """A request that could not be read as GraphQL over HTTP: an error with a code all the same."""
    error = {"message": message, "extensions": {"code": _CODES.get(status, "BAD_INPUT"), **extensions}}
    body = orjson.dumps({"errors": [error]})
    return Response(body, status, headers, media_type(request.headers.get("accept", "")))


class BodyLimit:
    """Refuses bodies beyond a limit, with a code: Starlette's own `max_body_size` answers in plain text."""

    def __init__(self, app: ASGIApp, bytes_max: int) -> None:
        self._app = app
        self._bytes_max = bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        received = 0

        async def receive_within_limit() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._bytes_max:
                raise HTTPException(413, f"A request has at most {self._bytes_max} bytes.")
            return message

        await self._app(scope, receive_within_limit if scope["type"] == "http" else receive, send)
