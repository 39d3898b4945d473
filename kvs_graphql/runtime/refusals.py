"""Responses to requests that the application never gets, in the same form as its own errors."""

from http import HTTPStatus

import orjson

from kvs_graphql.errors import BadInput, KvsError, LimitExceeded, Unavailable
from kvs_graphql.metrics import Metrics
from kvs_graphql.web.protection import ALL_HEADERS

RETRY_SECONDS = 10
"""When a client that found no free slot may try again."""

PROTECTION = {name.decode(): value.decode() for name, value in ALL_HEADERS}

_FAILED = Unavailable("The service failed, or it stopped before it could answer.")

_PROTECTION_LINES = "".join(f"{name}: {value}\r\n" for name, value in PROTECTION.items())


class Refusals:
    """Makes the responses of one server, and counts their errors; each one made is sent."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def over(self, status: HTTPStatus, setting: str, limit: float, message: str) -> bytes:
        """Return the response to a request over the limit of a setting."""
        return self._response(status, LimitExceeded(message, limit=limit, setting=setting))

    def no_slot(self, error: LimitExceeded) -> bytes:
        """Return the response on a connection that has no slot."""
        return self._response(HTTPStatus.SERVICE_UNAVAILABLE, error, f"retry-after: {RETRY_SECONDS}\r\n")

    def not_http(self) -> bytes:
        """Return the response to what is not HTTP/1.1, or not a handshake of a WebSocket."""
        error = BadInput("Not a request in HTTP/1.1, or a handshake that is too long.")
        return self._response(HTTPStatus.BAD_REQUEST, error)

    def failed(self) -> tuple[list[tuple[bytes, bytes]], bytes]:
        """Return the headers and the body of the response to a request that the application did not answer."""
        return [(b"content-type", b"application/json"), *ALL_HEADERS], self.body(_FAILED)

    def body(self, error: KvsError) -> bytes:
        """Return the body of a response."""
        self._metrics.count_error(error.code)
        extensions = {"code": error.code, **error.details}
        return orjson.dumps({"errors": [{"message": str(error), "extensions": extensions}]})

    def _response(self, status: HTTPStatus, error: KvsError, headers: str = "") -> bytes:
        body = self.body(error)
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/json\r\n"
            f"{_PROTECTION_LINES}"
            f"content-length: {len(body)}\r\n{headers}connection: close\r\n\r\n"
        )
        return head.encode() + body
