"""The store: one consumer writes it, any number of tasks read it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from sqlite3 import Connection
from time import time
from typing import Any

import structlog

from kvs_graphql.cursor import NO_TOPIC_ID, Cursor
from kvs_graphql.database import CacheLimits, Database, look_into, open_database
from kvs_graphql.database_files import remove_database
from kvs_graphql.errors import Damaged, DatabaseError, Unwritable
from kvs_graphql.records import Batch, Commit, Epochs, Positions
from kvs_graphql.store import schema, schemas, writer
from kvs_graphql.store.coverage import Coverage, KnownPositions, read_positions
from kvs_graphql.store.queries import Query
from kvs_graphql.store.schema_ids import SchemaIds
from kvs_graphql.store.schemas import KeptSchemas
from kvs_graphql.store.writer import WindowLimits

log = structlog.get_logger(__name__)

_DEFAULT_CACHES = CacheLimits()


@dataclass(frozen=True, slots=True)
class Source:
    """The topic that the table is built from."""

    topic: str
    topic_id: bytes
    caught_up_at: int
    """The last time the table was at the end of the topic, or else was begun, in milliseconds since 1970."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The results of several queries at one moment, and where the table stood then."""

    cursor: Cursor
    coverage: Coverage
    results: list[Any]
    """The result of each query, in their order."""


class Store:
    """The table in the file at one path. `positions` are those of the last commit, known without a read."""

    def __init__(
        self,
        database: Database,
        limits: WindowLimits,
        path: Path,
        table: str = "",
        caches: CacheLimits = _DEFAULT_CACHES,
        schema_ids: SchemaIds | None = None,
    ) -> None:
        """`table` is the name with which cursors are labelled; empty where there is only one table.

        `schema_ids` notices the schemas that records name, also while the table is rebuilt.
        """
        self.schema_ids = schema_ids or SchemaIds()
        self._database = database
        self._caches = caches
        self._table = table
        self._known = KnownPositions(table)
        self._shadow_path = path.with_name(f"{path.name}.rebuild")
        self._limits = limits
        self._deletes = 0
        self.source: Source | None = None
        self.positions: Positions = ()
        self.epochs: Epochs = ()
        """The leader epochs at these positions."""
        self.deletes_known_from: Positions = ()
        """From where on every delete is remembered, as of the last commit."""
        self.generation = 0
        """Changes whenever a rebuilt table replaces this one."""
        self.indexed = asyncio.Event()
        """Set once the first read of the topic is over and the table can be read in log order."""

    @property
    def cursor(self) -> Cursor:
        """Where the table stands, as of the last commit."""
        topic_id = NO_TOPIC_ID if self.source is None else self.source.topic_id
        return Cursor(topic_id, self.positions, (), self.epochs, self._table)

    async def begin(self, topic: str, topic_id: bytes, deletes_known_from: Positions, at_ms: int = 0) -> None:
        """Begin an empty table: every partition at offset 0, deletes remembered from the given offsets on.

        These must be on the safe side: `caught_up` replaces them once the topic has been read.
        """
        source = Source(topic, topic_id, at_ms)
        await self._database.transaction(partial(_begin, source=source, deletes_known_from=deletes_known_from))
        self.source = source
        self.positions = (0,) * len(deletes_known_from)
        self.epochs = ()
        self.deletes_known_from = deletes_known_from

    async def apply(self, batch: Batch) -> Commit:
        """Commit a batch: its entries, changes and positions in one transaction.

        A cancelled call may have committed: read the positions back with `reload` before the next call.

        Raises:
            Unwritable: Nothing of the batch was written.
            Damaged: The file does not hold what was written to it.
        """
        before = self.positions

        def work(connection: Connection) -> tuple[Commit, int, Positions]:
            commit, deletes = writer.apply(connection, batch, before, self._deletes, self._limits)
            return commit, deletes, writer.deletes_known_from(connection)

        commit, self._deletes, self.deletes_known_from = await self._database.transaction(work)
        self.positions, self.epochs = commit.after, batch.epochs
        if self.schema_ids.are_wanted:
            self.schema_ids.notice(commit.changes)
        return commit

    async def caught_up(self, at_ms: int, deletes_known_from: Positions | None = None) -> None:
        """Record that the table was at the end of the topic at `at_ms`.

        The first time, build the indexes, and remember deletes from the given offsets on; None keeps those of `begin`.
        """
        first = not self.indexed.is_set()

        def work(connection: Connection) -> None:
            schema.build_indexes(connection)
            connection.execute("UPDATE source SET caught_up_at = ?", (at_ms,))
            if first and deletes_known_from is not None:
                writer.remember_deletes_from(connection, deletes_known_from)

        await self._database.transaction(work)
        if self.source is not None:
            self.source = replace(self.source, caught_up_at=at_ms)
        if first:
            await self._forget_deletes()

    async def _forget_deletes(self) -> None:
        """Keep to the limit of remembered deletes. Afterwards, watches may read the table in log order."""

        def work(connection: Connection) -> tuple[int, Positions]:
            return writer.forget_deletes(connection, self._limits), writer.deletes_known_from(connection)

        self._deletes, self.deletes_known_from = await self._database.transaction(work)
        self.indexed.set()

    @asynccontextmanager
    async def shadow(self) -> AsyncIterator["Store"]:
        """Open an empty shadow store, in which to rebuild the table; `swap` follows once it is closed.

        Raises:
            Unwritable: The shadow store cannot be opened or written. Its files are removed.
        """
        await self.remove_shadow()
        # Only one of the two is written at a time, and one cache is as large as all other memory.
        await self._database.release_memory()
        try:
            async with open_store(
                self._shadow_path, self._limits, readers=1, caches=self._caches, schema_ids=self.schema_ids
            ) as shadow:
                yield shadow
        except (DatabaseError, Unwritable) as error:
            # What it took of a full disk is needed elsewhere.
            await self.remove_shadow()
            raise Unwritable(f"The new table cannot be written: {error}") from error

    async def swap(self) -> None:
        """Replace this table with the one in the shadow database. Reads go on meanwhile; none sees a mixture.

        Raises:
            Unwritable: Nothing has changed, and the shadow database is still there.
        """
        # Counted before and after, so that a reader that begins in between notices, too.
        self.generation += 1
        kept = await self.kept_schemas() if self.schema_ids.are_wanted else None
        await self._database.swap(self._shadow_path)
        if kept is not None:
            await self.keep_schemas(kept)
        await self.reload()
        self.generation += 1

    async def remove_shadow(self) -> None:
        """Remove the shadow database that an earlier rebuild left behind, if there is one."""
        await asyncio.to_thread(remove_database, self._shadow_path)

    async def kept_schemas(self) -> KeptSchemas:
        """Return the schemas of keys and values that the file has."""
        return await self._database.transaction(schemas.kept)

    async def ids_in_keys(self, at_most: int) -> list[int]:
        """Return the ids of schemas that keys begin with."""
        return await self._database.transaction(partial(schemas.ids_in_keys, at_most=at_most))

    async def keep_schemas(self, kept: KeptSchemas) -> None:
        """Keep schemas in the file; others stay.

        Raises:
            Unwritable: None of them was kept.
        """
        await self._database.transaction(partial(schemas.keep, schemas=kept))

    async def read(
        self, *queries: Query[Any], is_queued: bool = True, seen: Callable[[Snapshot], None] | None = None
    ) -> Snapshot:
        """Run all queries in one snapshot; `is_queued` as in `Database.snapshot`.

        `seen` gets the snapshot earlier than the caller, in SQLite's thread.

        Raises:
            Unavailable: The file cannot be read.
        """

        def work(connection: Connection) -> Snapshot:
            snapshot = Snapshot(*self._known.of(connection), [query(connection) for query in queries])
            if seen is not None:
                seen(snapshot)
            return snapshot

        return await self._database.snapshot(work, is_queued=is_queued)

    async def reload(self) -> None:
        """Read back what this object knows of the file: its source, positions and indexes."""

        def work(connection: Connection) -> tuple[Source | None, Cursor, Coverage]:
            row = connection.execute("SELECT topic, topic_id, caught_up_at FROM source").fetchone()
            return (
                None if row is None else Source(*row),
                *read_positions(connection, self._table),
            )

        self.source, cursor, known = await self._database.transaction(work)
        self.positions, self.epochs, self.deletes_known_from = cursor.positions, cursor.epochs, known.deletes_known_from
        if known.indexed:
            await self._forget_deletes()


