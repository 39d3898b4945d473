"""Answers in one body: media types, status codes, and errors of requests that never became GraphQL."""

from collections.abc import Mapping

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Send

from kvs_graphql.executor import Fault, Payload, Refusal
from kvs_graphql.web.negotiation import ANSWERS, MediaType, preferred

_CODES = {413: "LIMIT_EXCEEDED", 500: "INTERNAL", 503: "UNAVAILABLE"}
_CONTENT_TYPES = {media_type: media_type.value.encode() for media_type in ANSWERS}


async def send_answer(send: Send, media_type: MediaType, answer: Payload | Refusal) -> None:
    """Send an answer. Its status is 200 unless nothing was executed and the client can tell that by the status."""
    if isinstance(answer, Payload):
        body, status = answer.result, 200
    else:
        body, status = encode_refusal(answer), _status(answer.fault, media_type)
    headers = [(b"content-length", b"%d" % len(body)), (b"content-type", _CONTENT_TYPES[media_type])]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def encode_refusal(refusal: Refusal) -> bytes:
    """The JSON of a result of which nothing was executed: it has no `data`."""
    return orjson.dumps({"errors": [error.formatted for error in refusal.errors]})


def error_response(request: Request, status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """A request that could not be read as GraphQL over HTTP: an error with a code all the same."""
    error = {"message": message, "extensions": {"code": _CODES.get(status, "BAD_INPUT")}}
    media_type = preferred(request.headers.get("accept", ""), ANSWERS) or MediaType.JSON
    return Response(orjson.dumps({"errors": [error]}), status, headers, media_type.value)


def failure_response(request: Request, refusal: Refusal) -> Response:
    """An unexpected error outside of any operation."""
    media_type = preferred(request.headers.get("accept", ""), ANSWERS) or MediaType.JSON
    return Response(encode_refusal(refusal), _status(refusal.fault, media_type), media_type=media_type.value)


def _status(fault: Fault, media_type: MediaType) -> int:
    match fault:
        case Fault.REQUEST:
            return 400
        case Fault.SERVICE:
            return 500
        case Fault.DOCUMENT:
            return 400 if media_type is MediaType.GRAPHQL_RESPONSE else 200
