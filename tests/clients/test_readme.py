"""The JavaScript examples of README.md, run as they are."""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.state import State
from tests.clients.pages import running
from tests.clients.proxy import refuse_connection
from tests.ports import free_port
from tests.readme import at_url, javascript
from tests.serving import Served, serving, write
from tests.transports import until_active

pytestmark = pytest.mark.node

APOLLO_OVER_MULTIPART = """
import { ApolloClient, HttpLink, InMemoryCache, gql } from "@apollo/client";

const link = new HttpLink({ uri: "http://127.0.0.1:8000/graphql" });
const client = new ApolloClient({ cache: new InMemoryCache(), link });
const query = gql`subscription { value(key: "load") { json } }`;
client.subscribe({ query }).subscribe(({ data }) => console.log(data.value.json));
"""
SHOW_TABLE = "setInterval(() => console.log(...table), 20);"


def over_server_sent_events(watch: str, url: str) -> str:
    """Return the example with the graphql-sse client of the next example instead of its own."""
    without_client = re.sub(r'import .* "graphql-ws";\n|const client = .*;\n', "", watch)
    return javascript('from "graphql-sse"', url) + without_client


@pytest.fixture
async def served(embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path) -> AsyncIterator[Served]:
    records = [(b"load", b'{"one": 1}'), (b"cpu/0", b'{"user": 1}'), (b"cpu/1", b'{"user": 2}')]
    written = await write(embedded_broker.bootstrap_servers, embedded_topic, records)
    async with serving(embedded_broker.bootstrap_servers, embedded_topic, tmp_path) as served:
        await served.state(State.LIVE)
        await served.applied(written)
        yield served


async def test_fetch_returns_data_and_a_cursor(npm_clients: Path, served: Served) -> None:
    answer = await served.query('{ value(key: "load") { id key json offset timestamp } }')
    values, cursor = [None, answer["data"]["value"]], answer["extensions"]["cursor"]
    code = f"{javascript('await fetch', served.run.url)} console.log(data.values, errors, extensions.cursor);"
    async with running(npm_clients, code) as page:
        await page.logs(values, None, cursor)


@pytest.mark.parametrize("client", ["graphql-ws", "graphql-sse"])
async def test_a_subscription_keeps_a_table_equal_to_kafka(
    npm_clients: Path, served: Served, client: str, embedded_broker: EmbeddedBroker, embedded_topic: str
) -> None:
    watch = javascript("const table", served.run.url)
    code = watch if client == "graphql-ws" else over_server_sent_events(watch, served.run.url)
    async with running(npm_clients, code + SHOW_TABLE) as page:
        await page.logs("connecting")
        await page.logs("live")
        changes = [(b"cpu/1", None), (b"load", b"not watched"), (b"cpu/0", b'{"user": 3}')]
        await write(embedded_broker.bootstrap_servers, embedded_topic, changes)
        await page.logs(["cpu/0", {"user": 3}])


@pytest.mark.parametrize("package", ["@apollo/client", "@urql/core"])
async def test_a_caching_client_receives_the_latest_value(
    npm_clients: Path, package: str, served: Served, embedded_broker: EmbeddedBroker, embedded_topic: str
) -> None:
    entry = {"id": "bG9hZA", **({"__typename": "Entry"} if package == "@apollo/client" else {})}
    async with running(npm_clients, javascript(f'"{package}"', served.run.url)) as page:
        await page.logs({**entry, "json": {"one": 1}})
        await write(embedded_broker.bootstrap_servers, embedded_topic, [(b"load", b"2")])
        await page.logs({**entry, "json": 2})


async def test_a_caching_client_reconnects_after_an_outage_and_receives_the_latest_value(
    npm_clients: Path, embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    servers, topic, port = embedded_broker.bootstrap_servers, embedded_topic, free_port()
    async with AsyncExitStack() as pages:
        async with serving(servers, topic, tmp_path, port=port) as served:
            page = await pages.enter_async_context(running(npm_clients, javascript('"@urql/core"', served.run.url)))
            await page.logs(None)
        await write(servers, topic, [(b"load", b"1")])
        await refuse_connection(port)
        async with serving(servers, topic, tmp_path, port=port):
            await page.logs({"id": "bG9hZA", "json": 1})
            await pages.aclose()


async def test_apollos_http_link_subscribes_over_multipart(
    npm_clients: Path, served: Served, embedded_broker: EmbeddedBroker, embedded_topic: str
) -> None:
    code = at_url(APOLLO_OVER_MULTIPART, served.run.url)
    async with running(npm_clients, code) as page:
        await page.logs({"one": 1})
        await until_active(served.http, 1, "multipart")
        await write(embedded_broker.bootstrap_servers, embedded_topic, [(b"load", b"2")])
        await page.logs(2)
