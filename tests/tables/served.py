"""What the tests of several tables ask of a service."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any

from kvs_graphql.client import connect
from tests.kafka.broker import KafkaBroker
from tests.kafka.equality import assert_equal_to_the_log
from tests.serving import Served

TABLES = ("orders", "orderItems")
"""The tables of the service in `conftest.py`."""


class OneTable:
    """One table of a service, asked as if it were the only one."""

    def __init__(self, served: Served, name: str) -> None:
        self._served = served
        self._name = name

    async def data(self, document: str, **variables: Any) -> Any:
        """The data of an answer without errors, by the fields that a single table has."""
        named = document.replace("entries(", f"entries: {self._name}Entries(")
        return await self._served.data(named, **variables)

    async def applied(self, positions: tuple[int, ...]) -> None:
        """Return once everything below those positions is applied."""
        await self._served.applied(positions, self._name)


async def assert_equal_to_the_logs(served: Served, broker: KafkaBroker, topics: Mapping[str, str]) -> None:
    """Wait for the end of each topic, and compare its table with it, key by key."""
    for table, topic in topics.items():
        await assert_equal_to_the_log(OneTable(served, table), broker, topic)


async def until_ready(served: Served) -> None:
    """Return once the service is ready: its tables have caught up, and their schemas are known."""
    while True:
        if (await served.http.get("/readyz")).status_code == 200:
            return
        await asyncio.sleep(0.01)


async def put(served: Served, table: str, key: str, value: str) -> str:
    """Write a value by the table's own mutation; return the cursor."""
    field = f"{table}Set"
    document = f"mutation($k: String!, $v: String!) {{ {field}(key: $k, value: $v) {{ cursor }} }}"
    found: str = (await served.data(document, k=key, v=value))[field]["cursor"]
    return found


async def value(served: Served, table: str, key: str, at_least: str | None = None) -> str | None:
    """The value of a key, at that cursor or later."""
    document = f"query($k: String!, $at: Cursor) {{ found: {table}Value(key: $k, atLeast: $at) {{ value }} }}"
    found = (await served.data(document, k=key, at=at_least))["found"]
    return None if found is None else found["value"]


@asynccontextmanager
async def watching(served: Served, table: str, after: str) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
    """The updates of a table after a cursor."""
    field = f"{table}Updates"
    document = (
        f"subscription($after: Cursor) {{ {field}(after: $after) "
        "{ kind key entry { value } partition offset cursor } }"
    )
    async with connect(served.run.url) as client, aclosing(client.subscribe(document, {"after": after})) as events:
        yield (event[field] async for event in events)
