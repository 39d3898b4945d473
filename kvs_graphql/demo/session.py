"""The demo's topics: an embedded broker and a producer of live figures of this machine."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.demo.figures import TABLES
from kvs_graphql.demo.producer import publish_figures, topic_of
from kvs_graphql.demo.values import SCHEMAS

_PREFIX = "machine"
_PARTITIONS = 2


@dataclass(frozen=True)
class Catalog:
    """What the demo serves."""

    bootstrap_servers: str
    tables: Mapping[str, Mapping[str, Any]]
    """The settings of each table, as in `kvs.toml`."""


@asynccontextmanager
async def figures_topics() -> AsyncIterator[Catalog]:
    """Run a broker whose topics receive figures while the context is open."""
    tables: dict[str, dict[str, Any]] = {table: {"topic": topic_of(_PREFIX, table)} for table in TABLES}
    for table, schema in SCHEMAS.items():
        tables[table] |= {"value": "avro", "schema": schema}
    async with EmbeddedBroker() as broker:
        for settings in tables.values():
            broker.create_topic(settings["topic"], _PARTITIONS)
        # Not a TaskGroup, which would wrap the caller's exceptions in a group.
        publishing = asyncio.create_task(publish_figures(broker.bootstrap_servers, _PREFIX))
        try:
            yield Catalog(broker.bootstrap_servers, tables)
        finally:
            publishing.cancel()
            await asyncio.wait([publishing])
