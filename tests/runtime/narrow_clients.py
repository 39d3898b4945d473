"""Clients with small receive buffers, which read from the network only when the test asks for more."""

import asyncio
import re
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from typing import Any

import httpx
import orjson
from aiokafka import AIOKafkaProducer
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from tests.serving import Pair, Served, ServedTopic
from tests.transports import TRANSPORT_WS, send, subscribe

DOCUMENT = """subscription($after: Cursor, $snapshot: Boolean! = false) {
  updates(after: $after, snapshot: $snapshot) { kind key cursor entry { value } }
}"""
RECEIVE_BUFFER_BYTES = 2**16
VALUE_BYTES = 1024
KEYS = 10
CHANGES = 1000
AT_ONCE = 100
SMALL: dict[str, Any] = {"feed_changes_max": 4 * AT_ONCE, "window_changes_max": 100, "watch_page_updates_max": 10}

Updates = AsyncGenerator[dict[str, Any], None]
Client = Callable[..., AbstractAsyncContextManager[Updates]]


def narrow(served: Served) -> tuple[socket.socket, httpx.URL]:
    """A connection with a small receive buffer."""
    url = httpx.URL(served.run.url)
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
    connection.connect((url.host, url.port))
    connection.setblocking(False)
    return connection, url


@asynccontextmanager
async def websocket(served: Served, **variables: Any) -> AsyncIterator[Updates]:
    """A WebSocket that reads from the network only when the next message is asked for."""
    connection, url = narrow(served)
    address = str(url.copy_with(scheme="ws", path="/graphql"))
    options: dict[str, Any] = {"max_queue": 1, "ping_interval": None, "close_timeout": 0, "proxy": None}
    async with connect(address, sock=connection, subprotocols=[Subprotocol(TRANSPORT_WS)], **options) as opened:
        await send(opened, type="connection_init")
        await opened.recv()
        await subscribe(opened, "1", DOCUMENT, **variables)

        async def updates() -> Updates:
            while True:
                yield orjson.loads(await opened.recv())["payload"]["data"]["updates"]

        async with aclosing(updates()) as opened_updates:
            yield opened_updates


@asynccontextmanager
async def sse(served: Served, **variables: Any) -> AsyncIterator[Updates]:
    """An event stream that reads from the network only when the next line is asked for."""
    connection, url = narrow(served)
    reader, writer = await asyncio.open_connection(sock=connection, limit=2 * VALUE_BYTES)
    body = orjson.dumps({"query": DOCUMENT, "variables": variables})
    head = f"POST /graphql HTTP/1.1\r\nhost: {url.host}\r\naccept: text/event-stream\r\n"
    writer.write(f"{head}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)

    async def updates() -> Updates:
        async for line in reader:
            # Ignore a last line that was cut.
            if line.startswith(b"data: {") and line.endswith(b"\n"):
                yield orjson.loads(line.removeprefix(b"data: "))["data"]["updates"]
        raise ConnectionResetError

    try:
        async with aclosing(updates()) as opened_updates:
            yield opened_updates
    finally:
        writer.transport.abort()


def changes() -> list[Pair]:
    return [(b"%d" % (number % KEYS), b"%0*d" % (VALUE_BYTES, number)) for number in range(CHANGES)]


async def change_much(topic: ServedTopic) -> None:
    """Produce all changes, step by step as the service applies them, so that a client that reads keeps up."""
    many = changes()
    async with AIOKafkaProducer(bootstrap_servers=topic.bootstrap_servers, linger_ms=5) as producer:
        for start in range(0, CHANGES, AT_ONCE):
            sent = [await producer.send(topic.name, value, key, 0) for key, value in many[start : start + AT_ONCE]]
            await topic.served.applied(((await sent[-1]).offset + 1,))


def table() -> dict[str, str]:
    return {key.decode(): value.decode() for key, value in changes() if key and value}


async def live(updates: Updates) -> str:
    """Read the end of the snapshot of an empty topic, and return its cursor."""
    update = await anext(updates)
    assert update["kind"] == "LIVE"
    return str(update["cursor"])


async def converged(updates: Updates, held: dict[str, str]) -> None:
    """Apply updates to a table until it equals the topic's."""
    truth = table()
    async for update in updates:
        if update["entry"]:
            held[update["key"]] = update["entry"]["value"]
        if held == truth:
            return


async def disconnected(served: Served, reason: str = "slow") -> float:
    """The number of clients that were disconnected for that reason."""
    metrics = (await served.http.get("/metrics")).text
    found = re.search(rf'kvs_clients_disconnected_total{{reason="{reason}"}} (.*)', metrics)
    return float(found.group(1)) if found else 0
