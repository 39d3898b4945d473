"""Tables with typed keys on the dashboard."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from struct import pack
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
import pytest_asyncio

from kvs_graphql.demo.broker import EmbeddedBroker
from tests.formats.avro.schemas import record, written
from tests.serving import ServedTopic, produce, serving_tables

if TYPE_CHECKING:
    from tests.browser.visits import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="package")]

PLACE = record(("region", "string"), ("number", "long"), ("kind", ["null", "string", "long"]), name="com.shop.Place")
EU, US = {"region": "eu", "number": 10, "kind": "old"}, {"region": "us", "number": 9, "kind": 5}
ALICE = "123e4567-e89b-12d3-a456-426614174000"

KEYS: dict[str, dict[str, bytes]] = {
    "longs": {str(number): pack(">q", number) for number in (-1, 9, 10, 2**53 + 1)},
    "ints": {str(number): pack(">i", number) for number in (-1, 42)},
    "uuids": {ALICE: ALICE.encode(), str(UUID(int=2**128 - 1)): str(UUID(int=2**128 - 1)).encode()},
    "places": {
        '{"region":"eu","number":"10","kind":{"string":"old"}}': written(PLACE, EU),
        '{"region":"us","number":"9","kind":{"long":"5"}}': written(PLACE, US),
    },
}
"""The keys of each table by what the page calls them, in their order."""

FORMATS = {"longs": "long", "ints": "int", "uuids": "uuid", "places": "avro"}


class Tables:
    """A service with a table for each type of keys, whose values have one number."""

    def __init__(self, served: ServedTopic) -> None:
        self.url = served.served.run.url
        self._topic = served

    async def write(self, table: str, key: bytes, value: bytes | None) -> None:
        """Write a record, and wait until the table has it."""
        positions = await produce(self._topic.bootstrap_servers, f"{self._topic.name}-{table}", (key, value))
        await self._topic.served.applied(positions, table)

    async def set(self, table: str, key: str, number: int) -> None:
        await self.write(table, KEYS[table][key], b'{"number": %d}' % number)


@pytest_asyncio.fixture(loop_scope="package")
async def tables(embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path) -> AsyncIterator[Tables]:
    place = tmp_path / "place.avsc"
    place.write_text(json.dumps(PLACE))
    servers = embedded_broker.bootstrap_servers
    catalog = {}
    for table, keys in KEYS.items():
        embedded_broker.create_topic(topic := f"{embedded_topic}-{table}")
        await produce(servers, topic, *((key, b'{"number": 1}') for key in keys.values()))
        schema = {"key_schema": place} if FORMATS[table] == "avro" else {}
        catalog[table] = {"topic": topic, "key": FORMATS[table], "value": "json", **schema}
    async with serving_tables(servers, catalog, tmp_path) as served:
        yield Tables(ServedTopic(served, servers, embedded_topic))


async def test_typed_keys_are_listed_followed_plotted_and_shared(visitor: "Visitor", tables: Tables) -> None:
    for table, keys in KEYS.items():
        first, *_, last = keys
        async with visitor.dashboard(tables.url, f"?table={table}&prefix=e") as dashboard:
            await dashboard.has_loaded(f"{len(keys)} keys")
            await dashboard.has_in_order(*keys)
            await dashboard.look_up(last)
            await dashboard.has_open(last)
            await dashboard.press("Pin this key")
            await dashboard.detail.get_by_role("button", name=f"1, plot {last} /number").click()
            await tables.set(table, last, 2)
            await dashboard.has_history("number: 2", "number: 1")
            await dashboard.shows(last, "number 2")
            await dashboard.plots_latest(f"{last} number", "2")
            await dashboard.open(first)
            link = dashboard.link
        assert "prefix" not in link
        async with visitor.dashboard(tables.url, link) as dashboard:
            await dashboard.has_open(first)
            await dashboard.has_history("number: 1")
            await dashboard.has_pinned(last, "2")
            await tables.set(table, last, 3)
            await dashboard.plots_latest(f"{last} number", "3")
            await tables.write(table, keys[first], None)
            await dashboard.has_history("deleted", "number: 1")
            await dashboard.shows_no(first)
            await dashboard.has_open(first)


async def test_a_record_as_key_is_a_tree_with_its_types(visitor: "Visitor", tables: Tables) -> None:
    first, *_ = KEYS["places"]
    async with visitor.dashboard(tables.url, "?table=places") as dashboard:
        await dashboard.open(first)
        await dashboard.shows_tree("region eu", "number 10 Int64")
        assert await dashboard.violations() == []


async def test_a_key_that_is_none_or_is_not_there_is_told(visitor: "Visitor", tables: Tables) -> None:
    async with visitor.dashboard(tables.url, "?table=longs") as dashboard:
        await dashboard.has_loaded("4 keys")
        await dashboard.look_up("7")
        await dashboard.shows_note("There is no entry with this key.")
        await dashboard.look_up("seven")
        await dashboard.shows_note("BAD_")
        await dashboard.switch_to("places")
        await dashboard.look_up("eu")
        await dashboard.shows_note("JSON")
        await dashboard.has_nothing_open()


async def test_a_link_to_a_key_that_is_not_there_follows_it(visitor: "Visitor", tables: Tables) -> None:
    async with visitor.dashboard(tables.url, "?table=longs&key=id:AAAAAAAAAAc") as dashboard:
        await dashboard.has_loaded("4 keys")
        await dashboard.has_open("00 00 00 00 00 00 00 07")
        await tables.write("longs", pack(">q", 7), b"1")
        await dashboard.has_open("7")
        await tables.write("longs", pack(">q", 7), b"2")
        await dashboard.has_history("2", "1")


async def test_a_key_that_cannot_be_decoded_is_shown_by_its_bytes_and_followed(
    visitor: "Visitor", tables: Tables
) -> None:
    async with visitor.dashboard(tables.url, "?table=ints") as dashboard:
        await tables.write("ints", b"\xff\x00", b"9")
        await tables.write("ints", b"odd", b"1")
        await dashboard.has_loaded("4 keys")
        await dashboard.shows("ff 00", "9")
        await dashboard.open("odd")
        await dashboard.has_history("1")
        await tables.write("ints", b"odd", b"2")
        await dashboard.has_history("2", "1")


async def test_a_json_key_is_shown_without_the_schema_around_it(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    servers = embedded_broker.bootstrap_servers
    wrapped, bare = b'{"schema": {"type": "struct"}, "payload": {"id": %d}}', b'{"id": 12}'
    rows = {wrapped % 9: b'{"op": "r", "after": {"number": 1}}', bare: b'{"op": "c", "after": {"number": 2}}'}
    await produce(servers, embedded_topic, *rows.items())
    catalog = {"rows": {"topic": embedded_topic, "key": "json", "value": "json", "envelope": "debezium"}}
    async with (
        serving_tables(servers, catalog, tmp_path) as served,
        visitor.dashboard(served.run.url, "?table=rows") as dashboard,
    ):
        await dashboard.has_loaded("2 keys")
        await dashboard.has_in_order('{"id":9}', '{"id": 12}')
        await dashboard.open('{"id":9}')
        await dashboard.has_open('{"id":9}')
        positions = await produce(servers, embedded_topic, (wrapped % 9, b'{"op": "u", "after": {"number": 3}}'))
        await served.applied(positions, "rows")
        await dashboard.has_history("number: 3", "number: 1")
