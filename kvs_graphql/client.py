"""A GraphQL client of a running service, for the commands: queries by POST, subscriptions by Server-Sent Events."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import orjson
from httpx_sse import EventSource, SSEError

from kvs_graphql.errors import RemoteError, Unreachable

_SECONDS_MAX = 30.0
_RETRY_SECONDS_MAX = 10.0
# A server sends a comment at least every 15 s; silence for longer than this is a dead connection.
_SILENCE_SECONDS_MAX = 45.0

Variables = dict[str, Any]


class Client:
    """A connection to the service at one URL. Made by `connect`."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def execute(self, query: str, variables: Variables | None = None) -> Any:
        """The `data` of a query or mutation.

        Raises:
            RemoteError: The service answered with errors.
            Unreachable: It did not answer, or not as this service does.
        """
        return _data(await self.answer(query, variables))

    async def answer(self, query: str, variables: Variables | None = None) -> Any:
        """What the service answers, as it is: `data`, and `errors` where there are some.

        Raises:
            Unreachable: It did not answer, or not with JSON.
        """
        request = {"query": query, "variables": variables or {}}
        try:
            response = await self._http.post("/graphql", json=request)
            return response.json()
        except (httpx.HTTPError, ValueError) as error:
            raise self._unreachable(error) from error

    async def subscribe(self, query: str, variables: Variables | None = None) -> AsyncIterator[Any]:
        """The `data` of each event of a subscription, until the service ends it.

        Raises:
            RemoteError: The service answered with errors.
            Unreachable: The connection failed, at the start or later.
        """
        request = {"query": query, "variables": variables or {}}
        headers = {"Accept": "text/event-stream"}
        timeout = httpx.Timeout(_SECONDS_MAX, read=_SILENCE_SECONDS_MAX)
        try:
            async with self._http.stream(
                "POST", "/graphql", json=request, headers=headers, timeout=timeout
            ) as response:
                if not response.headers.get("content-type", "").startswith("text/event-stream"):
                    _data(orjson.loads(await response.aread()))
                async for event in EventSource(response).aiter_sse():
                    if event.event == "complete":
                        return
                    if event.event == "next":
                        yield _data(event.json())
        except (httpx.HTTPError, SSEError, ValueError) as error:
            raise self._unreachable(error) from error

    async def resume(
        self, query: str, variables: Variables, cursor: Callable[[Any], str], on_loss: Callable[[Unreachable], None]
    ) -> AsyncIterator[Any]:
        """A subscription that goes on where it was cut off: `after` the last event's cursor, without gap or repeat.

        Raises:
            RemoteError: The service answered with errors that asking again does not cure.
        """
        place: Variables = {}
        pause = 0.0
        while True:
            try:
                async for data in self.subscribe(query, variables | place):
                    place, pause = {"after": cursor(data), "snapshot": False}, 0.0
                    yield data
            except Unreachable as loss:
                on_loss(loss)
            except RemoteError as error:
                if error.remote_code != "UNAVAILABLE":
                    raise
            await asyncio.sleep(pause)
            pause = min(_RETRY_SECONDS_MAX, max(0.5, pause * 2))

    def _unreachable(self, error: Exception) -> Unreachable:
        return Unreachable(f"No kvs-graphql answers at {self._http.base_url}: {error or type(error).__name__}")


@asynccontextmanager
async def connect(url: str) -> AsyncIterator[Client]:
    """A client of the service at `url`, such as `http://127.0.0.1:8000`."""
    async with httpx.AsyncClient(base_url=url, timeout=_SECONDS_MAX) as http:
        yield Client(http)


def _data(answer: Any) -> Any:
    match answer:
        case {"errors": [{"message": str(message), "extensions": {"code": str(code)}}, *_]}:
            raise RemoteError(message, remote_code=code)
        case {"errors": [{"message": str(message)}, *_]}:
            raise RemoteError(message, remote_code=None)
        case {"data": dict(data)}:
            return data
    raise Unreachable("What answers there is not a kvs-graphql service.")
