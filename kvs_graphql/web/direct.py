"""Writing to a client without waiting: what the server offers and the transports use."""

from typing import Protocol

from kvs_graphql.service import Flush

DIRECT_EXTENSION = "kvs_graphql.direct"
"""The name of a `DirectWriter` among the extensions of an ASGI scope."""


class DirectWriter(Protocol):
    """Writes to one client without waiting."""

    def write(self, *parts: bytes) -> Flush | None:
        """Take one WebSocket text message in UTF-8, or one chunk of a response body, given in parts.

        Call the returned function soon, before anything else is sent to this client: it sends everything taken
        since the last call. Return None if there is no room, if the connection is not open, or if the response has not
        begun, has ended, or is not sent in chunks; then send through ASGI, which waits.
        """
        ...


class MessageWriter(DirectWriter, Protocol):
    """Writes to the client of one WebSocket."""

    async def room(self, waiting_bytes: int) -> bool:
        """Wait until a message can be written; return False if none can be any more, for the client is gone.

        What waits, of so many bytes, counts as an answer that the client does not read.
        """
        ...
