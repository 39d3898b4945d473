"""The dashboard during outages: it shows that data is stale, and recovers by itself."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest

from kvs_graphql.demo.broker import EmbeddedBroker
from tests.clients.proxy import line_to
from tests.ports import free_port
from tests.serving import serving, serving_topic, write

if TYPE_CHECKING:
    from tests.browser.visits import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="package")]

WATCH = "subscription Watch { updates(snapshot: true) { kind entry { json } } }"

# Chromium's own message about a refused connection, over HTTP and over WebSockets.
REFUSED = "net::ERR_CONNECTION_REFUSED"


async def test_the_dashboard_has_no_old_value_after_a_restart_of_the_service(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    servers, topic, port = embedded_broker.bootstrap_servers, embedded_topic, free_port()
    async with AsyncExitStack() as visit:
        async with serving(servers, topic, tmp_path, port=port) as served:
            await write(servers, topic, [(b"kept", b"1"), (b"changed", b"old"), (b"deleted", b"1")])
            dashboard = await visit.enter_async_context(visitor.dashboard(served.run.url, allowed=REFUSED))
            for key, value in (("kept", "1"), ("changed", "old"), ("deleted", "1")):
                await dashboard.shows(key, value)
        await dashboard.shows_banner("Connection lost")
        await dashboard.page.wait_for_event("console", lambda message: REFUSED in message.text)
        await write(servers, topic, [(b"changed", b"new"), (b"deleted", None)])
        async with serving(servers, topic, tmp_path, port=port):
            await dashboard.is_live()
            await dashboard.shows("changed", "new")
            await dashboard.shows("kept", "1")
            await dashboard.shows_no("deleted")
            await write(servers, topic, [(b"kept", b"2")])
            await dashboard.shows("kept", "2")
            await visit.aclose()


async def test_the_dashboard_shows_the_age_of_values_while_kafka_is_down(visitor: "Visitor", tmp_path: Path) -> None:
    async with EmbeddedBroker() as broker:
        broker.create_topic("topic")
        servers = broker.bootstrap_servers
        async with serving(servers, "topic", tmp_path) as served, visitor.dashboard(served.run.url) as dashboard:
            await write(servers, "topic", [(b"key", b"before")])
            await dashboard.shows("key", "before")
            await dashboard.is_live()
            broker.go_down()
            await dashboard.shows_banner("Kafka is unreachable")
            await dashboard.shows_banner("Values are as of")
            await dashboard.shows("key", "before")
            assert await dashboard.violations() == []
            broker.come_up()
            await dashboard.is_live()
            await write(servers, "topic", [(b"key", b"after")])
            await dashboard.shows("key", "after")


HOST_LOST = {"passes_host": False}
UPGRADE_LOST = {"passes_upgrade": False}
REMEDIES = [
    (HOST_LOST, "the proxy must pass Host, or set KVS_CORS_ORIGINS"),
    (UPGRADE_LOST, "the proxy must pass Upgrade and Connection"),
]


@pytest.mark.parametrize(("proxy", "remedy"), REMEDIES)
async def test_the_dashboard_is_live_behind_a_proxy_that_loses_websockets_and_says_what_it_must_pass(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, tmp_path: Path, proxy: dict[str, bool], remedy: str
) -> None:
    async with (
        serving_topic(embedded_broker, tmp_path, (b"oven", b'{"degrees": 180}'), allowed_hosts=("upstream",)) as topic,
        line_to(topic.served.run.url, (), **proxy) as line,
        visitor.dashboard(line.url, "?plot=oven~~/degrees", allowed="/graphql") as dashboard,
    ):
        await dashboard.shows_banner(remedy)
        await dashboard.shows("oven", "degrees 180")
        await topic.write((b"oven", b'{"degrees": 205}'))
        await dashboard.shows("oven", "degrees 205")
        await dashboard.plots_latest("oven degrees", "205")
        await dashboard.open("oven")
        await dashboard.has_history("205", "180")
        assert await dashboard.violations() == []
        line.cut()
        await topic.write((b"oven", b'{"degrees": 230}'))
        await dashboard.shows("oven", "degrees 230")
        await dashboard.plots_latest("oven degrees", "230")
        await dashboard.shows_banner(remedy)


@pytest.mark.parametrize(("proxy", "remedy"), REMEDIES)
async def test_subscriptions_in_graphiql_work_behind_a_proxy_that_loses_websockets(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, tmp_path: Path, proxy: dict[str, bool], remedy: str
) -> None:
    async with (
        serving_topic(embedded_broker, tmp_path, (b"oven", b"180"), allowed_hosts=("upstream",)) as topic,
        line_to(topic.served.run.url, (), **proxy) as line,
        visitor.graphiql(line.url, f"?{urlencode({'query': WATCH})}", allowed="WebSocket") as graphiql,
    ):
        await graphiql.has_open("subscription Watch")
        await graphiql.run()
        await graphiql.shows_result(remedy)
        await graphiql.shows_result('"kind": "LIVE"')
        await topic.write((b"oven", b"205"))
        await graphiql.shows_result('"json": 205')
