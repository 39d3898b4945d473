"""Results over HTTP as they come: Server-Sent Events and multipart."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from starlette.responses import StreamingResponse
from starlette.types import Send

from kvs_graphql.service import Service


class ResultStream(StreamingResponse):
    """The chunks made of an operation's results; nothing of either is left, however the stream ends.

    Strawberry closes the chunks, and leaves the results behind them to the garbage collector; Starlette leaves both,
    where the client is gone while it is being sent to.
    """

    body_iterator: AsyncGenerator[str, None]
    results: AsyncGenerator[Any, None]
    """What the chunks are made of; to be set before the response is sent."""

    def __init__(self, chunks: AsyncGenerator[str, None], service: Service, headers: Mapping[str, str]) -> None:
        super().__init__(self._while_running(chunks), headers=headers)
        self._service = service

    async def stream_response(self, send: Send) -> None:
        async with aclosing(self.body_iterator):
            await super().stream_response(send)

    async def _while_running(self, chunks: AsyncGenerator[str, None]) -> AsyncGenerator[str, None]:
        """Cut the stream off when the service stops: an end that was announced would keep clients from coming back."""
        async with aclosing(self.results), aclosing(chunks):
            async for chunk in chunks:
                if self._service.stopping:
                    return
                yield chunk