@asynccontextmanager
async def open_store(
    path: Path,
    limits: WindowLimits,
    *,
    readers: int,
    table: str = "",
    caches: CacheLimits = _DEFAULT_CACHES,
    schema_ids: SchemaIds | None = None,
) -> AsyncIterator[Store]:
    """Open the store at `path`, and lock out other writers. Create or migrate the file if needed.

    `table` is the name with which cursors are labelled; empty where there is only one table. `schema_ids` notices the
    schemas that records name.

    A damaged file is moved aside and replaced with an empty one, to be read from Kafka again.

    Raises:
        DatabaseError: Another process writes to the file, a newer version wrote it, or it cannot be opened.
    """
    async with AsyncExitStack() as stack:
        try:
            database = await stack.enter_async_context(
                open_database(path, schema.prepare, readers=readers, caches=caches)
            )
        except Damaged as damage:
            aside = await asyncio.to_thread(_move_aside, path)
            log.warning("damaged database moved aside, rebuilding the table", reason=str(damage), moved_to=str(aside))
            database = await stack.enter_async_context(
                open_database(path, schema.prepare, readers=readers, caches=caches)
            )
        store = Store(database, limits, path, table, caches, schema_ids)
        await store.reload()
        await store.remove_shadow()
        yield store


def topic_in(path: Path) -> str | None:
    """Return the topic of the table at `path`, which a service may be using; None if there is no table. Blocks.

    Raises:
        Damaged: The file is not a database.
        DatabaseError: A newer version wrote the file, or it cannot be opened, or may not be written, or is a link.
    """
    return look_into(path, schema.topic_of)


def _move_aside(path: Path) -> Path:
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
