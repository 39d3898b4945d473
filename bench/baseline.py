"""The baseline: what a developer writes first, with a queue and an execution per subscriber.

Strawberry with its defaults, one aiosqlite connection, a consumer group. It answers the documents of `bench.queries`
and stays as plain as such services usually are.
"""

import asyncio
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import aiosqlite
import click
import strawberry
import uvicorn
from aiokafka import AIOKafkaConsumer
from starlette.applications import Starlette
from starlette.routing import Route, WebSocketRoute
from strawberry.asgi import GraphQL

COMMIT_RECORDS = 500
COLUMNS = "key, value, partition, offset, timestamp"
CREATE = "CREATE TABLE IF NOT EXISTS entry (key TEXT PRIMARY KEY, value TEXT, partition INT, offset INT, timestamp INT)"
UPSERT = (
    f"INSERT INTO entry ({COLUMNS}) VALUES (?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value, "
    "partition = excluded.partition, offset = excluded.offset, timestamp = excluded.timestamp"
)


@strawberry.type
class Entry:
    key: str
    value: str
    partition: int
    offset: int
    timestamp: datetime


@strawberry.type
class Edge:
    node: Entry


@strawberry.type
class Connection:
    edges: list[Edge]


@strawberry.type
class Update:
    kind: str
    key: str
    entry: Entry | None
    cursor: str


class State:
    """State that the consumer, the resolvers and the subscribers share."""

    database: aiosqlite.Connection
    applied = 0
    subscribers: set[tuple["asyncio.Queue[Entry]", frozenset[str] | None]] = set()  # noqa: RUF012 - one per process


async def fetch(sql: str, *parameters: object) -> list[Entry]:
    rows = await State.database.execute_fetchall(sql, parameters)
    return [_entry(*row) for row in rows]


@strawberry.type
class Query:
    @strawberry.field
    async def value(self, key: str) -> Entry | None:
        found = await fetch(f"SELECT {COLUMNS} FROM entry WHERE key = ?", key)
        return found[0] if found else None

    @strawberry.field
    async def values(self, keys: list[str]) -> list[Entry | None]:
        marks = ", ".join("?" * len(keys))
        found = {
            entry.key: entry for entry in await fetch(f"SELECT {COLUMNS} FROM entry WHERE key IN ({marks})", *keys)
        }
        return [found.get(key) for key in keys]

    @strawberry.field
    async def entries(self, first: int, after: str | None = None) -> Connection:
        start = urlsafe_b64decode(after + "=" * (-len(after) % 4)).decode() if after else ""
        sql = f"SELECT {COLUMNS} FROM entry WHERE key > ? ORDER BY key LIMIT ?"
        return Connection(edges=[Edge(node=entry) for entry in await fetch(sql, start, first)])

    @strawberry.field
    def applied(self) -> int:
        return State.applied


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def updates(self, keys: list[str] | None = None) -> AsyncGenerator[Update, None]:
        queue: asyncio.Queue[Entry] = asyncio.Queue()
        subscriber = (queue, None if keys is None else frozenset(keys))
        State.subscribers.add(subscriber)
        try:
            while True:
                entry = await queue.get()
                cursor = urlsafe_b64encode(f"{entry.partition}:{entry.offset}".encode()).decode()
                yield Update(kind="SET", key=entry.key, entry=entry, cursor=cursor)
        finally:
            State.subscribers.discard(subscriber)


async def consume(bootstrap_servers: str, topic: str, group: str) -> None:
    """Read the topic into the table, with a commit every COMMIT_RECORDS, and notify the subscribers."""
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap_servers, group_id=group, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        while True:
            fetched = await consumer.getmany(timeout_ms=100, max_records=COMMIT_RECORDS)
            rows = [_row(message) for messages in fetched.values() for message in messages]
            if rows:
                await State.database.executemany(UPSERT, rows)
                await State.database.commit()
                State.applied += len(rows)
                notify(rows)
    finally:
        await consumer.stop()


def notify(rows: list[tuple[Any, ...]]) -> None:
    for row in rows if State.subscribers else ():
        entry = _entry(*row)
        for queue, keys in State.subscribers:
            if keys is None or entry.key in keys:
                queue.put_nowait(entry)


def _row(message: Any) -> tuple[Any, ...]:
    return message.key.decode(), message.value.decode(), message.partition, message.offset, message.timestamp


def _entry(key: str, value: str, partition: int, offset: int, timestamp: int) -> Entry:
    return Entry(key=key, value=value, partition=partition, offset=offset, timestamp=_time(timestamp))


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


@click.command()
@click.option("--port", type=int, required=True)
@click.option("--bootstrap-servers", required=True)
@click.option("--topic", required=True)
@click.option("--database", required=True)
@click.option("--group", required=True)
def main(port: int, bootstrap_servers: str, topic: str, database: str, group: str) -> None:
    """Serve a topic."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with aiosqlite.connect(database) as State.database:
            await State.database.execute(CREATE)
            consuming = asyncio.create_task(consume(bootstrap_servers, topic, group))
            yield
            consuming.cancel()
            with suppress(asyncio.CancelledError):
                await consuming

    view = GraphQL[None, None](strawberry.Schema(Query, subscription=Subscription))
    routes = [Route("/graphql", view), WebSocketRoute("/graphql", view)]
    uvicorn.run(Starlette(routes=routes, lifespan=lifespan), port=port, access_log=False, log_level="warning")


if __name__ == "__main__":
    main()
