"""Versions of schemas whose types would have the names of another table's types."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.state import State
from tests.registry.apicurio import Apicurio
from tests.serving import Served, serving_tables

pytestmark = pytest.mark.kafka

LINE: dict[str, Any] = {"type": "record", "name": "Line", "fields": [{"name": "n", "type": "int"}]}


def record(*fields: str, **types: Any) -> str:
    """A record with numbers, and with fields of these types that may be null."""
    of_numbers = [{"name": name, "type": "long", "default": 0} for name in fields]
    others = [{"name": name, "type": ["null", kind], "default": None} for name, kind in types.items()]
    return orjson.dumps({"type": "record", "name": "Order", "fields": [*of_numbers, *others]}).decode()


async def schemas(served: Served) -> dict[str, Any]:
    """What the status says of each table."""
    document = "{ status { tables { name ready reason schemas { version problem refused { version reason } } } } }"
    tables = (await served.data(document))["status"]["tables"]
    return {table["name"]: {**table, **table["schemas"][0]} for table in tables}


async def until(served: Served, holds: Callable[[Any], bool]) -> dict[str, Any]:
    """Return the status once that holds of the tables."""
    while True:
        found = await schemas(served)
        if holds(found):
            return found
        await asyncio.sleep(0.01)


async def until_served(served: Served, **versions: int) -> dict[str, Any]:
    """Return the status once these versions are served."""
    return await until(served, lambda tables: all(tables[name]["version"] == one for name, one in versions.items()))


async def test_a_version_whose_names_collide_with_another_tables_is_not_served_and_shows(
    embedded_broker: EmbeddedBroker, tmp_path: Path, apicurio: Apicurio, embedded_topic: str
) -> None:
    topics = {name: f"{embedded_topic}-{name}" for name in ("orders", "ordersLine", "others")}
    for topic in topics.values():
        embedded_broker.create_topic(topic)
        apicurio.register(f"{topic}-value", record("a"))
    tables = {name: {"topic": topic, "value": "avro", "writes": True} for name, topic in topics.items()}
    registry = {"url": apicurio.url, "poll_seconds": 0.05}
    servers = embedded_broker.bootstrap_servers
    async with serving_tables(servers, tables, tmp_path, schema_registry=registry) as served:
        for name in tables:
            await served.state(State.LIVE, name)
        await until_served(served, orders=1, ordersLine=1, others=1)
        apicurio.register(
            f"{topics['orders']}-value",
            record("a", lines={"type": "array", "items": LINE}),
        )
        found = await until(served, lambda tables: tables["orders"]["refused"] != [])
        (refused,) = found["orders"]["refused"]
        assert (found["orders"]["version"], found["orders"]["ready"], refused["version"]) == (1, True, 2)
        assert "OrdersLine" in refused["reason"]
        # Others go on meanwhile, and so does what was served.
        apicurio.register(f"{topics['others']}-value", record("a", "b"))
        await until_served(served, orders=1, others=2)
        await served.data('mutation { othersSet(key: "k", data: {a: 1, b: 2}) { key } }')
        written = await served.data('mutation { ordersSet(key: "k", data: {a: 1}) { entry { data { a } } } }')
        assert written["ordersSet"]["entry"]["data"] == {"a": "1"}
        apicurio.register(f"{topics['orders']}-value", record("a", "c"))
        found = await until_served(served, orders=3)
        assert found["orders"]["refused"] == []
        await served.data('mutation { ordersSet(key: "k", data: {a: 1, c: 2}) { entry { data { c } } } }')


async def test_of_first_versions_that_collide_all_but_one_are_served_and_it_is_served_once_it_can_be(
    embedded_broker: EmbeddedBroker, tmp_path: Path, apicurio: Apicurio, embedded_topic: str
) -> None:
    topics = {name: f"{embedded_topic}-{name}" for name in ("orders", "ordersLine", "others")}
    with_lines = record("a", lines=LINE)
    for name, topic in topics.items():
        embedded_broker.create_topic(topic)
        apicurio.register(f"{topic}-value", with_lines if name == "orders" else record("a"))
    tables = {name: {"topic": topic, "value": "avro"} for name, topic in topics.items()}
    registry = {"url": apicurio.url, "poll_seconds": 0.05}
    servers = embedded_broker.bootstrap_servers
    async with serving_tables(servers, tables, tmp_path, schema_registry=registry) as served:
        for name in tables:
            await served.state(State.LIVE, name)
        found = await until(served, lambda tables: all(one["version"] or one["refused"] for one in tables.values()))
        assert found["others"]["version"] == 1
        (unserved,) = (name for name in ("orders", "ordersLine") if found[name]["version"] is None)
        assert not found[unserved]["ready"]
        assert "OrdersLine" in found[unserved]["problem"]
        assert found[unserved]["problem"] in found[unserved]["reason"]
        apicurio.register(f"{topics['orders']}-value", record("a"))
        found = await until_served(served, orders=2, ordersLine=1)
        assert all(table["ready"] for table in found.values())
