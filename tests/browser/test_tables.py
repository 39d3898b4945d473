"""The pages of a service with several tables: a switch, and each table's own keys."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from kvs_graphql.demo.broker import EmbeddedBroker
from tests.ports import free_port
from tests.serving import Served, nothing_applied, serving_tables, write

if TYPE_CHECKING:
    from tests.browser.visits import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="package")]

# Chromium's own message about a refused connection.
REFUSED = "net::ERR_CONNECTION_REFUSED"
UNKNOWN = "\N{EN DASH}"
RECORDS = {
    "orders": [(b"shared", b"first"), (b"shared", b"of orders"), (b"order/1", b'{"total": 9}')],
    "orderItems": [(b"shared", b"of items"), (b"item/1", b"1"), (b"item/2", b"two")],
}


def topic_of(embedded_topic: str, table: str) -> str:
    return f"{embedded_topic}-{table}"


@pytest_asyncio.fixture(loop_scope="package")
async def served(embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path) -> AsyncIterator[Served]:
    """Two tables with their records, and a third one whose topic is missing."""
    servers = embedded_broker.bootstrap_servers
    positions = {}
    for table, records in RECORDS.items():
        embedded_broker.create_topic(topic_of(embedded_topic, table), 1)
        positions[table] = await write(servers, topic_of(embedded_topic, table), records)
    tables = {table: {"topic": topic_of(embedded_topic, table)} for table in (*RECORDS, "missing")}
    async with serving_tables(servers, tables, tmp_path) as served:
        for table, reached in positions.items():
            await served.applied(reached, table)
        yield served


async def test_the_switch_shows_each_table_and_keys_never_mix(
    visitor: "Visitor", served: Served, embedded_broker: EmbeddedBroker, embedded_topic: str
) -> None:
    servers = embedded_broker.bootstrap_servers
    async with visitor.dashboard(served.run.url) as dashboard:
        await dashboard.has_loaded("2 keys")
        assert dashboard.link == "?table=orders"
        await dashboard.shows_table("orders", "Live", "2 entries", "lag 0", "0/s")
        await dashboard.shows_table("orderItems", "Live", "3 entries", "lag 0", "0/s")
        await dashboard.shows_table("missing", "No topic", "0 entries", f"lag {UNKNOWN}", UNKNOWN)
        await dashboard.open("shared")
        await dashboard.has_history("of orders", "first")
        await dashboard.switch_to("orderItems")
        await dashboard.has_nothing_open()
        await dashboard.has_loaded("3 keys")
        await dashboard.shows("shared", "of items")
        await dashboard.shows_no("order/1")
        assert dashboard.link == "?table=orderItems"
        await write(servers, topic_of(embedded_topic, "orders"), [(b"order/2", b"2"), (b"shared", b"again")])
        await write(servers, topic_of(embedded_topic, "orderItems"), [(b"item/3", b"3")])
        await dashboard.shows_table("orders", "3 entries")
        await dashboard.shows_table("orderItems", "4 entries")
        await dashboard.shows("item/3", "3")
        await dashboard.shows("shared", "of items")
        await dashboard.shows_no("order/2")
        await dashboard.page.go_back()
        await dashboard.has_open("shared")
        await dashboard.has_history("again", "of orders", "first")


async def test_the_switch_shows_the_rate_and_the_lag_of_each_table(
    visitor: "Visitor", served: Served, embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    servers, orders = embedded_broker.bootstrap_servers, topic_of(embedded_topic, "orders")

    enough = asyncio.Event()

    async def write_on() -> None:
        # To the end: a producer that is cancelled as it starts or stops leaves a connection open.
        while not enough.is_set():
            await write(servers, orders, [(b"busy", b"%d" % number) for number in range(50)])

    async with visitor.dashboard(served.run.url, "?table=orderItems") as dashboard:
        await dashboard.has_loaded("3 keys")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(write_on())
            await dashboard.shows_rate_of_table("orders")
            await dashboard.shows_table("orderItems", "0/s")
            enough.set()
        await served.applied(await write(servers, orders, [(b"busy", b"last")]), "orders")
        with nothing_applied(tmp_path / "tables", "orders.db"):
            await write(servers, orders, [(b"waiting", b"%d" % number) for number in range(3)])
            await dashboard.shows_table("orders", "lag 3")
            await dashboard.shows_table("orderItems", "Live", "lag 0")
        await dashboard.shows_table("orders", "Live", "lag 0", "4 entries")


async def test_a_link_opens_its_table_in_another_browser(visitor: "Visitor", served: Served) -> None:
    async with visitor.dashboard(served.run.url, "?table=orderItems") as dashboard:
        await dashboard.search("item/")
        await dashboard.open("item/2")
        link = dashboard.link
    assert link == "?table=orderItems&prefix=item/&key=item/2"
    async with visitor.dashboard(served.run.url, link) as dashboard:
        await dashboard.has_open("item/2")
        await dashboard.shows_detail("two")
        await dashboard.has_history("two")
        await dashboard.shows("item/1", "1")
        await dashboard.shows_no("shared")


async def test_a_link_to_a_removed_table_opens_the_first_without_its_keys(visitor: "Visitor", served: Served) -> None:
    async with visitor.dashboard(served.run.url, "?table=removed&prefix=item/&key=item/2") as dashboard:
        await dashboard.has_loaded("2 keys")
        await dashboard.has_nothing_open()
        assert dashboard.link == "?table=orders"


async def test_a_missing_topic_is_told_on_the_page_of_its_table_only(visitor: "Visitor", served: Served) -> None:
    async with visitor.dashboard(served.run.url, "?table=missing") as dashboard:
        await dashboard.shows_banner("The topic is missing")
        await dashboard.switch_to("orders")
        await dashboard.has_loaded("2 keys")


async def test_the_switch_is_readable_on_any_screen(visitor: "Visitor", served: Served) -> None:
    async with visitor.dashboard(served.run.url, "?table=orderItems") as dashboard:
        await dashboard.has_loaded("3 keys")
        for width, height in ((1280, 800), (390, 844)):
            await dashboard.resize(width, height)
            await dashboard.shows_table("orderItems", "Live", "3 entries")
            assert await dashboard.overflow() == (0, [])
            for colours in ("light", "dark"):
                await dashboard.page.emulate_media(color_scheme=colours)
                assert await dashboard.violations() == [], (width, colours)


async def test_the_only_table_has_no_switch(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    servers = embedded_broker.bootstrap_servers
    await write(servers, embedded_topic, [(b"one", b"1")])
    tables = {"orders": {"topic": embedded_topic}}
    async with (
        serving_tables(servers, tables, tmp_path) as served,
        visitor.dashboard(served.run.url) as dashboard,
    ):
        await dashboard.has_loaded("1 key")
        await dashboard.has_no_switch()


async def test_the_examples_of_the_playground_ask_the_tables_by_their_names(visitor: "Visitor", served: Served) -> None:
    async with visitor.graphiql(served.run.url) as graphiql:
        await graphiql.has_open("query Status")
        await graphiql.open_tab("FirstEntries")
        await graphiql.run()
        await graphiql.shows_result('"key": "order/1"')
        await graphiql.open_tab("TwoTables")
        await graphiql.run()
        await graphiql.shows_result('"orderItemsEntries"')
        await graphiql.open_tab("Watch")
        await graphiql.run()
        await graphiql.shows_result('"kind": "LIVE"')


async def test_the_page_outlives_changes_of_the_catalog(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    """The service restarts with a table added, with the page's own one removed, and with it back again."""
    servers, port = embedded_broker.bootstrap_servers, free_port()
    for table, records in RECORDS.items():
        embedded_broker.create_topic(topic_of(embedded_topic, table), 1)
        await write(servers, topic_of(embedded_topic, table), records)

    def serving_of(*tables: str) -> AbstractAsyncContextManager[Served]:
        catalog = {table: {"topic": topic_of(embedded_topic, table)} for table in tables}
        return serving_tables(servers, catalog, tmp_path, port=port)

    async with AsyncExitStack() as visit:
        async with serving_of("orders", "orderItems") as served:
            link = visitor.dashboard(served.run.url, "?table=orderItems", allowed=REFUSED)
            dashboard = await visit.enter_async_context(link)
            await dashboard.has_loaded("3 keys")
            await dashboard.open("shared")
        async with serving_of("added", "orders", "orderItems"):
            await dashboard.shows_table("added", "No topic")
            await dashboard.is_live()
            await write(servers, topic_of(embedded_topic, "orderItems"), [(b"shared", b"after the restart")])
            await dashboard.has_history("after the restart", "of items")
        async with serving_of("orders"):
            await dashboard.shows_banner("no longer has this table")
            await dashboard.shows_table("orders", "Live", "2 entries")
            await dashboard.shows("item/1", "1")
        await write(servers, topic_of(embedded_topic, "orderItems"), [(b"item/3", b"meanwhile")])
        async with serving_of("orderItems", "orders"):
            await dashboard.is_live()
            await dashboard.shows("item/3", "meanwhile")
        async with serving_of("added", "orders"):
            await dashboard.shows_banner("no longer has this table")
            await dashboard.switch_to("orders")
            await dashboard.has_loaded("2 keys")
            await visit.aclose()
