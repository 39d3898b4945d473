"""The JavaScript examples of README.md, run as they are, over tables such as those of the demo."""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.state import State
from tests.clients.pages import running
from tests.clients.proxy import refuse_connection
from tests.ports import free_port
from tests.readme import at_url, javascript
from tests.serving import Served, serving_tables, write
from tests.transports import until_active

pytestmark = pytest.mark.node

APOLLO_OVER_MULTIPART = """
import { ApolloClient, HttpLink, InMemoryCache, gql } from "@apollo/client";

const link = new HttpLink({ uri: "http://127.0.0.1:8000/graphql" });
const client = new ApolloClient({ cache: new InMemoryCache(), link });
const query = gql`subscription { systemValue(key: "load") { json } }`;
client.subscribe({ query }).subscribe(({ data }) => console.log(data.systemValue.json));
"""
ID_OF_LOAD = "c3lzdGVtAGxvYWQ"
SHOW_TABLE = "setInterval(() => console.log(...table), 20);"


def over_server_sent_events(watch: str, url: str) -> str:
    """Return the example with the graphql-sse client of the next example instead of its own."""
    without_client = re.sub(r'import .* "graphql-ws";\n|const client = .*;\n', "", watch)
    return javascript('from "graphql-sse"', url) + without_client


@pytest.fixture
def topics(embedded_broker: EmbeddedBroker, embedded_topic: str) -> dict[str, str]:
    """New topics of the tables that the examples ask."""
    topics = {table: f"{embedded_topic}-{table}" for table in ("system", "cpu")}
    for topic in topics.values():
        embedded_broker.create_topic(topic, 2)
    return topics


@asynccontextmanager
async def serving_demo(servers: str, topics: dict[str, str], directory: Path, **settings: Any) -> AsyncIterator[Served]:
    tables = {table: {"topic": topic} for table, topic in topics.items()}
    async with serving_tables(servers, tables, directory, **settings) as served:
        for table in topics:
            await served.state(State.LIVE, table)
        yield served


@pytest.fixture
async def served(embedded_broker: EmbeddedBroker, topics: dict[str, str], tmp_path: Path) -> AsyncIterator[Served]:
    servers = embedded_broker.bootstrap_servers
    records = {"system": [(b"load", b'{"one": 1}')], "cpu": [(b"0", b'{"user": 1}'), (b"1", b'{"user": 2}')]}
    written = {table: await write(servers, topics[table], pairs) for table, pairs in records.items()}
    async with serving_demo(servers, topics, tmp_path) as served:
        for table, positions in written.items():
            await served.applied(positions, table)
        yield served


async def test_fetch_returns_data_of_two_tables_and_a_cursor(npm_clients: Path, served: Served) -> None:
    document = """{ systemValue(key: "load") { id key json offset timestamp }
      cpuEntries(first: 10) { edges { node { id key json } } } }"""
    answer = await served.query(document)
    data, cursor = answer["data"], answer["extensions"]["cursor"]
    expected = {"systemValues": [None, data["systemValue"]], "cpuEntries": data["cpuEntries"]}
    code = f"{javascript('await fetch', served.run.url)} console.log(data, errors, extensions.cursor);"
    async with running(npm_clients, code) as page:
        await page.logs(expected, None, cursor)


@pytest.mark.parametrize("client", ["graphql-ws", "graphql-sse"])
async def test_a_subscription_keeps_a_table_equal_to_kafka(
    npm_clients: Path, served: Served, client: str, embedded_broker: EmbeddedBroker, topics: dict[str, str]
) -> None:
    watch = javascript("const table", served.run.url)
    code = watch if client == "graphql-ws" else over_server_sent_events(watch, served.run.url)
    async with running(npm_clients, code + SHOW_TABLE) as page:
        await page.logs("connecting")
        await page.logs("live")
        servers = embedded_broker.bootstrap_servers
        await write(servers, topics["system"], [(b"load", b"of another table")])
        await write(servers, topics["cpu"], [(b"1", None), (b"0", b'{"user": 3}')])
        await page.logs(["0", {"user": 3}])


@pytest.mark.parametrize("package", ["@apollo/client", "@urql/core"])
async def test_a_caching_client_receives_the_latest_value(
    npm_clients: Path, package: str, served: Served, embedded_broker: EmbeddedBroker, topics: dict[str, str]
) -> None:
    entry = {"id": ID_OF_LOAD, **({"__typename": "SystemEntry"} if package == "@apollo/client" else {})}
    async with running(npm_clients, javascript(f'"{package}"', served.run.url)) as page:
        await page.logs({**entry, "json": {"one": 1}})
        await write(embedded_broker.bootstrap_servers, topics["system"], [(b"load", b"2")])
        await page.logs({**entry, "json": 2})


async def test_a_caching_client_reconnects_after_an_outage_and_receives_the_latest_value(
    npm_clients: Path, embedded_broker: EmbeddedBroker, topics: dict[str, str], tmp_path: Path
) -> None:
    servers, port = embedded_broker.bootstrap_servers, free_port()
    async with AsyncExitStack() as pages:
        async with serving_demo(servers, topics, tmp_path, port=port) as served:
            page = await pages.enter_async_context(running(npm_clients, javascript('"@urql/core"', served.run.url)))
            await page.logs(None)
        await write(servers, topics["system"], [(b"load", b"1")])
        await refuse_connection(port)
        async with serving_demo(servers, topics, tmp_path, port=port):
            await page.logs({"id": ID_OF_LOAD, "json": 1})
            await pages.aclose()


async def test_apollos_http_link_subscribes_over_multipart(
    npm_clients: Path, served: Served, embedded_broker: EmbeddedBroker, topics: dict[str, str]
) -> None:
    code = at_url(APOLLO_OVER_MULTIPART, served.run.url)
    async with running(npm_clients, code) as page:
        await page.logs({"one": 1})
        await until_active(served.http, 1, "multipart")
        await write(embedded_broker.bootstrap_servers, topics["system"], [(b"load", b"2")])
        await page.logs(2)
