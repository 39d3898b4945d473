"""Two tables of one service."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.state import State
from tests.deadline import SECONDS_MAX
from tests.serving import Served, serving_tables
from tests.tables.served import TABLES


@pytest.fixture
async def topics(embedded_broker: EmbeddedBroker, embedded_topic: str) -> dict[str, str]:
    """The topic of each table."""
    found = {table: f"{embedded_topic}-{table}" for table in TABLES}
    for topic in found.values():
        embedded_broker.create_topic(topic, 1)
    return found


@pytest.fixture
async def served(embedded_broker: EmbeddedBroker, topics: dict[str, str], tmp_path: Path) -> AsyncIterator[Served]:
    """Two tables that take writes, live."""
    tables = {table: {"topic": topic, "writes": True} for table, topic in topics.items()}
    async with serving_tables(embedded_broker.bootstrap_servers, tables, tmp_path) as served:
        async with asyncio.timeout(SECONDS_MAX):
            for table in TABLES:
                await served.state(State.LIVE, table)
        yield served
