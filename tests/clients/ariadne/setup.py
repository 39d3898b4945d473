import asyncio
from collections.abc import AsyncIterator

from kvs_client import Client
from kvs_client.updates import UpdatesUpdates
from websockets import ConnectionClosedError

PAUSE_SECONDS = 0.1


def connect(url: str) -> Client:
    return Client(url, ws_url=url.replace("http", "ws", 1))


async def updates(client: Client, keys: list[str]) -> AsyncIterator[UpdatesUpdates]:
    """Watch keys; where the connection is lost, go on after the last update."""
    after = None
    while True:
        try:
            async for result in client.updates(keys=keys, after=after):
                after = result.updates.cursor
                yield result.updates
        except (ConnectionClosedError, OSError):
            await asyncio.sleep(PAUSE_SECONDS)
        else:
            return
