"""Requests of GraphQL over HTTP: read from a body or from an address, and checked for their form."""

from types import NoneType
from typing import Any
from urllib.parse import parse_qs

import orjson
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive

from kvs_graphql.executor import Request
from kvs_graphql.web.negotiation import is_json

_JSON = "application/json"
# A union made anew for every request would cost as much as all of its checks.
_TEXT, _OBJECT = (str, NoneType), (dict, NoneType)


async def read_body(first: Message, receive: Receive, bytes_max: int) -> Message:
    """One message with the body of a request that comes in several.

    Raises:
        HTTPException: 413: It has more bytes than allowed. 400: The client left before its end.
    """
    parts, size, message = [first.get("body", b"")], len(first.get("body", b"")), first
    while message.get("more_body") and size <= bytes_max:
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
    if message["type"] == "http.disconnect":
        raise HTTPException(400, "The request ended before its body did.")
    return {"body": b"".join(parts)}


def request_of_body(body: bytes, content_type: str, bytes_max: int) -> Request:
    """The request in a body.

    Raises:
        HTTPException: 400: It is none. 413: It has more bytes than allowed. 415: It is not JSON.
    """
    if len(body) > bytes_max:
        raise HTTPException(413, f"The request is larger than the limit of {bytes_max} bytes.")
    if content_type != _JSON and not is_json(content_type):
        raise HTTPException(415, f"The content type must be {_JSON}, in UTF-8.")
    return _request(_json(body, "The request"))


def request_of_address(query_string: bytes) -> Request:
    """The request in the parameters of an address.

    Raises:
        HTTPException: 400: It is none.
    """
    parameters = parse_qs(query_string.decode(errors="replace"), keep_blank_values=True)
    given = {name: values[-1] for name, values in parameters.items()}
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
    query, variables, name = asked.get("query"), asked.get("variables"), asked.get("operationName")
    if not isinstance(query, _TEXT):
        raise HTTPException(400, "`query` must be a string.")
    if not isinstance(variables, _OBJECT):
        raise HTTPException(400, "`variables` must be a JSON object.")
    if not isinstance(name, _TEXT):
        raise HTTPException(400, "`operationName` must be a string.")
    if not isinstance(asked.get("extensions"), _OBJECT):
        raise HTTPException(400, "`extensions` must be a JSON object.")
    return Request(query, variables, name)


def _json(text: bytes | str, what: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise HTTPException(400, f"{what} is not valid JSON.") from None
