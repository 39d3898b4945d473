"""Requests of GraphQL over HTTP: read from a body or from an address, and checked for their form."""

from typing import Any
from urllib.parse import parse_qs

import orjson
from starlette.exceptions import HTTPException
from starlette.types import Receive

from kvs_graphql.executor import Request

_JSON = "application/json"


async def read_body(receive: Receive, bytes_max: int) -> bytes:
    """The body of a request.

    Raises:
        HTTPException: 413: It has more bytes than allowed. 400: The client left before its end.
    """
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        return _within(body, bytes_max)
    parts, size = [body], len(body)
    while message.get("more_body"):
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > bytes_max:
            break
    if message["type"] == "http.disconnect":
        raise HTTPException(400, "The request ended before its body did.")
    return _within(b"".join(parts), bytes_max)


def request_of_body(body: bytes, content_type: str) -> Request:
    """The request in a body.

    Raises:
        HTTPException: 400: It is none. 415: It is not JSON.
    """
    if content_type.partition(";")[0].strip().lower() != _JSON:
        raise HTTPException(415, f"A request has the content type {_JSON}.")
    return _request(_json(body, "The request"))


def request_of_address(query_string: bytes) -> Request:
    """The request in the parameters of an address.

    Raises:
        HTTPException: 400: It is none.
    """
    given = {name: values[-1] for name, values in parse_qs(query_string.decode(), keep_blank_values=True).items()}
    asked: dict[str, Any] = {name: given[name] for name in ("query", "operationName") if name in given}
    for name in ("variables", "extensions"):
        if name in given:
            asked[name] = _json(given[name], f"`{name}`")
    return _request(asked)


def _request(asked: Any) -> Request:
    if isinstance(asked, list):
        raise HTTPException(400, "Batches of requests are not supported.")
    if not isinstance(asked, dict):
        raise HTTPException(400, "The request is not a JSON object.")
    for name, expected, kind in _MEMBERS:
        if not isinstance(asked.get(name), expected | None):
            raise HTTPException(400, f"`{name}` must be {kind}.")
    return Request(asked.get("query"), asked.get("variables"), asked.get("operationName"))


_MEMBERS: tuple[tuple[str, type, str], ...] = (
    ("query", str, "a string"),
    ("variables", dict, "a JSON object"),
    ("operationName", str, "a string"),
    ("extensions", dict, "a JSON object"),
)


def _json(text: bytes | str, what: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise HTTPException(400, f"{what} is not valid JSON.") from None


def _within(body: bytes, bytes_max: int) -> bytes:
    if len(body) > bytes_max:
        raise HTTPException(413, f"A request has at most {bytes_max} bytes.")
    return body
