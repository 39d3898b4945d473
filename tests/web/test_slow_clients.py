"""Clients that stop reading cost a bounded buffer, delay nobody, and are disconnected in the end."""

import asyncio
import re
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from aiokafka import AIOKafkaProducer
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from kvs_graphql.demo.broker import EmbeddedBroker
from tests.api.test_values import Holding, Pair, holding
from tests.serving import Served
from tests.transports import TRANSPORT_WS, WEBSOCKET, send, subscribe, until_active

DOCUMENT = """subscription($after: Cursor, $snapshot: Boolean! = false) {
  updates(after: $after, snapshot: $snapshot) { kind key cursor entry { value } }
}"""
RECEIVE_BUFFER_BYTES = 4096
VALUE_BYTES = 1024
KEYS = 10
CHANGES = 1000
AT_ONCE = 100
NEVER_SECONDS = 3600
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


@pytest.fixture(params=[websocket, sse])
def client(request: pytest.FixtureRequest) -> Client:
    chosen: Client = request.param
    return chosen


def changes() -> list[Pair]:
    return [(b"%d" % (number % KEYS), b"%0*d" % (VALUE_BYTES, number)) for number in range(CHANGES)]


async def change_much(held: Holding) -> None:
    """Produce all changes, step by step as the service applies them, so that a client that reads keeps up."""
    many = changes()
    async with AIOKafkaProducer(bootstrap_servers=held.bootstrap_servers, linger_ms=5) as producer:
        for start in range(0, CHANGES, AT_ONCE):
            sent = [await producer.send(held.topic, value, key, 0) for key, value in many[start : start + AT_ONCE]]
            await held.served.applied(((await sent[-1]).offset + 1,))


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


async def test_client_that_stops_reading_delays_nobody_and_converges_when_it_reads_again(
    embedded_broker: EmbeddedBroker, tmp_path: Path, client: Client
) -> None:
    async with (
        asyncio.timeout(60),
        holding(embedded_broker, tmp_path, **SMALL, slow_client_seconds_max=NEVER_SECONDS) as held,
        client(held.served, snapshot=True) as stalled,
        WEBSOCKET(held.served, "subscription { updates(progress: true) { offset } }") as others,
    ):
        await live(stalled)
        assert await anext(others) == {"data": {"updates": {"offset": None}}}
        await change_much(held)
        offset = None
        while offset != CHANGES - 1:
            offset = (await anext(others))["data"]["updates"]["offset"]
        await converged(stalled, {})
        assert await disconnected(held.served) == 0


async def test_client_that_stops_reading_is_sent_no_more_than_the_buffers_hold(
    embedded_broker: EmbeddedBroker, tmp_path: Path, client: Client
) -> None:
    limits: dict[str, Any] = {"send_buffer_bytes_max": 32 * VALUE_BYTES, "slow_client_seconds_max": NEVER_SECONDS}
    async with (
        asyncio.timeout(60),
        holding(embedded_broker, tmp_path, **SMALL, **limits) as held,
        client(held.served, snapshot=True) as stalled,
    ):
        await live(stalled)
        await change_much(held)
        buffered = 0
        while (await anext(stalled))["kind"] == "SET":
            buffered += 1
        # The buffers of the process and of the kernel, each with one message over its limit; and those of the test.
        assert 32 <= buffered <= 2 * 33 + 30


async def test_client_that_stays_slow_is_disconnected_and_resumes_from_its_last_cursor(
    embedded_broker: EmbeddedBroker, tmp_path: Path, client: Client
) -> None:
    async with asyncio.timeout(60), holding(embedded_broker, tmp_path, **SMALL, slow_client_seconds_max=0.3) as held:
        mine: dict[str, str] = {}
        async with client(held.served, snapshot=True) as stalled:
            cursor = await live(stalled)
            await change_much(held)
            await until_active(held.served.http, 0)
            assert await disconnected(held.served) == 1
            with pytest.raises((ConnectionClosed, ConnectionResetError)):
                async for update in stalled:
                    assert update["kind"] == "SET"
                    mine[update["key"]], cursor = update["entry"]["value"], update["cursor"]
        assert mine != table()
        # On a machine that halts now and then, even a client that reads may be disconnected again.
        while mine != table():
            async with client(held.served, after=cursor) as resumed:
                with suppress(ConnectionClosed, ConnectionResetError):
                    async for update in resumed:
                        cursor = update["cursor"]
                        if update["entry"]:
                            mine[update["key"]] = update["entry"]["value"]
                        if mine == table():
                            break


async def test_slow_websocket_is_told_why_it_is_disconnected(embedded_broker: EmbeddedBroker, tmp_path: Path) -> None:
    limits: dict[str, Any] = {"send_buffer_bytes_max": 32 * VALUE_BYTES, "slow_client_seconds_max": 0.3}
    async with (
        asyncio.timeout(60),
        holding(embedded_broker, tmp_path, **SMALL, **limits) as held,
        websocket(held.served, snapshot=True) as stalled,
        asyncio.TaskGroup() as tasks,
    ):
        await live(stalled)
        # In the background: the reason can be read only for a while after it was sent.
        tasks.create_task(change_much(held))
        while not await disconnected(held.served):
            pass
        with pytest.raises(ConnectionClosed) as closed:
            async for _ in stalled:
                pass
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (
            1013,
            "Too slow: nothing could be sent for 0.3 s.",
        )


async def test_websocket_that_never_reads_again_is_closed(embedded_broker: EmbeddedBroker, tmp_path: Path) -> None:
    async with (
        asyncio.timeout(60),
        holding(embedded_broker, tmp_path, **SMALL, slow_client_seconds_max=0.3, websockets_max=1) as held,
        websocket(held.served, snapshot=True) as stalled,
    ):
        await live(stalled)
        await change_much(held)
        url = str(httpx.URL(held.served.run.url).copy_with(scheme="ws", path="/graphql"))
        # Refused with 503 and tried again, for as long as the first one is open.
        async for second in connect(url, subprotocols=[Subprotocol(TRANSPORT_WS)], proxy=None):
            await second.close()
            break
