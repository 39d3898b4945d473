"""However a subscription ends, nothing of it is left; and what a stopping service ends is begun again elsewhere."""

import asyncio
import gc
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.state import State
from tests.api.test_values import Holding, holding
from tests.serving import Served
from tests.transports import SSE, open_socket, receive, send, subscribe, until_active
from tests.web.test_slow_clients import SMALL, Client, change_much, live
from tests.web.test_slow_clients import sse as narrow_sse
from tests.web.test_slow_clients import websocket as narrow_websocket

EVERYTHING = "subscription { updates(progress: true) { kind cursor } }"
ONE: dict[str, Any] = {"subscriptions_max": 1, "shutdown_seconds_max": 1}
End = Callable[[Served], Awaitable[None]]


def active(held: Holding) -> float:
    """The subscriptions open, as the metrics of a service count them that may be gone."""
    told = re.findall(r"^kvs_subscriptions_active{.*} (.*)$", held.served.run.metrics.render().decode(), re.MULTILINE)
    return sum(map(float, told))


async def completed(served: Served) -> None:
    async with open_socket(served) as socket:
        await subscribe(socket, "1", EVERYTHING)
        await receive(socket)
        await send(socket, type="complete", id="1")
        await until_active(served.http, 0)
        await send(socket, type="ping")
        assert await receive(socket) == {"type": "pong"}


async def closed(served: Served) -> None:
    """As a browser does with the sockets of a tab."""
    async with open_socket(served) as socket:
        await subscribe(socket, "1", EVERYTHING)
        await receive(socket)
        await socket.close(1001)


async def dropped(served: Served) -> None:
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


@pytest.mark.parametrize("end", [completed, closed, dropped, closed_stream, dropped_stream])
async def test_a_subscription_that_its_client_ends_leaves_its_place_to_another(
    embedded_broker: EmbeddedBroker, tmp_path: Path, end: End
) -> None:
    async with asyncio.timeout(20), holding(embedded_broker, tmp_path, **ONE) as held:
        for _ in range(3):
            await end(held.served)
            await until_active(held.served.http, 0)


@pytest.fixture
def uncollected() -> Iterator[None]:
    """Nothing is left to the garbage collector, which may come late."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("uncollected")
@pytest.mark.parametrize("client", [narrow_websocket, narrow_sse])
async def test_a_client_that_is_gone_while_its_buffers_are_full_leaves_its_place_too(
    embedded_broker: EmbeddedBroker, tmp_path: Path, client: Client
) -> None:
    async with asyncio.timeout(20), holding(embedded_broker, tmp_path) as held:
        async with client(held.served, snapshot=True):
            await until_active(held.served.http, 1)
            await change_much(held)
        await until_active(held.served.http, 0)


@pytest.mark.parametrize("client", [narrow_websocket, narrow_sse])
async def test_a_service_stops_in_time_and_logs_no_error_though_a_client_reads_nothing(
    embedded_broker: EmbeddedBroker, tmp_path: Path, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        asyncio.timeout(30),
        holding(embedded_broker, tmp_path, **SMALL, shutdown_seconds_max=1) as held,
        client(held.served, snapshot=True) as stalled,
    ):
        await live(stalled)
        await change_much(held)
        began = monotonic()
        held.served.run.stop()
        await held.served.run.wait()
        assert monotonic() - began < 3
        assert active(held) == 0
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_service_that_stops_ends_every_subscription_and_tells_none_that_it_is_complete(
    embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    async with (
        asyncio.timeout(20),
        holding(embedded_broker, tmp_path) as held,
        open_socket(held.served) as socket,
        SSE(held.served, EVERYTHING) as results,
    ):
        await anext(results)
        await subscribe(socket, "1", EVERYTHING)
        await receive(socket)
        held.served.run.stop()
        assert [result async for result in results] == []
        with pytest.raises(ConnectionClosed) as closing:
            await socket.recv()
        await held.served.run.wait()
        assert closing.value.rcvd is not None
        assert (closing.value.rcvd.code, closing.value.rcvd.reason) == (1001, "The service stops.")
        assert active(held) == 0


async def test_subscribers_are_sent_elsewhere_while_writes_are_still_waited_for(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"enable_writes": True, "write_seconds_max": 60, "shutdown_seconds_max": 2}
    async with (
        asyncio.timeout(40),
        EmbeddedBroker() as broker,
        holding(broker, tmp_path, (b"a", b"1"), **settings) as held,
        open_socket(held.served) as subscriber,
        open_socket(held.served) as writer,
    ):
        for number, field in enumerate(("updates(progress: true) { kind }", 'value(key: "a") { key }')):
            await subscribe(subscriber, str(number), f"subscription {{ {field} }}")
            await receive(subscriber)
        await subscribe(writer, "live", EVERYTHING)
        await receive(writer)
        broker.go_down()
        await held.served.state(State.WAITING_FOR_BROKER)
        await subscribe(writer, "write", 'mutation { set(key: "a", value: "2") { cursor } }')
        await in_flight(held.served.http)
        held.served.run.stop()
        with pytest.raises(ConnectionClosed) as sent_away:
            await subscriber.recv()
        assert sent_away.value.rcvd is not None
        assert sent_away.value.rcvd.code == 1001
        await send(writer, type="ping")
        assert await receive(writer) == {"type": "pong"}
        told = []
        with suppress(ConnectionClosed):
            while True:
                told.append(await receive(writer))
        assert [message for message in told if message["id"] == "live"] == []


async def in_flight(http: httpx.AsyncClient) -> None:
    """Return once a write is on its way."""
    while "kvs_writes_in_flight 1.0" not in (await http.get("/metrics")).text:
        pass
