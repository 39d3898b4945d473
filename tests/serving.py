"""Services for tests: the real thing, on a free port, over a broker that the test owns."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from aiokafka import AIOKafkaProducer

from kvs_graphql.records import Positions, advance
from kvs_graphql.runtime import Running, running
from kvs_graphql.settings import load_settings
from kvs_graphql.state import State


@dataclass(frozen=True)
class Served:
    """A running service and a client of it."""

    run: Running
    http: httpx.AsyncClient

    async def query(self, document: str, **variables: Any) -> dict[str, Any]:
        """The whole answer: data, errors and extensions."""
        response = await self.http.post("/graphql", json={"query": document, "variables": variables})
        answer: dict[str, Any] = response.json()
        return answer

    async def data(self, document: str, **variables: Any) -> Any:
        """The data of an answer without errors."""
        answer = await self.query(document, **variables)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    async def code(self, document: str, **variables: Any) -> str:
        """The code of the one error of an answer."""
        (error,) = (await self.query(document, **variables))["errors"]
        code: str = error["extensions"]["code"]
        return code

    async def state(self, state: State) -> None:
        """Return once the service is in that state."""
        reached = asyncio.Event()
        self.run.lifecycle.listen(lambda moment: reached.set() if moment.state is state else None)
        await reached.wait()

    async def applied(self, positions: Positions) -> None:
        """Return once everything below those positions is applied."""
        async with asyncio.timeout(30):
            await self.run.feed.reached(positions)


@asynccontextmanager
async def serving(bootstrap_servers: str, topic: str, directory: Path, **settings: Any) -> AsyncIterator[Served]:
    """A service of that topic, with its database in `directory`."""
    found = load_settings(
        bootstrap_servers=bootstrap_servers,
        topic=topic,
        database=directory / "kvs.db",
        **{"port": 0, "retry_seconds_max": 0.5, "metadata_refresh_seconds": 1, "shutdown_seconds_max": 1, **settings},
    )
    async with running(found) as run, httpx.AsyncClient(base_url=run.url, timeout=30) as http:
        yield Served(run, http)


@contextmanager
def nothing_applied(directory: Path) -> Iterator[None]:
    """While the context is open, the service with its database there writes nothing: somebody else holds the lock."""
    with closing(sqlite3.connect(directory / "kvs.db", isolation_level=None)) as intruder:
        intruder.execute("BEGIN IMMEDIATE")
        yield


async def write(
    bootstrap_servers: str,
    topic: str,
    records: Iterable[tuple[bytes | None, bytes | None]],
    headers: list[tuple[str, bytes]] | None = None,
) -> Positions:
    """Produce records, in order; return the positions just after them, once Kafka has them."""
    positions: Positions = ()
    async with AIOKafkaProducer(bootstrap_servers=bootstrap_servers) as producer:
        for key, value in records:
            written = await producer.send_and_wait(topic, value, key=key, headers=headers)
            positions = advance(positions, written.partition, written.offset + 1)
    return positions
