"""Real services on free ports, over a broker that the test owns."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from aiokafka import AIOKafkaProducer

from kvs_graphql.cursor import Cursor
from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.records import Positions, advance
from kvs_graphql.runtime import Running, running
from kvs_graphql.settings import load_settings
from kvs_graphql.state import State
from kvs_graphql.tables import TableUnit
from tests.deadline import SECONDS_MAX
from tests.named import id_of, of_table
from tests.plain import NO_TLS

Pair = tuple[bytes | None, bytes | None]
Header = tuple[str, bytes | None]


@dataclass(frozen=True)
class Served:
    """A running service and a client of it."""

    run: Running
    http: httpx.AsyncClient
    table: str = ""
    """The table that is asked where none is named; empty for the only one."""

    @property
    def unit(self) -> TableUnit:
        """The table that is asked."""
        return self.run.unit(self.table)

    def named(self, document: str) -> str:
        """A document for the only table, made one for the table that is asked."""
        return of_table(document, self.table)

    def id_of(self, key: bytes) -> str:
        """The `id` of an entry of the table that is asked."""
        return id_of(key, self.table)

    async def query(self, document: str, **variables: Any) -> dict[str, Any]:
        """Return the whole answer: data, errors and extensions."""
        response = await self.http.post("/graphql", json={"query": self.named(document), "variables": variables})
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
        self.run.unit(table or self.table).lifecycle.listen(
            lambda moment: reached.set() if moment.state is state else None
        )
        await reached.wait()

    async def reason(self, part: str, table: str = "") -> None:
        """Return once the reason of a table's state contains this."""
        given = asyncio.Event()
        self.run.unit(table or self.table).lifecycle.listen(
            lambda moment: given.set() if part in moment.reason else None
        )
        await given.wait()

    async def applied(self, positions: Positions, table: str = "") -> None:
        """Return once everything below those positions of a table is applied."""
        async with asyncio.timeout(SECONDS_MAX):
            await self.run.unit(table or self.table).feed.reached(positions)


@asynccontextmanager
async def serving(bootstrap_servers: str, topic: str, directory: Path, **settings: Any) -> AsyncIterator[Served]:
    """Serve a topic, with the database in `directory`.

    With `table`, a name, the topic is that table between two others, whose topic is missing.
    """
    table: str = settings.pop("table", "")
    if not table:
        async with _serving(bootstrap_servers, topic=topic, database=directory / "kvs.db", **settings) as served:
            yield served
        return
    missing = {"topic": f"{topic[:200]}-missing", "required": False, "writes": True}
    own = {"topic": topic, "writes": settings.pop("enable_writes", False)}
    tables = {"before": missing, table: own, "behind": missing}
    async with serving_tables(bootstrap_servers, tables, directory, **settings) as served:
        yield replace(served, table=table)


@asynccontextmanager
async def serving_tables(
    bootstrap_servers: str, tables: Mapping[str, Mapping[str, Any]], directory: Path, **settings: Any
) -> AsyncIterator[Served]:
    """Serve a catalog of tables with these settings, with their databases in `directory`."""
    async with _serving(bootstrap_servers, tables=tables, database=directory / "tables", **settings) as served:
        yield served


@asynccontextmanager
async def _serving(bootstrap_servers: str, **settings: Any) -> AsyncIterator[Served]:
    quick = {"port": 0, "retry_seconds_max": 0.5, "metadata_refresh_seconds": 1, "shutdown_seconds_max": 1}
    found = load_settings(bootstrap_servers=bootstrap_servers, **{**quick, **settings})
    async with running(found) as run, httpx.AsyncClient(base_url=run.url, verify=NO_TLS, timeout=SECONDS_MAX) as http:
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

    @property
    def at_end(self) -> Cursor:
        """The cursor of everything that the table has applied."""
        return self.served.unit.feed.cursor

    async def write(self, *records: Pair, headers: Iterable[Header] | None = None) -> Positions:
        """Produce records to partition 0 and return the positions after them, once the service has applied them."""
        if self.served.table:
            await produce(self.bootstrap_servers, other_of(self.name), *elsewhere(*records))
        positions = await produce(self.bootstrap_servers, self.name, *records, headers=headers)
        await self.served.applied(positions)
        return positions


def other_of(topic: str) -> str:
    """The topic of the tables beside a named one."""
    return f"{topic}-other"


def elsewhere(*records: Pair) -> list[Pair]:
    """Other values of the same keys, for the tables beside a named one; keys that it deletes stay there."""
    return [(key, b"of another table") for key, _ in records]


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
    broker: EmbeddedBroker, directory: Path, *records: Pair, topic: str = "", table: str = "", **settings: Any
) -> AsyncIterator[ServedTopic]:
    """A live service that has applied those records; of a new topic of one partition unless one is named.

    With the name of a table, the topic is that table between two others, which have the same keys and other values.
    """
    servers = broker.bootstrap_servers
    name = topic or f"topic-{uuid4().hex}"
    if not topic:
        broker.create_topic(name)
    # Before the service starts: a waiting fetch of the embedded broker takes half a second to see a record.
    positions = await produce(servers, name, *records)
    async with AsyncExitStack() as stack:
        if table:
            broker.create_topic(other_of(name))
            await produce(servers, other_of(name), *elsewhere(*records))
            other, own = {"topic": other_of(name)}, {"topic": name, "writes": settings.pop("enable_writes", False)}
            tables = {"before": other, table: own, "behind": other}
            served = await stack.enter_async_context(serving_tables(servers, tables, directory, **settings))
            served = replace(served, table=table)
        else:
            served = await stack.enter_async_context(serving(servers, name, directory, **settings))
        await served.state(State.LIVE)
        await served.applied(positions)
        yield ServedTopic(served, servers, name)
