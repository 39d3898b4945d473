import asyncio
from collections.abc import AsyncIterator
from typing import Any

from gql import Client, gql
from gql.transport.aiohttp import AIOHTTPTransport
from gql.transport.aiohttp_websockets import AIOHTTPWebsocketsTransport
from gql.transport.exceptions import TransportConnectionFailed
from gql.transport.websockets import WebsocketsTransport

PAUSE_SECONDS = 0.1

UPDATES = """
subscription ($keys: [String!], $after: Cursor) {
  updates(keys: $keys, after: $after, progress: true) { kind key cursor entry { value } }
}
"""


def over_websockets(url: str) -> Client:
    """For everything, with the library websockets."""
    return Client(transport=WebsocketsTransport(url=url.replace("http", "ws", 1)))


def over_aiohttp(url: str) -> Client:
    """For queries and mutations."""
    return Client(transport=AIOHTTPTransport(url=url))


def over_aiohttp_websockets(url: str) -> Client:
    """For everything, with the WebSockets of aiohttp."""
    return Client(transport=AIOHTTPWebsocketsTransport(url=url.replace("http", "ws", 1)))


async def updates(client: Client, keys: list[str]) -> AsyncIterator[dict[str, Any]]:
    """Watch keys; where the connection is lost, go on after the last update."""
    after = None
    while True:
        request = gql(UPDATES)
        request.variable_values = {"keys": keys, "after": after}
        try:
            async with client as session:
                async for result in session.subscribe(request):
                    after = result["updates"]["cursor"]
                    yield result["updates"]
                return
        except (TransportConnectionFailed, OSError):
            await asyncio.sleep(PAUSE_SECONDS)
