"""Real services on free ports, over a broker that the test owns."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from aiokafka import AIOKafkaProducer

from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.records import Positions, advance
from kvs_graphql.runtime import Running, running
from kvs_graphql.settings import load_settings
from kvs_graphql.state import State
from tests.deadline import SECONDS_MAX

Pair = tuple[bytes | None, bytes | None]
Header = tuple[str, bytes | None]


@dataclass(frozen=True)
class Served:
    """A running service and a client of it."""

    run: Running
    http: httpx.AsyncClient

    async def query(self, document: str, **variables: Any) -> dict[str, Any]:
        """Return the whole answer: data, errors and extensions."""
        response = await self.http.post("/graphql", json={"query": document, "variables": variables})
        answer: dict[str, Any] = response.json()
        return answer

    async def data(self, document: str, **variables: Any) -> Any:
        """Return the data of an answer without errors."""
        answer = await self.query(document, **variables)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    async def code(self, document: str, **variables: Any) -> str:
        """Return the code of an answer's only error."""
        (error,) = (await self.query(document, **variables))["errors"]
        code: str = error["extensions"]["code"]
        return code

    async def state(self, state: State, table: str = "") -> None:
        """Return once a table is in that state; by default the only one."""
        reached = asyncio.Event()
        self.run.unit(table).lifecycle.listen(lambda moment: reached.set() if moment.state is state else None)
        await reached.wait()

    async def reason(self, part: str, table: str = "") -> None:
        """Return once the reason of a table's state contains this."""
        given = asyncio.Event()
        self.run.unit(table).lifecycle.listen(lambda moment: given.set() if part in moment.reason else None)
        await given.wait()

    async def applied(self, positions: Positions, table: str = "") -> None:
        """Return once everything below those positions of a table is applied."""
        async with asyncio.timeout(SECONDS_MAX):
            await self.run.unit(table).feed.reached(positions)


@asynccontextmanager
async def serving(bootstrap_servers: str, topic: str, directory: Path, **settings: Any) -> AsyncIterator[Served]:
    """Serve a topic, with the database in `directory`."""
    found = load_settings(
        bootstrap_servers=bootstrap_servers,
        topic=topic,
        database=directory / "kvs.db",
        **{"port": 0, "retry_seconds_max": 0.5, "metadata_refresh_seconds": 1, "shutdown_seconds_max": 1, **settings},
    )
    async with running(found) as run, httpx.AsyncClient(base_url=run.url, timeout=SECONDS_MAX) as http:
        yield Served(run, http)


@asynccontextmanager
async def serving_tables(
    bootstrap_servers: str, tables: Mapping[str, Mapping[str, Any]], directory: Path, **settings: Any
) -> AsyncIterator[Served]:
    """Serve a catalog of tables with these settings, with their databases in `directory`."""
    found = load_settings(
        bootstrap_servers=bootstrap_servers,
        tables=tables,
        database=directory / "tables",
        **{"port": 0, "retry_seconds_max": 0.5, "metadata_refresh_seconds": 1, "shutdown_seconds_max": 1, **settings},
    )
    async with running(found) as run, httpx.AsyncClient(base_url=run.url, timeout=SECONDS_MAX) as http:
        yield Served(run, http)


@contextmanager
def nothing_applied(directory: Path, file: str = "kvs.db") -> Iterator[None]:
    """Hold the lock of the database in `directory`: while the context is open, its service writes nothing."""
    with closing(sqlite3.connect(directory / file, isolation_level=None)) as intruder:
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


@dataclass(frozen=True)
class ServedTopic:
    """A running service, and the topic that it serves."""

    served: Served
    bootstrap_servers: str
    name: str

    async def write(self, *records: Pair, headers: Iterable[Header] | None = None) -> Positions:
        """Produce records to partition 0 and return the positions after them, once the service has applied them."""
        positions = await produce(self.bootstrap_servers, self.name, *records, headers=headers)
        await self.served.applied(positions)
        return positions


async def produce(
    bootstrap_servers: str,
    topic: str,
    *records: Pair,
    headers: Iterable[Header] | None = None,
    timestamp_ms: int | None = None,
) -> Positions:
    """Produce records to partition 0 and return the positions after them, once Kafka has them."""
    positions: Positions = ()
    async with AIOKafkaProducer(bootstrap_servers=bootstrap_servers, max_request_size=2**21) as producer:
        for key, value in records:
            sent = await producer.send_and_wait(topic, value, key, 0, timestamp_ms=timestamp_ms, headers=headers)
            positions = advance(positions, sent.partition, sent.offset + 1)
    return positions


@asynccontextmanager
async def serving_topic(
    broker: EmbeddedBroker, directory: Path, *records: Pair, topic: str = "", **settings: Any
) -> AsyncIterator[ServedTopic]:
    """A live service that has applied those records; of a new topic of one partition unless one is named."""
    servers = broker.bootstrap_servers
    name = topic or f"topic-{uuid4().hex}"
    if not topic:
        broker.create_topic(name)
    # Before the service starts: a waiting fetch of the embedded broker takes half a second to see a record.
    positions = await produce(servers, name, *records)
    async with serving(servers, name, directory, **settings) as served:
        await served.state(State.LIVE)
        await served.applied(positions)
        yield ServedTopic(served, servers, name)
