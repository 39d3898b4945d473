"""Serving a client without waiting: what the server offers and the transports use."""

from contextlib import AbstractContextManager
from typing import Protocol

from starlette.types import Scope

from kvs_graphql.service import Flush

DIRECT_EXTENSION = "kvs_graphql.direct"
"""The name of a `DirectExchange` or `MessageWriter` among the extensions of an ASGI scope."""
_ADDED_TO = "kvs_graphql.added_to"


class DirectWriter(Protocol):
    """Writes to one client without waiting."""

    def write(self, *parts: bytes) -> Flush | None:
        """Take one WebSocket text message in UTF-8, or one chunk of a response body, given in parts.

        Call the returned function soon, before anything else is sent to this client: it sends everything taken
        since the last call. Return None if there is no room, if the connection is not open, or if the response has not
        begun, has ended, or is not sent in chunks; then send through ASGI, which waits.
        """
        ...


class DirectExchange(DirectWriter, Protocol):
    """One HTTP request and its answer."""

    def take_body(self) -> bytes | None:
        """Take the whole body of the request, once; None where it has not arrived: then receive it through ASGI."""
        ...

    def answer(self, status: int, fields: bytes, body: bytes) -> bool:
        """Send a whole answer; `fields` are the lines of its header fields, its content-length among them.

        Return False if that has to wait, or the answer has begun; then send through ASGI.
        """
        ...

    def waiting(self, waiting_bytes: int) -> AbstractContextManager[None]:
        """Count so many bytes as an answer that the client does not read, while the context is open."""
        ...


def exchange_of(scope: Scope) -> DirectExchange | None:
    """What the server offers for a request; None where it offers nothing."""
    extensions = scope.get("extensions")
    return None if extensions is None else extensions.get(DIRECT_EXTENSION)


def answers_directly(scope: Scope) -> bool:
    """Whether nothing is added to the answer on its way."""
    return _ADDED_TO not in scope


def add_to_answers(scope: Scope) -> None:
    """Make the answer to a request pass through ASGI, where a middleware adds to it."""
    scope[_ADDED_TO] = True


class MessageWriter(DirectWriter, Protocol):
    """Writes to the client of one WebSocket."""

    async def room(self, waiting_bytes: int) -> bool:
        """Wait until a message can be written; return False if none can be any more, for the client is gone.

        What waits, of so many bytes, counts as an answer that the client does not read.
        """
        ...
