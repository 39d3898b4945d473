"""Requests of GraphQL over HTTP: read from a body or from an address, and checked for their form."""

from collections.abc import Mapping
from types import NoneType
from typing import Any, NamedTuple, NoReturn
from urllib.parse import parse_qs

import orjson
from starlette.exceptions import HTTPException
from starlette.types import Receive

from kvs_graphql.executor import PreparedOperation, Request
from kvs_graphql.web.negotiation import is_json

_JSON = "application/json"
_JSON_BYTES = _JSON.encode()
_ID = "operationId"
_TEXTS = ("query", "operationName", "documentId")
# A union made anew for every request would cost as much as all of its checks.
_TEXT, _OBJECT = (str, NoneType), (dict, NoneType)


class Identified(NamedTuple):
    """A request whose results are told from those of others by an id."""

    request: Request
    operation_id: str


class BatchRefused(HTTPException):
    """A body has a list of requests instead of one."""

    def __init__(self, requests: int) -> None:
        super().__init__(400, "Batches of requests are not supported: send each request on its own.")
        self.requests = requests


async def read_body(receive: Receive, bytes_max: int) -> bytes:
    """The body of a request; of one that is too long, no more than shows that.

    Raises:
        HTTPException: 400: The client left before its end.
    """
    parts, size, more = list[bytes](), 0, True
    while more and size <= bytes_max:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise HTTPException(400, "The request ended before its body did.")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        more = message.get("more_body", False)
    return b"".join(parts)


def request_of_body(body: bytes, fields: Mapping[bytes, bytes], bytes_max: int) -> Request:
    """The request in a body.

    Raises:
        HTTPException: 400: It is none. 413: It has more bytes than allowed. 415: It is not JSON.
    """
    return _request(_asked_in_body(body, fields, bytes_max))


def request_of_address(query_string: bytes) -> Request:
    """The request in the parameters of an address; an empty one is as good as none.

    Raises:
        HTTPException: 400: It is none.
    """
    return _request(_asked_in_address(query_string))


def identified_request_of_body(body: bytes, fields: Mapping[bytes, bytes], bytes_max: int) -> Identified:
    """The request in a body, and its id.

    Raises:
        HTTPException: 400: It is none, or has no id. 413: It has more bytes than allowed. 415: It is not JSON.
    """
    return _identified(_asked_in_body(body, fields, bytes_max))


def identified_request_of_address(query_string: bytes) -> Identified:
    """The request in the parameters of an address, and its id.

    Raises:
        HTTPException: 400: It is none, or has no id.
    """
    return _identified(_asked_in_address(query_string))


def operation_id_of_address(query_string: bytes) -> str:
    """The id of an operation as a parameter. Raises: HTTPException: 400: There is none."""
    return _parameters(query_string).get(_ID) or _without_id(f"The parameter `{_ID}` is missing.")


def check_method(prepared: PreparedOperation, method: str) -> None:
    """Raises: HTTPException: 405: The operation is a mutation, and comes by GET, which other sites' pages can send."""
    if prepared.is_mutation and method == "GET":
        raise HTTPException(405, "Mutations need POST.", {"Allow": "POST"})


def checked_request(asked: dict[str, Any]) -> Request | str:
    """The request with these members, on any transport; or what is wrong with them. Null is as good as absent."""
    query, variables, name = asked.get("query"), asked.get("variables"), asked.get("operationName")
    extensions = asked.get("extensions")
    if not isinstance(query, _TEXT):
        return "`query` must be a string."
    if not isinstance(variables, _OBJECT):
        return "`variables` must be a JSON object."
    if not isinstance(name, _TEXT):
        return "`operationName` must be a string."
    if not isinstance(extensions, _OBJECT):
        return "`extensions` must be a JSON object."
    if not query and (document_id := _document_id(asked, extensions)) is not None:
        return Request(None, variables, name, document_id)
    return Request(query, variables, name)


def _identified(asked: Any) -> Identified:
    request = _request(asked)
    operation_id = (asked.get("extensions") or {}).get(_ID)
    if not isinstance(operation_id, str) or not operation_id:
        _without_id(f"`extensions.{_ID}` must be a string, and not empty.")
    return Identified(request, operation_id)


def _without_id(message: str) -> NoReturn:
    raise HTTPException(400, message)


def _document_id(asked: dict[str, Any], extensions: dict[str, Any] | None) -> str | None:
    """The id of a document, in the words of GraphQL over HTTP, or of automatic persisted queries."""
    document_id, persisted = asked.get("documentId"), (extensions or {}).get("persistedQuery")
    if document_id is None and persisted is not None:
        document_id = persisted.get("sha256Hash") if isinstance(persisted, dict) else ""
        return document_id if isinstance(document_id, str) else ""
    return document_id if isinstance(document_id, str) else None


def _request(asked: Any) -> Request:
    if isinstance(asked, list):
        raise BatchRefused(len(asked))
    if not isinstance(asked, dict):
        raise HTTPException(400, "The request is not a JSON object.")
    request = checked_request(asked)
    if isinstance(request, str):
        raise HTTPException(400, request)
    return request


def _asked_in_body(body: bytes, fields: Mapping[bytes, bytes], bytes_max: int) -> Any:
    if len(body) > bytes_max:
        raise HTTPException(413, f"The request is larger than the limit of {bytes_max} bytes.")
    content_type = fields.get(b"content-type", b"")
    if content_type != _JSON_BYTES and not is_json(content_type.decode("latin-1")):
        raise HTTPException(415, f"The content type must be {_JSON}, in UTF-8.")
    return _json(body, "The request")


def _asked_in_address(query_string: bytes) -> dict[str, Any]:
    given = _parameters(query_string)
    asked: dict[str, Any] = {name: given[name] for name in _TEXTS if name in given}
    for name in ("variables", "extensions"):
        if name in given:
            asked[name] = _json(given[name], f"`{name}`")
    return asked


def _parameters(query_string: bytes) -> dict[str, str]:
    parameters = parse_qs(query_string.decode(errors="replace"), keep_blank_values=True)
    return {name: values[-1] for name, values in parameters.items() if values[-1]}


def _json(text: bytes | str, what: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise HTTPException(400, f"{what} is not valid JSON.") from None
