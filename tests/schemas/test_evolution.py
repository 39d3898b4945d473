"""New versions of a schema while a table is served: what is read and written, and what open subscriptions are told."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from httpx_sse import EventSource
from websockets.exceptions import ConnectionClosed

from kvs_graphql.demo.broker import EmbeddedBroker
from tests.deadline import SECONDS_MAX
from tests.registry.apicurio import Apicurio
from tests.schemas.shop import FIELDS, Shop, opened, order
from tests.serving import Served
from tests.transports import (
    HEARTBEAT,
    MULTIPART_ACCEPT,
    open_socket,
    open_stream,
    receive,
    request_of,
    subscribe,
    until_active,
)

pytestmark = pytest.mark.kafka

ID, AMOUNT = FIELDS
GENERATIONS_MAX = 3
"""So many are promised to be served at the same time."""


@pytest.fixture
async def shop(
    embedded_broker: EmbeddedBroker, embedded_topic: str, apicurio: Apicurio, tmp_path: Path
) -> AsyncIterator[Shop]:
    """A table of orders with two fields, in whose subject the registry takes any further version."""
    subject = f"{embedded_topic}-value"
    apicurio.register(subject, order(FIELDS))
    apicurio.set_compatibility(subject, "NONE")
    async with opened(embedded_broker, embedded_topic, apicurio, tmp_path) as shop:
        await shop.generation(1)
        await shop.write("old", {"id": "old", "amount": 1}, order(FIELDS))
        yield shop


async def put(shop: Shop, data: str) -> Any:
    """Write an order by the table's mutation; return it as Confluent's deserializer reads it."""
    document = f'mutation {{ ordersSet(key: "new", data: {data}) {{ entry {{ value(encoding: HEX) }} }} }}'
    written = (await shop.served.data(document))["ordersSet"]["entry"]["value"]
    return await asyncio.to_thread(shop.read, bytes.fromhex(written))


@pytest.mark.parametrize(
    ("fields", "selection", "shown", "given", "written"),
    [
        pytest.param(
            [ID, AMOUNT, {"name": "count", "type": "int", "default": 7}],
            "id_ amount count",
            {"id_": "old", "amount": "1", "count": 7},
            '{id_: "new", amount: 2, count: 3}',
            {"id": "new", "amount": 2, "count": 3},
            id="added with a default",
        ),
        pytest.param([ID], "id_", {"id_": "old"}, '{id_: "new"}', {"id": "new"}, id="removed"),
        pytest.param(
            [ID, {"name": "total", "aliases": ["amount"], "type": "long"}],
            "id_ total",
            {"id_": "old", "total": "1"},
            '{id_: "new", total: 2}',
            {"id": "new", "total": 2},
            id="renamed with an alias",
        ),
        pytest.param(
            [ID, {**AMOUNT, "type": "double"}],
            "id_ amount",
            {"id_": "old", "amount": 1.0},
            '{id_: "new", amount: 2.5}',
            {"id": "new", "amount": 2.5},
            id="of a wider type",
        ),
    ],
)
async def test_values_are_read_and_written_with_a_version_that_reads_the_earlier_ones(
    shop: Shop,
    apicurio: Apicurio,
    fields: list[dict[str, Any]],
    selection: str,
    shown: dict[str, Any],
    given: str,
    written: dict[str, Any],
) -> None:
    apicurio.register(f"{shop.topic}-value", order(fields))
    await shop.generation(2)
    assert await shop.value("old", selection) == shown
    assert await put(shop, given) == written


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param([*FIELDS, {"name": "required", "type": "string"}], id="added without a default"),
        pytest.param([ID, {**AMOUNT, "name": "total"}], id="renamed without an alias"),
        pytest.param([ID, {**AMOUNT, "type": "int"}], id="of a narrower type"),
    ],
)
async def test_values_are_read_and_written_as_before_where_a_version_cannot_read_the_earlier_ones(
    shop: Shop, apicurio: Apicurio, fields: list[dict[str, Any]]
) -> None:
    apicurio.register(f"{shop.topic}-value", order(fields))
    found = await shop.until(lambda found: found["refused"] != [])
    assert (found["version"], found["refused"], found["problem"]) == (1, [{"version": 2}], None)
    assert (await shop.schema())["ready"]
    assert await shop.value("old") == {"id_": "old", "amount": "1"}
    assert await put(shop, '{id_: "new", amount: 2}') == {"id": "new", "amount": 2}


Updates = Callable[[], Awaitable[Any]]
Opened = AsyncIterator[tuple[Updates, Updates]]


@asynccontextmanager
async def over_websocket(served: Served, document: str) -> Opened:
    """A subscription: what gives its next update, and how it ended."""
    async with open_socket(served) as socket:
        await subscribe(socket, "1", document)

        async def update() -> Any:
            return (await receive(socket))["payload"]["data"]["ordersUpdates"]

        async def end() -> tuple[int, str]:
            with pytest.raises(ConnectionClosed):
                await socket.recv()
            return socket.close_code or 0, socket.close_reason or ""

        yield update, end


@asynccontextmanager
async def over_sse(served: Served, document: str) -> Opened:
    """The same as Server-Sent Events; they end by the names of the events that are left."""
    async with streaming(served, document, "text/event-stream") as response:
        events = EventSource(response).aiter_sse()

        async def update() -> Any:
            return (await anext(events)).json()["data"]["ordersUpdates"]

        async def end() -> list[str]:
            return [event.event async for event in events]

        yield update, end


@asynccontextmanager
async def over_multipart(served: Served, document: str) -> Opened:
    """The same in parts; they end by the lines that are left."""
    async with streaming(served, document, MULTIPART_ACCEPT) as response:
        lines = response.aiter_lines()

        async def update() -> Any:
            async for line in lines:
                if line.startswith("{") and line != HEARTBEAT:
                    return orjson.loads(line)["payload"]["data"]["ordersUpdates"]
            raise AssertionError("the stream has ended")

        async def end() -> list[str]:
            return [line async for line in lines]

        yield update, end


@asynccontextmanager
async def over_one_connection(served: Served, document: str) -> Opened:
    """The same in an event stream for many operations, which all end with it."""
    async with open_stream(served) as link:
        assert (await link.post("1", request_of(document, None, {}))).status_code == 202

        async def update() -> Any:
            _, data = await link.event()
            return data["payload"]["data"]["ordersUpdates"]

        yield update, link.rest


@asynccontextmanager
async def streaming(served: Served, document: str, accept: str) -> AsyncIterator[httpx.Response]:
    body, headers = request_of(document, None, {}), {"accept": accept}
    async with served.http.stream("POST", "/graphql", json=body, headers=headers) as response:
        yield response


@pytest.mark.parametrize(
    ("over", "transport", "told"),
    [
        pytest.param(over_websocket, "websocket", (1001, "The schema has changed."), id="websocket"),
        pytest.param(over_sse, "sse", [], id="sse"),
        pytest.param(over_one_connection, "sse", [], id="single connection"),
        pytest.param(over_multipart, "multipart", ["--graphql"], id="multipart"),
    ],
)
async def test_a_subscription_of_a_generation_too_old_ends_without_completion_and_goes_on_in_the_newest(
    shop: Shop, apicurio: Apicurio, over: Any, transport: str, told: Any
) -> None:
    watch = "ordersUpdates{} {{ kind key cursor entry {{ data {{ id_ {} }} }} }}"
    async with (
        asyncio.timeout(SECONDS_MAX),
        over(shop.served, f"subscription {{ {watch.format('', 'amount')} }}") as (
            update,
            end,
        ),
    ):
        await until_active(shop.served.http, 1, transport)
        await shop.write("a", {"id": "a", "amount": 1}, order(FIELDS))
        first = await update()
        fields = list(FIELDS)
        for number in range(GENERATIONS_MAX):
            assert shop.served.run.unit("orders").feed.watchers == 1
            fields.append({"name": f"added{number}", "type": "int", "default": number})
            apicurio.register(f"{shop.topic}-value", order(fields))
            await shop.generation(2 + number)
        assert await end() == told
    await shop.write("b", {"id": "b", "amount": 2, "added0": 5}, order(fields[:3]))
    after = watch.format(f'(after: "{first["cursor"]}")', "added0 added2")
    async with asyncio.timeout(SECONDS_MAX), over(shop.served, f"subscription {{ {after} }}") as (update, _):
        second = await update()
    assert (first["key"], first["entry"]["data"]) == ("a", {"id_": "a", "amount": "1"})
    assert (second["key"], second["entry"]["data"]) == ("b", {"id_": "b", "added0": 5, "added2": 2})
