"""The dashboard through outages: it says that it is old while it is, and is right again by itself."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.runtime import Running, running
from kvs_graphql.settings import load_settings
from tests.serving import serving, write

if TYPE_CHECKING:
    from tests.browser.visits import Visitor

pytestmark = pytest.mark.browser

# What Chromium itself says of a service that is not there, over HTTP and over WebSockets.
REFUSED = "net::ERR_CONNECTION_REFUSED"


@asynccontextmanager
async def service(bootstrap_servers: str, topic: str, directory: Path, port: int = 0) -> AsyncIterator[Running]:
    """A service that can be started again at the same address, over the same database."""
    settings = load_settings(
        bootstrap_servers=bootstrap_servers,
        topic=topic,
        database=directory / "kvs.db",
        port=port,
        shutdown_seconds_max=1,
    )
    async with running(settings) as run:
        yield run


async def test_a_restart_of_the_service_leaves_no_old_value_behind(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    servers, topic = embedded_broker.bootstrap_servers, embedded_topic
    async with AsyncExitStack() as visit:
        async with service(servers, topic, tmp_path) as run:
            await write(servers, topic, [(b"kept", b"1"), (b"changed", b"old"), (b"deleted", b"1")])
            dashboard = await visit.enter_async_context(visitor.dashboard(run.url, allowed=REFUSED))
            for key, value in (("kept", "1"), ("changed", "old"), ("deleted", "1")):
                await dashboard.shows(key, value)
        await dashboard.warns("Connection lost")
        await dashboard.page.wait_for_event("console", lambda said: REFUSED in said.text)
        await write(servers, topic, [(b"changed", b"new"), (b"deleted", None)])
        async with service(servers, topic, tmp_path, port=urlsplit(run.url).port or 0):
            await dashboard.is_live()
            await dashboard.shows("changed", "new")
            await dashboard.shows("kept", "1")
            await dashboard.shows_no("deleted")
            await write(servers, topic, [(b"kept", b"2")])
            await dashboard.shows("kept", "2")
            await visit.aclose()


async def test_values_are_said_to_be_old_while_kafka_is_away(visitor: "Visitor", tmp_path: Path) -> None:
    async with EmbeddedBroker() as broker:
        broker.create_topic("topic")
        servers = broker.bootstrap_servers
        async with serving(servers, "topic", tmp_path) as served, visitor.dashboard(served.run.url) as dashboard:
            await write(servers, "topic", [(b"key", b"before")])
            await dashboard.shows("key", "before")
            await dashboard.is_live()
            broker.go_down()
            await dashboard.warns("Kafka is away")
            await dashboard.warns("Values are as of")
            await dashboard.shows("key", "before")
            assert await dashboard.violations() == []
            broker.come_up()
            await dashboard.is_live()
            await write(servers, "topic", [(b"key", b"after")])
            await dashboard.shows("key", "after")
