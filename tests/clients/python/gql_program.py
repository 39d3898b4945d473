"""gql over "websockets" or "aiohttp", with the URL of the service as the second argument."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

from gql import Client, gql

from tests.clients.python.commands import obey
from tests.clients.python.gql_setup import over_aiohttp, over_aiohttp_websockets, over_websockets, updates

QUERY = "query ($key: String!) { value(key: $key) { value } }"
SET = "mutation ($key: String!, $value: String!) { set(key: $key, value: $value) { entry { value } } }"
DELETE = "mutation ($key: String!) { delete(key: $key) { entryId } }"

Connect = Callable[[str], Client]
TRANSPORTS: dict[str, tuple[Connect, Connect]] = {
    "websockets": (over_websockets, over_websockets),
    "aiohttp": (over_aiohttp, over_aiohttp_websockets),
}
"""For queries and mutations, and for subscriptions."""


class Gql:
    """The operations, each on a connection of its own."""

    def __init__(self, url: str, requests: Connect, subscriptions: Connect) -> None:
        self._url = url
        self._requests = requests
        self._subscriptions = subscriptions

    async def _execute(self, document: str, **variables: str) -> dict[str, Any]:
        request = gql(document)
        request.variable_values = variables
        async with self._requests(self._url) as session:
            answer: dict[str, Any] = await session.execute(request)
            return answer

    async def query(self, key: str) -> str | None:
        return _value((await self._execute(QUERY, key=key))["value"])

    async def set(self, key: str, value: str) -> str | None:
        return _value((await self._execute(SET, key=key, value=value))["set"]["entry"])

    async def delete(self, key: str) -> None:
        await self._execute(DELETE, key=key)

    async def updates(self, key: str) -> AsyncIterator[tuple[str, str | None]]:
        async with aclosing(updates(self._subscriptions(self._url), [key])) as found:  # type: ignore[type-var]
            async for update in found:
                yield update["kind"], _value(update["entry"])


def _value(entry: dict[str, str] | None) -> str | None:
    return None if entry is None else entry["value"]


if __name__ == "__main__":
    transport, url = sys.argv[1:]
    asyncio.run(obey(Gql(url, *TRANSPORTS[transport])))
