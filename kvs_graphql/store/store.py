"""The store: what the consumer writes and everybody reads."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from sqlite3 import Connection
from time import time
from typing import Any

import structlog

from kvs_graphql.cursor import NO_TOPIC_ID, Cursor
from kvs_graphql.database import Database, open_database
from kvs_graphql.errors import Damaged
from kvs_graphql.records import Batch, Commit, Positions
from kvs_graphql.store import schema, writer
from kvs_graphql.store.queries import Query
from kvs_graphql.store.writer import WindowLimits

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Source:
    """What the table is built from."""

    topic: str
    topic_id: bytes
    caught_up_at: int
    """When it last stood at the end of the topic, or was begun, in milliseconds since 1970."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What several queries read at one moment, and the positions of that moment."""

    cursor: Cursor
    results: list[Any]
    """One result a query, in order, of the query's own type."""


class Store:
    """The table at one path. One consumer writes it; reads may come from any number of tasks.

    `positions` are those of the last commit, known without a read.
    """

    def __init__(self, database: Database, limits: WindowLimits, path: Path) -> None:
        self._database = database
        self._shadow_path = path.with_name(f"{path.name}.rebuild")
        self._limits = limits
        self._deletes = 0
        self.source: Source | None = None
        self.positions: Positions = ()
        self.generation = 0
        """Another number means that the table was replaced by one built again."""
        self.indexed = asyncio.Event()
        """Set once the first read of the topic is over, and log order can be read."""

    async def begin(self, topic: str, topic_id: bytes, deletes_known_from: Positions, at_ms: int = 0) -> None:
        """Start an empty table for a topic: every partition at its beginning, deletes known from those offsets."""
        source = Source(topic, topic_id, at_ms)
        await self._database.transaction(partial(_begin, source=source, deletes_known_from=deletes_known_from))
        self.source = source
        self.positions = (0,) * len(deletes_known_from)

    async def apply(self, batch: Batch) -> Commit:
        """Make a batch durable: entries, changes and positions in one transaction.

        A cancelled call may have been committed: read the positions back (`reload`) before applying again.

        Raises:
            Unwritable: Nothing of the batch was written.
            Damaged: The file is not what was written.
        """
        work = partial(writer.apply, batch=batch, before=self.positions, deletes=self._deletes, limits=self._limits)
        commit, self._deletes = await self._database.transaction(work)
        self.positions = commit.after
        return commit

    async def caught_up(self, at_ms: int) -> None:
        """Note that the table stood at the end of the topic at `at_ms`; the first time, build the indexes."""

        def note(connection: Connection) -> None:
            schema.build_indexes(connection)
            connection.execute("UPDATE source SET caught_up_at = ?", (at_ms,))

        await self._database.transaction(note)
        if self.source is not None:
            self.source = replace(self.source, caught_up_at=at_ms)
        if not self.indexed.is_set():
            self._deletes = await self._database.transaction(lambda c: writer.forget_deletes(c, self._limits))
            self.indexed.set()

    @asynccontextmanager
    async def shadow(self) -> AsyncIterator["Store"]:
        """An empty store in a file beside this one's, to build the table again in; see `swap`."""
        await asyncio.to_thread(_remove, self._shadow_path)
        async with open_store(self._shadow_path, self._limits, readers=1) as fresh:
            yield fresh

    async def swap(self) -> None:
        """Put what was built beside in this store's place. Reads wait for a moment; none sees a mixture."""
        # Counted on both sides of the change: whoever begins in between notices too.
        self.generation += 1
        await self._database.swap(self._shadow_path)
        await self.reload()
        self.generation += 1

    async def read(self, *queries: Query[Any]) -> Snapshot:
        """Run queries, all of them in one snapshot.

        Raises:
            Unavailable: The file cannot be read.
        """

        def work(connection: Connection) -> tuple[bytes, Positions, list[Any]]:
            topic_id, positions = _place(connection)
            return topic_id, positions, [query(connection) for query in queries]

        topic_id, positions, results = await self._database.snapshot(work)
        return Snapshot(Cursor(topic_id, positions), results)

    async def reload(self) -> None:
        """Read back from the file what this object knows of it."""

        def work(connection: Connection) -> tuple[Source | None, Positions, bool]:
            row = connection.execute("SELECT topic, topic_id, caught_up_at FROM source").fetchone()
            return None if row is None else Source(*row), _place(connection)[1], schema.is_indexed(connection)

        self.source, self.positions, indexed = await self._database.transaction(work)
        if indexed:
            self._deletes = await self._database.transaction(lambda c: writer.forget_deletes(c, self._limits))
            self.indexed.set()


@asynccontextmanager
async def open_store(path: Path, limits: WindowLimits, *, readers: int) -> AsyncIterator[Store]:
    """The store at `path`, made or migrated if need be, and held against other writers.

    A damaged file is put aside, and an empty one begun: Kafka has what was in it.

    Raises:
        DatabaseError: The file is held by another process, was written by a newer version, or cannot be opened.
    """
    async with AsyncExitStack() as stack:
        try:
            database = await stack.enter_async_context(open_database(path, schema.prepare, readers=readers))
        except Damaged as damage:
            aside = await asyncio.to_thread(_put_aside, path)
            log.warning("database put aside, the table is built again", reason=str(damage), kept=str(aside))
            database = await stack.enter_async_context(open_database(path, schema.prepare, readers=readers))
        store = Store(database, limits, path)
        await store.reload()
        yield store


def _put_aside(path: Path) -> Path:
    aside = path.with_name(f"{path.name}.damaged-{int(time())}")
    path.replace(aside)
    for suffix in ("-wal", "-shm"):
        rest = path.with_name(path.name + suffix)
        if rest.exists():
            rest.replace(aside.with_name(aside.name + suffix))
    return aside


def _begin(connection: Connection, source: Source, deletes_known_from: Positions) -> None:
    connection.execute(
        "INSERT INTO source (id, topic, topic_id, caught_up_at) VALUES (1, ?, ?, ?)",
        (source.topic, source.topic_id, source.caught_up_at),
    )
    connection.executemany(
        "INSERT INTO position (partition, next_offset, window_start, deletes_known_from) VALUES (?, 0, 0, ?)",
        list(enumerate(deletes_known_from)),
    )


def _remove(path: Path) -> None:
    """Remove a database that was left behind, with what SQLite and the lock keep beside it."""
    for suffix in ("", "-wal", "-shm", ".lock"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _place(connection: Connection) -> tuple[bytes, Positions]:
    found = connection.execute("SELECT topic_id FROM source").fetchone()
    rows = connection.execute("SELECT next_offset FROM position ORDER BY partition").fetchall()
    return NO_TOPIC_ID if found is None else found[0], tuple(offset for (offset,) in rows)
