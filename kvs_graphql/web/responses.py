"""GraphQL responses over HTTP: media types, status codes, and errors of requests that never became GraphQL."""

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

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


def error_response(request: Request, status: int, message: str) -> Response:
    """A request that could not be read as GraphQL over HTTP: an error with a code all the same."""
    error = {"message": message, "extensions": {"code": _CODES.get(status, "BAD_INPUT")}}
    body = orjson.dumps({"errors": [error]})
    return Response(body, status, media_type=media_type(request.headers.get("accept", "")))
