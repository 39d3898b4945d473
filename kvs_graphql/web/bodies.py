"""The bodies of responses that are sent in parts, as long as there are results."""

import asyncio
from contextlib import nullcontext

from starlette.types import Send

from kvs_graphql.service import Flush
from kvs_graphql.web.direct import DirectExchange


class StreamBody:
    """The body of one such response, to which several operations may write."""

    def __init__(self, send: Send, writer: DirectExchange | None) -> None:
        self._send = send
        self._writer = writer
        self._turn = asyncio.Lock()

    def write(self, *parts: bytes) -> Flush | None:
        """Take a chunk without waiting, to be sent by the flush returned; None where there is no room."""
        return None if self._writer is None else self._writer.write(*parts)

    async def send(self, *parts: bytes) -> None:
        """Send a chunk, waiting for the client and for others where necessary.

        What waits counts as an answer that the client does not read. It is held once, if the caller keeps none of it.
        """
        flush = self.write(*parts)
        if flush is not None:
            flush()
            return
        waiting = nullcontext() if self._writer is None else self._writer.waiting(sum(map(len, parts)))
        # The server would take from all who wait at once as soon as there is room for one.
        with waiting:
            async with self._turn:
                chunk = b"".join(parts)
                del parts
                await self._send({"type": "http.response.body", "body": chunk, "more_body": True})

    async def end(self, *parts: bytes) -> None:
        """Send the last chunk, which may be empty."""
        await self._send({"type": "http.response.body", "body": b"".join(parts), "more_body": False})
