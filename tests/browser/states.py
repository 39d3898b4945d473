"""The dashboard in all states without data or with a problem, each produced by a real service.

Only what the service never does by itself is simulated: refusing a page, and delaying its responses.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import psutil
from playwright.async_api import Page, Route, WebSocketRoute, expect

from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.state import State as ServiceState
from tests.browser.dashboard import Dashboard
from tests.serving import Served, serving, write

TOPIC = "topic"
RECORDS = [(b"oven", b'{"degrees": 180, "door": "shut"}'), (b"fridge", b"4"), (b"\xff", b"\xfe\x00\x01")]
REFUSED_CODE = 4403
GOING_AWAY = 1001
# One record per round trip, so that the broker can be stopped while the service catches up.
ONE_BY_ONE = {"batch_records_max": 1, "fetch_bytes_max": 1, "stall_seconds_max": 600}
MANY = [(b"key/%04d" % number, b"%d" % number) for number in range(3_000)]

Visit = Callable[..., AbstractAsyncContextManager[Dashboard]]
"""Opens the dashboard of a service, as `Visitor.dashboard` does."""


class State(Protocol):
    """Opens the dashboard in one state."""

    def __call__(self, visit: Visit, directory: Path) -> AbstractAsyncContextManager[Dashboard]: ...


@asynccontextmanager
async def opened(
    visit: Visit,
    directory: Path,
    *,
    text: str,
    records: Sequence[tuple[bytes, bytes]] = RECORDS,
    link: str = "",
    settings: Mapping[str, Any] = MappingProxyType({}),
    **options: Any,
) -> AsyncIterator[Dashboard]:
    """Open the dashboard of a service with these records and settings, and wait until it shows a text."""
    async with (
        holding(directory, records, **settings) as (_, served),
        visit(served.run.url, link, **options) as dashboard,
    ):
        await expect(dashboard.page.get_by_text(text).first).to_be_visible()
        yield dashboard


@asynccontextmanager
async def holding(
    directory: Path, records: Sequence[tuple[bytes, bytes]] = RECORDS, **settings: Any
) -> AsyncIterator[tuple[EmbeddedBroker, Served]]:
    """A broker of its own, and a service that has applied these records."""
    async with EmbeddedBroker() as broker:
        broker.create_topic(TOPIC)
        positions = await write(broker.bootstrap_servers, TOPIC, records)
        async with serving(broker.bootstrap_servers, TOPIC, directory, **settings) as served:
            await served.applied(positions)
            yield broker, served


async def hold_answers(page: Page) -> None:
    """Drop all messages of the service after the connection is acknowledged."""

    def held(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        server.on_message(lambda message: socket.send(message) if "connection_ack" in str(message) else None)

    await page.route_web_socket("**/graphql", held)


async def close_sockets(page: Page, code: int) -> None:
    await page.route_web_socket("**/graphql", lambda socket: asyncio.ensure_future(socket.close(code=code)))


async def lose_service(page: Page) -> None:
    """Close WebSockets, and let plain requests reach nobody."""
    await close_sockets(page, GOING_AWAY)
    await page.route("**/graphql", lambda route: route.abort("connectionrefused"))


async def refuse_queries(page: Page) -> None:
    """Refuse WebSockets and plain requests."""

    async def refuse(route: Route) -> None:
        await (route.fulfill(status=401) if route.request.method == "POST" else route.fallback())

    await page.route("**/graphql", refuse)
    await close_sockets(page, GOING_AWAY)


@asynccontextmanager
async def kafka_unreachable(visit: Visit, directory: Path) -> AsyncIterator[Dashboard]:
    async with (
        holding(directory) as (broker, served),
        visit(served.run.url, "?pin=fridge&plot=oven~~/degrees&key=oven") as dashboard,
    ):
        await dashboard.is_live()
        broker.go_down()
        await dashboard.shows_banner("Kafka is unreachable")
        yield dashboard


@asynccontextmanager
async def connection_lost(visit: Visit, directory: Path) -> AsyncIterator[Dashboard]:
    async with (
        holding(directory) as (_, served),
        visit(served.run.url, "?pin=fridge", allowed="ERR_CONNECTION_REFUSED") as dashboard,
    ):
        await dashboard.is_live()
        served.run.stop()
        await served.run.wait()
        await dashboard.shows_banner("Connection lost")
        yield dashboard


@asynccontextmanager
async def catching_up(visit: Visit, directory: Path) -> AsyncIterator[Dashboard]:
    others = psutil.Process().children()
    async with EmbeddedBroker() as broker:
        (process,) = (child for child in psutil.Process().children() if child not in others)
        broker.create_topic(TOPIC)
        await write(broker.bootstrap_servers, TOPIC, MANY)
        async with serving(broker.bootstrap_servers, TOPIC, directory, **ONE_BY_ONE) as served:
            await served.state(ServiceState.CATCHING_UP)
            process.suspend()
            try:
                async with visit(served.run.url, "") as dashboard:
                    await dashboard.shows_banner("catching up with Kafka")
                    yield dashboard
            finally:
                process.resume()


STATES: dict[str, State] = {
    "empty": partial(opened, text="No keys yet", records=[]),
    "no match": partial(opened, text="No key starts with", link="?prefix=oven/"),
    "loading": partial(opened, text="Loading keys", prepare=hold_answers),
    "key without a value": partial(opened, text="has no value now", link="?key=door"),
    "value that is not text": partial(opened, text="Not UTF-8", link="?key=id:_w"),
    "error": partial(opened, text="BAD_KEY", link="?prefix=refrigerator", settings={"key_bytes_max": 8}),
    "unreachable": partial(
        opened, text="The page keeps retrying", prepare=lose_service, allowed="ERR_CONNECTION_REFUSED"
    ),
    "unauthorised": partial(opened, text="Sign in", prepare=partial(close_sockets, code=REFUSED_CODE)),
    "unauthorised before the WebSocket": partial(opened, text="You need access", prepare=refuse_queries, allowed="401"),
    "catching up": catching_up,
    "Kafka unreachable": kafka_unreachable,
    "connection lost": connection_lost,
}
