"""Clients generated from the graph of typed tables: what a schema says is what their languages know."""

import asyncio
import json
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.state import State
from tests.cli.test_read import ended
from tests.cli.test_typed import ORDER, PLACE
from tests.clients.pages import running
from tests.clients.python_clients import PYTHON
from tests.clients.test_matrix import require
from tests.deadline import SECONDS_MAX
from tests.serving import serving_tables

pytestmark = pytest.mark.asyncio(loop_scope="module")

CATALOG = """
bootstrap_servers = "{servers}"

[tables.orders]
topic = "orders-of-generated-clients"
key = "long"
value = "avro"
schema = "order.avsc"
writes = true

[tables.places]
topic = "places-of-generated-clients"
key = "avro"
key_schema = "place.avsc"
writes = true
"""
TYPESCRIPT = """
import {{ compiled }} from "./setups/codegen/compiled.js";
const {{ run }} = await compiled(new URL("setups/codegen-typed/", `file://${{process.cwd()}}/`), "{schema}");
const data = {{
  id_: "o-1",
  amount: "1152921504606846976",
  price: "12.50",
  placed: "2026-02-28",
  colour: "GREEN",
  tags: [{{ key: "vip", value: 7 }}],
  payment: {{ card: {{ holder: "Ann" }} }},
}};
const {{ order, place }} = await run("{url}/graphql", "9007199254740993", data, {{ region: "eu", number: 10 }});
console.log(order.keyData, ...Object.values(order.data).slice(0, 5), order.data.tags[0].value);
console.log(order.data.payment.holder, place.keyData.region, place.keyData.number, place.json);
"""


@dataclass(frozen=True)
class Shop:
    """A running service, and the file with its graph that the command prints."""

    url: str
    schema: Path
    served_schema: str


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    directory, servers = tmp_path_factory.mktemp("shop"), embedded_broker.bootstrap_servers
    order, place = directory / "order.avsc", directory / "place.avsc"
    order.write_text(json.dumps(ORDER))
    place.write_text(json.dumps(PLACE))
    (directory / "kvs.toml").write_text(CATALOG.format(servers=servers))
    schema = directory / "schema.graphql"
    schema.write_text((await ended("schema", directory=directory)).output)
    topics = {table: f"{table}-of-generated-clients" for table in ("orders", "places")}
    for topic in topics.values():
        embedded_broker.create_topic(topic)
    tables = {
        "orders": {"topic": topics["orders"], "key": "long", "value": "avro", "schema": order, "writes": True},
        "places": {"topic": topics["places"], "key": "avro", "key_schema": place, "writes": True},
    }
    async with serving_tables(servers, tables, directory) as served:
        for table in tables:
            await served.state(State.LIVE, table)
        yield Shop(served.run.url, schema, (await served.http.get("/schema.graphql")).text)


async def test_the_command_prints_the_graph_that_is_served(shop: Shop) -> None:
    assert shop.schema.read_text() == shop.served_schema


@pytest.mark.node
async def test_graphql_codegen_makes_a_client_that_typescript_checks(npm_clients: Path, shop: Shop) -> None:
    code = TYPESCRIPT.format(schema=shop.schema, url=shop.url)
    async with running(npm_clients, code) as page:
        await page.logs("9007199254740993", "o-1", str(2**60), "12.50", "2026-02-28", "GREEN", "7")
        await page.logs("Ann", "eu", "10", True)


@pytest.mark.client
async def test_ariadne_codegen_makes_a_client_with_the_types_of_python(shop: Shop) -> None:
    (client,) = (client for client in PYTHON if client.name == "ariadne-codegen")
    require(client)
    python, *_ = client.command
    command = (python, "-m", "tests.clients.ariadne.typed", str(shop.schema), f"{shop.url}/graphql")
    process = await asyncio.create_subprocess_exec(*command, cwd=client.directory, stdout=PIPE)
    async with asyncio.timeout(SECONDS_MAX):
        output, _ = await process.communicate()
    assert output.decode().splitlines() == [
        f"[{2**53 + 1}, 'o-1', {2**60}, Decimal('12.50'), datetime.date(2026, 2, 28), 'GREEN', 7]",
        f"['Ann', 'eu', {2**53 + 1}, True]",
    ]
