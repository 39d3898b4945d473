"""GraphQL client for the commands: queries over POST, subscriptions over Server-Sent Events."""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import orjson
from httpx_sse import EventSource, SSEError

from kvs_graphql.backoff import Backoff
from kvs_graphql.errors import BadSetting, RemoteError, Unreachable

_SECONDS_MAX = 30.0
_FIRST_RETRY_SECONDS = 0.5
_RETRY_SECONDS_MAX = 10.0
# The service sends a comment at least every 20 s by default; longer silence means a dead connection.
_SILENCE_SECONDS_MAX = 45.0
_UNDECODABLE = "UNDECODABLE"

# Not a flag: flags show in the list of processes.
_TOKEN_VARIABLE = "KVS_TOKEN"  # noqa: S105 - the name of a variable

Variables = dict[str, Any]


class Client:
    """Client of the service at one URL. Use `connect` to make one."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def execute(self, query: str, variables: Variables | None = None) -> Any:
        """Run a query or mutation and return its `data`, in which the errors of values stand in place of these.

        Raises:
            RemoteError: The response contains other errors than UNDECODABLE.
            Unreachable: There was no response, or not one of this service.
        """
        return _data(await self.post(query, variables))

    async def post(self, query: str, variables: Variables | None = None) -> Any:
        """Run a query or mutation and return the whole response: `data` and, if there are any, `errors`.

        Raises:
            Unreachable: There was no response, or it was not JSON.
        """
        request = {"query": query, "variables": variables or {}}
        try:
            response = await self._http.post("/graphql", json=request)
            return response.json()
        except (httpx.HTTPError, ValueError) as error:
            raise self._unreachable(error) from error

    async def subscribe(self, query: str, variables: Variables | None = None) -> AsyncGenerator[Any, None]:
        """Yield the `data` of each event of a subscription until the service ends it, as `execute` returns it.

        Raises:
            RemoteError: The response contains other errors than UNDECODABLE.
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
        self,
        ask: Callable[[], Awaitable[tuple[str, Variables]]],
        cursor: Callable[[Any], str],
        on_loss: Callable[[Unreachable], None],
    ) -> AsyncIterator[Any]:
        """Subscribe, and after each lost connection resume `after` the last event's cursor, without gap or duplicate.

        `ask` gives the subscription and its variables, each time anew, since the service's schema may be another one.
        `cursor` reads the cursor of an event; `on_loss` is called for each lost connection.

        Raises:
            RemoteError: The response contains errors that a retry would not fix.
        """
        position: Variables = {}
        backoff = Backoff(_FIRST_RETRY_SECONDS, _RETRY_SECONDS_MAX)
        while True:
            try:
                query, variables = await ask()
                async for data in self.subscribe(query, variables | position):
                    position = {"after": cursor(data), "snapshot": False}
                    backoff.reset()
                    yield data
            except Unreachable as loss:
                on_loss(loss)
            except RemoteError as error:
                if error.remote_code != "UNAVAILABLE":
                    raise
            await asyncio.sleep(backoff.next_pause())

    def _unreachable(self, error: Exception) -> Unreachable:
        return Unreachable(f"No kvs-graphql service answers at {self._http.base_url}: {error or type(error).__name__}")


@asynccontextmanager
async def connect(url: str) -> AsyncIterator[Client]:
    """Yield a client of the service at `url`, such as `http://127.0.0.1:8000`, with the token in `KVS_TOKEN`, if any.

    Raises:
        BadSetting: The URL is none, or the token is none.
    """
    token = os.environ.get(_TOKEN_VARIABLE, "")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise BadSetting(f"{_TOKEN_VARIABLE}: not a token")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        http = httpx.AsyncClient(base_url=url, timeout=_SECONDS_MAX, headers=headers)
    except httpx.InvalidURL as error:
        raise BadSetting(f"KVS_URL={url}: {error}") from error
    async with http:
        yield Client(http)


def _data(answer: Any) -> Any:
    match answer:
        case {"errors": [*errors], "data": dict(data)} if errors and all(map(_is_of_value, errors)):
            for error in errors:
                _put(data, error["path"], RemoteError(str(error["message"]), remote_code=_UNDECODABLE))
            return data
        case {"errors": [{"message": str(message), "extensions": {"code": str(code)}}, *_]}:
            raise RemoteError(message, remote_code=code)
        case {"errors": [{"message": str(message)}, *_]}:
            raise RemoteError(message, remote_code=None)
        case {"data": dict(data)}:
            return data
    raise Unreachable("The response is not from a kvs-graphql service.")


def _is_of_value(error: Any) -> bool:
    """Whether an error says that one value cannot be decoded."""
    match error:
        case {"message": str(), "path": [_, *_], "extensions": {"code": code}}:
            return bool(code == _UNDECODABLE)
    return False


def _put(data: Any, path: list[str | int], error: RemoteError) -> None:
    """Put an error in place of the null that it made, which may be of something around it."""
    for name in path:
        if data[name] is None:
            data[name] = error
        if isinstance(data[name], RemoteError):
            return
        data = data[name]
