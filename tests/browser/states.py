"""The dashboard while there is nothing to show, or not all is well: each state as it comes about, over a real service.

Only what this service never does by itself is done in its place: refusing a page, and answering late.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from playwright.async_api import Page, Route, WebSocketRoute, expect

from kvs_graphql.demo.broker import EmbeddedBroker
from tests.browser.dashboard import Dashboard
from tests.serving import serving, write

TOPIC = "topic"
RECORDS = [(b"oven", b'{"degrees": 180, "door": "shut"}'), (b"fridge", b"4"), (b"\xff", b"\xfe\x00\x01")]
REFUSED_CODE = 4403
GOING_AWAY = 1001
# Many and small batches, so that catching up takes a while.
SLOW = {"batch_records_max": 1, "fetch_bytes_max": 1}
MANY = [(b"key/%04d" % number, b"%d" % number) for number in range(3_000)]

Visit = Callable[..., AbstractAsyncContextManager[Dashboard]]
"""Opens the dashboard at a URL, with a link, and what is done to the page before."""


class State(Protocol):
    """Yields the dashboard in one state."""

    def __call__(self, visit: Visit, directory: Path) -> AbstractAsyncContextManager[Dashboard]: ...


@asynccontextmanager
async def opened(
    visit: Visit,
    directory: Path,
    *,
    says: str,
    records: Sequence[tuple[bytes, bytes]] = RECORDS,
    link: str = "",
    settings: Mapping[str, Any] = MappingProxyType({}),
    **options: Any,
) -> AsyncIterator[Dashboard]:
    """A dashboard that says something, over a service that holds records and runs with other settings than usual."""
    async with EmbeddedBroker() as broker:
        broker.create_topic(TOPIC)
        positions = await write(broker.bootstrap_servers, TOPIC, records)
        async with serving(broker.bootstrap_servers, TOPIC, directory, **settings) as served:
            if not settings:
                await served.applied(positions)
            async with visit(served.run.url, link, **options) as dashboard:
                await expect(dashboard.page.get_by_text(says).first).to_be_visible()
                yield dashboard


async def hold_answers(page: Page) -> None:
    """The service's answers to subscriptions never arrive."""

    def held(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        server.on_message(lambda message: socket.send(message) if "connection_ack" in str(message) else None)

    await page.route_web_socket("**/graphql", held)


async def close_sockets(page: Page, code: int) -> None:
    await page.route_web_socket("**/graphql", lambda socket: asyncio.ensure_future(socket.close(code=code)))


async def refuse_queries(page: Page) -> None:
    """Sockets are refused, and plain requests too."""

    async def refuse(route: Route) -> None:
        await (route.fulfill(status=401) if route.request.method == "POST" else route.fallback())

    await page.route("**/graphql", refuse)
    await close_sockets(page, GOING_AWAY)


@asynccontextmanager
async def kafka_away(visit: Visit, directory: Path) -> AsyncIterator[Dashboard]:
    async with EmbeddedBroker() as broker:
        broker.create_topic(TOPIC)
        positions = await write(broker.bootstrap_servers, TOPIC, RECORDS)
        async with serving(broker.bootstrap_servers, TOPIC, directory) as served:
            await served.applied(positions)
            async with visit(served.run.url, "?pin=fridge&plot=oven~~/degrees&key=oven") as dashboard:
                await dashboard.is_live()
                broker.go_down()
                await dashboard.warns("Kafka is away")
                yield dashboard


@asynccontextmanager
async def connection_lost(visit: Visit, directory: Path) -> AsyncIterator[Dashboard]:
    async with EmbeddedBroker() as broker:
        broker.create_topic(TOPIC)
        positions = await write(broker.bootstrap_servers, TOPIC, RECORDS)
        async with serving(broker.bootstrap_servers, TOPIC, directory) as served:
            await served.applied(positions)
            async with visit(served.run.url, "?pin=fridge", allowed="ERR_CONNECTION_REFUSED") as dashboard:
                await dashboard.is_live()
                served.run.stop()
                await served.run.wait()
                await dashboard.warns("Connection lost")
                yield dashboard


STATES: dict[str, State] = {
    "empty": partial(opened, says="No keys yet", records=[]),
    "no match": partial(opened, says="No key starts with", link="?prefix=oven/"),
    "loading": partial(opened, says="Loading keys", prepare=hold_answers),
    "key without a value": partial(opened, says="has no value now", link="?key=door"),
    "value that is not text": partial(opened, says="Not UTF-8", link="?key=id:_w"),
    "error": partial(opened, says="BAD_KEY", link="?prefix=refrigerator", settings={"key_bytes_max": 8}),
    "unreachable": partial(
        opened, says="This page keeps trying", prepare=partial(close_sockets, code=GOING_AWAY), allowed="WebSocket"
    ),
    "unauthorised": partial(opened, says="You need access", prepare=partial(close_sockets, code=REFUSED_CODE)),
    "unauthorised at the door": partial(opened, says="You need access", prepare=refuse_queries, allowed="401"),
    "catching up": partial(opened, says="catching up with Kafka", records=MANY, settings=SLOW),
    "Kafka away": kafka_away,
    "connection lost": connection_lost,
}
