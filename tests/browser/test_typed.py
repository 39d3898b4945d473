"""Values with a schema on the dashboard: trees with types, and plots of typed numbers."""

import json
from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
import pytest_asyncio

from kvs_graphql.demo.broker import EmbeddedBroker
from tests.formats.avro.schemas import logical, record, written
from tests.registry.apicurio import Apicurio
from tests.schemas import shop
from tests.serving import ServedTopic, produce, serving_tables

if TYPE_CHECKING:
    from tests.browser.visits import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="package")]

ORDER = record(
    ("id", "string"),
    ("amount", "long"),
    ("price", {**logical("bytes", "decimal"), "precision": 20, "scale": 2}),
    ("placed", logical("int", "date")),
    ("colour", {"type": "enum", "name": "com.shop.Colour", "symbols": ["RED", "GREEN"]}),
    ("tags", {"type": "map", "values": "long"}),
    ("payment", ["string", "long"]),
    {"name": "replaces", "type": ["null", "com.shop.Order"], "default": None},
)
VALUE: dict[str, Any] = {
    "id": "o-1",
    "amount": 9007199254740993,
    "price": Decimal("12.50"),
    "placed": date(2026, 2, 28),
    "colour": "RED",
    "tags": {"vip": 7},
    "payment": 5,
    "replaces": None,
}


def order(**fields: Any) -> bytes:
    return written(ORDER, {**VALUE, **fields})


@pytest_asyncio.fixture(loop_scope="package")
async def orders(embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path) -> AsyncIterator["Orders"]:
    """A table of orders, one of which cannot be decoded."""
    (tmp_path / "order.avsc").write_text(json.dumps(ORDER))
    servers = embedded_broker.bootstrap_servers
    positions = await produce(servers, embedded_topic, (b"first", order()), (b"broken", b"\xff"))
    tables = {"orders": {"topic": embedded_topic, "value": "avro", "schema": tmp_path / "order.avsc"}}
    async with serving_tables(servers, tables, tmp_path) as served:
        await served.applied(positions, "orders")
        yield Orders(served, servers, embedded_topic)


class Orders(ServedTopic):
    """The topic of the table `orders`."""

    async def set(self, **fields: Any) -> None:
        """Write the first order again."""
        await self.served.applied(
            await produce(self.bootstrap_servers, self.name, (b"first", order(**fields))), "orders"
        )


async def test_a_typed_value_is_a_tree_with_its_types(visitor: "Visitor", orders: Orders) -> None:
    async with visitor.dashboard(orders.served.run.url) as dashboard:
        await dashboard.has_loaded("2 keys")
        await dashboard.open("first")
        await dashboard.shows_tree(
            "id_ o-1",
            "amount 9,007,199,254,740,993 Int64",
            "price 12.50 Decimal",
            "placed 2026-02-28 Date",
            "colour RED OrdersColour",
            "vip 7 Int64",
            "replaces null",
        )
        await dashboard.open("broken")
        await dashboard.shows_detail("ff")
        await dashboard.shows_problem("The bytes cannot be decoded: the value ends too early")


async def test_typed_numbers_are_plotted_and_history_shows_what_changed(visitor: "Visitor", orders: Orders) -> None:
    async with visitor.dashboard(orders.served.run.url, "?key=first&plot=first~~/price") as dashboard:
        await dashboard.plots_latest("first price", "12.5")
        await orders.set(price=Decimal("99.99"), colour="GREEN")
        await dashboard.plots_latest("first price", "99.99")
        await dashboard.has_changes("price: 99.99, colour: GREEN")
        await dashboard.shows_tree("colour GREEN OrdersColour")


async def test_the_row_of_an_envelope_in_json_is_a_tree_with_its_exact_numbers_and_raw_the_envelope(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    def envelope(total: str) -> bytes:
        row = f'{{"id": 1, "total": {total}}}'
        return f'{{"schema": {{}}, "payload": {{"before": null, "after": {row}, "op": "u", "lsn": 17}}}}'.encode()

    servers = embedded_broker.bootstrap_servers
    written = envelope("9007199254740993.10"), b'{"op": "x"}'
    positions = await produce(servers, embedded_topic, *zip((b"row", b"other"), written, strict=True))
    tables = {"rows": {"topic": embedded_topic, "value": "json", "envelope": "debezium"}}
    async with serving_tables(servers, tables, tmp_path) as served:
        await served.applied(positions, "rows")
        async with visitor.dashboard(served.run.url, "?key=row&plot=row~~/total") as dashboard:
            await dashboard.shows_tree("id 1", "total 9,007,199,254,740,993.10")
            await dashboard.shows_no_tree("op u")
            await dashboard.press("Raw")
            await dashboard.shows_detail(written[0].decode())
            await served.applied(await produce(servers, embedded_topic, (b"row", envelope("12.5"))), "rows")
            await dashboard.plots_latest("row total", "12.5")
            await dashboard.has_changes("total: 12.5")
            await dashboard.open("other")
            await dashboard.shows_problem("it is no envelope of Debezium")
            await dashboard.shows_tree("op x")


@pytest.mark.kafka
async def test_the_playground_has_the_new_generation_after_a_reload(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, embedded_topic: str, apicurio: Apicurio, tmp_path: Path
) -> None:
    subject, link = f"{embedded_topic}-value", {"query": 'query Read { ordersValue(key: "a") { data { count } } }'}
    apicurio.register(subject, shop.order(shop.FIELDS))
    async with shop.opened(embedded_broker, embedded_topic, apicurio, tmp_path) as orders:
        await orders.generation(1)
        await orders.write("a", {"id": "a", "amount": 2}, shop.order(shop.FIELDS))
        async with visitor.graphiql(orders.served.run.url, f"?{urlencode(link)}") as graphiql:
            await graphiql.has_mistakes("count")
            apicurio.register(subject, shop.order(shop.COUNTED))
            await orders.generation(2)
            await graphiql.reload()
            await graphiql.has_open("count")
            await graphiql.run()
            await graphiql.shows_result('"count": 1')
            await graphiql.has_mistakes()
