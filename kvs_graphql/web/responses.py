"""Answers in one body: media types, status codes, and errors of requests that never became GraphQL."""

from collections.abc import Mapping
from typing import NamedTuple

import orjson
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope, Send

from kvs_graphql.errors import KvsError
from kvs_graphql.executor import Executed, Executor, Fault, Refusal
from kvs_graphql.web.direct import DirectExchange, answers_directly
from kvs_graphql.web.negotiation import ANSWERS, MediaType, body_type
from kvs_graphql.web.protection import ALL_HEADERS, ANSWER_HEADERS
from kvs_graphql.web.requests import BatchRefused

_CODES = {403: "FORBIDDEN", 413: "LIMIT_EXCEEDED", 421: "FORBIDDEN", 500: "INTERNAL", 503: "UNAVAILABLE"}
_BATCH_ANSWERED_MAX = 100
_HEADERS = {media_type: ((b"content-type", media_type.encode()), *ANSWER_HEADERS) for media_type in ANSWERS}
_LENGTH = b"content-length"
_FIELDS = {
    media_type: b"".join(b"%b: %b\r\n" % header for header in headers) + _LENGTH + b": %d\r\n"
    for media_type, headers in _HEADERS.items()
}


class Answer(NamedTuple):
    """An answer in one body."""

    media_type: MediaType
    status: int
    body: bytes

    def is_sent(self, scope: Scope, exchange: DirectExchange | None) -> bool:
        """Answer a request without waiting, where that can be done."""
        if exchange is None or not answers_directly(scope):
            return False
        return exchange.answer(self.status, _FIELDS[self.media_type] % len(self.body), self.body)

    async def send(self, send: Send) -> None:
        """Answer a request through ASGI."""
        headers = [*_HEADERS[self.media_type], (_LENGTH, b"%d" % len(self.body))]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


def answer_of(media_type: MediaType, answer: Executed | Refusal) -> Answer:
    """Encode an answer. Its status is 200, unless nothing was executed and the media type allows another."""
    if isinstance(answer, Executed):
        return Answer(media_type, 200, answer.encode())
    return Answer(media_type, _status(answer.fault, media_type), encode_refusal(answer))


def encode_refusal(refusal: Refusal) -> bytes:
    """The JSON of a result of which nothing was executed: it has no `data`."""
    return orjson.dumps({"errors": [error.formatted for error in refusal.errors]})


def error_response(executor: Executor, accept: str, error: HTTPException) -> Response:
    """A request that could not be read as GraphQL over HTTP: an error with a code all the same."""
    result = encode_refusal(executor.refuse_request(error.detail, _CODES.get(error.status_code, "BAD_INPUT")))
    media_type = body_type(accept)
    if isinstance(error, BatchRefused) and 0 < error.requests <= _BATCH_ANSWERED_MAX:
        # Clients that send batches show an error only if it comes as the result of each request.
        content = b"[%b]" % b",".join([result] * error.requests)
        return protected_response(content, _status(Fault.DOCUMENT, media_type), media_type)
    return protected_response(result, error.status_code, media_type, error.headers)


def refusal_response(
    executor: Executor, accept: str, error: KvsError, status: int, headers: Mapping[str, str]
) -> Response:
    """A request that is refused, whatever it asks for."""
    return protected_response(encode_refusal(executor.refuse(error)), status, body_type(accept), headers)


def protected_response(
    content: bytes, status: int, media_type: str | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """An answer with the headers by which browsers protect it."""
    response = Response(content, status, headers, media_type)
    response.raw_headers.extend(ALL_HEADERS)
    return response


def _status(fault: Fault, media_type: MediaType) -> int:
    match fault:
        case Fault.REQUEST:
            return 400
        case Fault.SERVICE:
            return 500
        case Fault.DOCUMENT:
            return 400 if media_type is MediaType.GRAPHQL_RESPONSE else 200
