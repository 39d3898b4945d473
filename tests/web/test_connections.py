"""However a subscription ends, nothing of it is left; clients of a stopping service go on elsewhere."""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.state import State
from tests.deadline import SECONDS_MAX
from tests.runtime.narrow_clients import SMALL, Client, change_much, live
from tests.runtime.narrow_clients import sse as narrow_sse
from tests.runtime.narrow_clients import websocket as narrow_websocket
from tests.serving import Served, serving_topic
from tests.transports import SSE, open_socket, receive, send, subscribe, until_active

EVERYTHING = "subscription { updates(progress: true) { kind cursor } }"
ONE: dict[str, Any] = {"subscriptions_max": 1, "shutdown_seconds_max": 1}
End = Callable[[Served], Awaitable[None]]


async def completed_operation(served: Served) -> None:
    async with open_socket(served) as socket:
        await subscribe(socket, "1", EVERYTHING)
        await receive(socket)
        await send(socket, type="complete", id="1")
        await until_active(served.http, 0)
        await send(socket, type="ping")
        assert await receive(socket) == {"type": "pong"}


async def closed_socket(served: Served) -> None:
    """Close the socket as a browser does with its tab."""
    async with open_socket(served) as socket:
        await subscribe(socket, "1", EVERYTHING)
        await receive(socket)
        await socket.close(1001)


async def dropped_socket(served: Served) -> None:
    async with open_socket(served) as socket:
        await subscribe(socket, "1", EVERYTHING)
        await receive(socket)
        socket.transport.abort()


async def closed_stream(served: Served) -> None:
    async with SSE(served, EVERYTHING) as results:
        await anext(results)


async def dropped_stream(served: Served) -> None:
    async with narrow_sse(served, snapshot=True) as updates:
        await live(updates)


@pytest.mark.parametrize("end", [completed_operation, closed_socket, dropped_socket, closed_stream, dropped_stream])
async def test_subscription_that_its_client_ends_frees_its_slot(
    embedded_broker: EmbeddedBroker, tmp_path: Path, end: End
) -> None:
    async with asyncio.timeout(SECONDS_MAX), serving_topic(embedded_broker, tmp_path, **ONE) as topic:
        for _ in range(3):
            await end(topic.served)
            await until_active(topic.served.http, 0)


@pytest.fixture
def uncollected() -> Iterator[None]:
    """Run without the garbage collector, which may come late."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("uncollected")
@pytest.mark.parametrize("client", [narrow_websocket, narrow_sse])
async def test_client_that_leaves_with_full_buffers_frees_its_slot(
    embedded_broker: EmbeddedBroker, tmp_path: Path, client: Client
) -> None:
    async with asyncio.timeout(SECONDS_MAX), serving_topic(embedded_broker, tmp_path) as topic:
        async with client(topic.served, snapshot=True):
            await until_active(topic.served.http, 1)
            await change_much(topic)
        await until_active(topic.served.http, 0)


@pytest.mark.parametrize("client", [narrow_websocket, narrow_sse])
async def test_service_stops_without_an_error_while_a_client_reads_nothing(
    embedded_broker: EmbeddedBroker, tmp_path: Path, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        asyncio.timeout(SECONDS_MAX),
        serving_topic(embedded_broker, tmp_path, **SMALL, shutdown_seconds_max=1) as topic,
        client(topic.served, snapshot=True) as stalled,
    ):
        await live(stalled)
        await change_much(topic)
        topic.served.run.stop()
        await topic.served.run.wait()
        assert topic.served.run.unit().feed.watchers == 0
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


async def test_stopping_service_ends_every_subscription_without_completing_it(
    embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    async with (
        asyncio.timeout(SECONDS_MAX),
        serving_topic(embedded_broker, tmp_path) as topic,
        open_socket(topic.served) as socket,
        SSE(topic.served, EVERYTHING) as results,
    ):
        await anext(results)
        await subscribe(socket, "1", EVERYTHING)
        await receive(socket)
        topic.served.run.stop()
        assert [result async for result in results] == []
        with pytest.raises(ConnectionClosed) as closing:
            await socket.recv()
        await topic.served.run.wait()
        assert closing.value.rcvd is not None
        assert (closing.value.rcvd.code, closing.value.rcvd.reason) == (1001, "The service stops.")
        assert topic.served.run.unit().feed.watchers == 0


async def test_stopping_service_closes_subscriptions_before_it_waits_for_writes(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"enable_writes": True, "write_seconds_max": 60, "shutdown_seconds_max": 2}
    async with (
        asyncio.timeout(SECONDS_MAX),
        EmbeddedBroker() as broker,
        serving_topic(broker, tmp_path, (b"a", b"1"), **settings) as topic,
        open_socket(topic.served) as subscriber,
        open_socket(topic.served) as writer,
    ):
        for number, field in enumerate(("updates(progress: true) { kind }", 'value(key: "a") { key }')):
            await subscribe(subscriber, str(number), f"subscription {{ {field} }}")
            await receive(subscriber)
        await subscribe(writer, "live", EVERYTHING)
        await receive(writer)
        broker.go_down()
        await topic.served.state(State.WAITING_FOR_BROKER)
        await subscribe(writer, "write", 'mutation { set(key: "a", value: "2") { cursor } }')
        await until_write_in_flight(topic.served.http)
        topic.served.run.stop()
        with pytest.raises(ConnectionClosed) as closed:
            await subscriber.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001
        await send(writer, type="ping")
        assert await receive(writer) == {"type": "pong"}
        received = []
        with suppress(ConnectionClosed):
            while True:
                received.append(await receive(writer))
        assert [message for message in received if message["id"] == "live"] == []


async def until_write_in_flight(http: httpx.AsyncClient) -> None:
    """Return once a write is in flight."""
    while 'kvs_writes_in_flight{table=""} 1.0' not in (await http.get("/metrics")).text:
        pass
