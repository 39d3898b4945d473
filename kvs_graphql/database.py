"""A SQLite file in WAL mode, with one connection that writes and a few that only read.

A transaction is one plain function that runs in its connection's own thread. It costs one hop there and back, and
no other task's statements can slip into it.

Each reading connection takes a thread and two descriptors, so it opens when all open ones are busy for the first time:
of many tables, most are rarely read.
"""

import asyncio
import os
import sqlite3
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from kvs_graphql.compat.aiosqlite import DatabaseConnection, Work, connect
from kvs_graphql.database_files import (
    beside,
    create_privately,
    files_of,
    leave_clean_shutdown_marker,
    locked,
    refuse_links,
    remove_database,
    take_clean_shutdown_marker,
)
from kvs_graphql.errors import Damaged, DatabaseError, Unavailable, Unwritable

T = TypeVar("T")

# The check takes about 2 s per GiB. Damage in larger files shows only when the damaged page is read.
_CHECKED_BYTES_MAX = 1024**3
_BUSY_TIMEOUT_MS = 5_000
# Each keeps a copy of what was last bound to it, and those of records keep most.
_WRITER_STATEMENTS = 64
_READER_STATEMENTS = 128
_CHECKPOINT_PAGES = 20_000
_WRITER_NICENESS, _NICENESS_MAX = 10, 19
# NORMAL: a power cut can lose the last commits, but not reorder them. The positions are lost with the records, so
# the records are read from Kafka again.
_WRITER_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=NORMAL",
    f"wal_autocheckpoint={_CHECKPOINT_PAGES}",
    f"busy_timeout={_BUSY_TIMEOUT_MS}",
    "journal_size_limit=67108864",
)
_READER_PRAGMAS = ("query_only=ON", f"busy_timeout={_BUSY_TIMEOUT_MS}")


@dataclass(frozen=True, slots=True)
class CacheLimits:
    """How many bytes of a file's pages a connection may keep in memory."""

    writer_bytes_max: int = 256 * 2**20
    """Catching up with many keys in no order is twice as fast as with SQLite's own default."""
    reader_bytes_max: int = 32 * 2**20


_DEFAULT_CACHES = CacheLimits()


def share_of(readers: int) -> int:
    """How many of the connections one kind of long reads may use at once, so that one is left for others."""
    return max(1, (readers - 1) // 2)


@dataclass(slots=True)
class _Reader:
    """A reading connection, open or not yet."""

    connection: DatabaseConnection | None = None


class Database:
    """An open file: `transaction` writes, `snapshot` reads. Any number of tasks may call both."""

    def __init__(self, path: Path, readers: int, caches: CacheLimits) -> None:
        self._path = path
        self._caches = caches
        # The one that was used last is taken first: open ones before the others.
        self._readers: asyncio.LifoQueue[_Reader] = asyncio.LifoQueue()
        for _ in range(readers):
            self._readers.put_nowait(_Reader())
        self._queue = asyncio.Semaphore(share_of(readers))
        self._writing = asyncio.Lock()
        self._open: list[DatabaseConnection] = []

    async def open(self) -> None:
        """Open the writing connection. Raises as SQLite does."""
        pragmas = (*_WRITER_PRAGMAS, _cache_size(self._caches.writer_bytes_max))
        self._open.append(await _connect(self._path, "rwc", pragmas, _WRITER_STATEMENTS))
        await self._open[0].run(lambda _: _lower_thread_priority())

    async def close(self) -> None:
        """Close each connection once its work is done. Closing the last one leaves a single file."""
        while self._open:
            await self._open.pop().close()

    async def prepare(self, work: Work[None], *, check: bool) -> None:
        """Check the file for damage if `check` is set and the file is small enough, then run the first transaction.

        Raises as SQLite does.
        """
        if check and (await asyncio.to_thread(self._path.stat)).st_size <= _CHECKED_BYTES_MAX:
            await self._open[0].run(_check_for_damage)
        await self._open[0].run(lambda connection: _committed(connection, "BEGIN IMMEDIATE", work))

    async def swap(self, other: Path) -> None:
        """Replace all that this file holds with what another one holds, in one transaction; then remove the other.

        Writers wait meanwhile. Readers, also those of other processes, see the old contents until it is committed, and
        then the new ones.

        Raises:
            Unwritable: It failed. Nothing has changed.
        """
        try:
            async with self._writing:
                await self._open[0].run(lambda connection: _copy(other, connection))
                await self._open[0].run(lambda _: remove_database(other))
        except sqlite3.Error as error:
            raise Unwritable(f"The database cannot be replaced with {other}: {_described(error)}.") from error

    async def release_memory(self) -> None:
        """Empty the writing connection's cache: nothing is written for a while."""
        async with self._writing:
            await self._open[0].run(lambda connection: connection.execute("PRAGMA shrink_memory"))

    async def transaction(self, work: Work[T]) -> T:
        """Run `work` under BEGIN IMMEDIATE and commit. An exception rolls back all of it.

        Cancelling the caller does not stop `work` once it has begun: read the file to learn whether it was committed.

        Raises:
            Unwritable: The database takes no writes now. Nothing was written.
            Damaged: The file does not hold what was written to it.
        """
        try:
            async with self._writing:
                return await self._open[0].run(lambda connection: _committed(connection, "BEGIN IMMEDIATE", work))
        except sqlite3.OperationalError as error:
            raise Unwritable(f"The database cannot be written: {_described(error)}.") from error
        except sqlite3.DatabaseError as error:
            raise Damaged(f"The database is damaged: {error}.") from error

    async def snapshot(self, work: Work[T], *, is_queued: bool = True) -> T:
        """Run `work` on a free read-only connection. Everything it reads belongs to one snapshot.

        Work that `is_queued` shares a part of the connections, and waits for others of its kind. Other work waits for a
        free connection only: whoever starts it sees to it that there is little of it at once.

        Raises:
            Unavailable: The file cannot be read.
        """
        if not is_queued:
            return await self._snapshot(work)
        async with self._queue:
            return await self._snapshot(work)

    async def _snapshot(self, work: Work[T]) -> T:
        reader = await self._readers.get()
        try:
            if reader.connection is None:
                await self._open_reader(reader)
            assert reader.connection is not None
            return await reader.connection.run(lambda connection: _committed(connection, "BEGIN", work))
        except sqlite3.Error as error:
            raise Unavailable("The table cannot be read.") from error
        finally:
            self._readers.put_nowait(reader)

    async def _open_reader(self, reader: _Reader) -> None:
        async def open_it() -> None:
            pragmas = (*_READER_PRAGMAS, _cache_size(self._caches.reader_bytes_max))
            reader.connection = await _connect(self._path, "ro", pragmas, _READER_STATEMENTS)
            self._open.append(reader.connection)

        opening = asyncio.ensure_future(open_it())
        try:
            await asyncio.shield(opening)
        except asyncio.CancelledError:
            # Whoever takes this reader next finds it open.
            await asyncio.wait([opening])
            raise


@asynccontextmanager
async def open_database(
    path: Path, prepare: Work[None], *, readers: int, caches: CacheLimits = _DEFAULT_CACHES
) -> AsyncIterator[Database]:
    """Open the file at `path`, or create it, and lock out other writers until it is closed.

    `prepare` runs first, in its own transaction. The file is checked for damage unless the last shutdown was clean
    and the file has not changed since.

    Raises:
        Damaged: The file is not a database, or does not hold what was written to it.
        DatabaseError: Another process writes to the file, or it cannot be opened or locked, or is a link.
    """
    database = Database(path, readers, caches)
    async with AsyncExitStack() as stack:
        stack.enter_context(locked(path))
        try:
            await asyncio.to_thread(create_privately, path)
            stack.push_async_callback(database.close)
            clean = await asyncio.to_thread(take_clean_shutdown_marker, path)
            await database.open()
            await database.prepare(prepare, check=not clean)
        except OSError as error:
            raise DatabaseError(f"{path} cannot be opened: {error}.") from error
        except sqlite3.OperationalError as error:
            raise DatabaseError(f"{path} cannot be opened: {_described(error)}.") from error
        except sqlite3.DatabaseError as error:
            raise Damaged(f"{path} is damaged: {error}.") from error
        yield database
        await database.close()
        await asyncio.to_thread(leave_clean_shutdown_marker, path)


def look_into(path: Path, work: Work[T]) -> T | None:
    """Run `work`, which only reads, on a file that others may have open; None if there is none. Blocks.

    Raises:
        Damaged: The file is not a database.
        DatabaseError: It cannot be opened, or may not be written, or is a link.
    """
    try:
        refuse_links(path)
        files = [file for file in files_of(path) if file.exists()]
        for file in files:
            if not os.access(file, os.W_OK):
                raise DatabaseError(f"{file} cannot be written: give the right.")
        if path not in files:
            return None
        # Without its log, nobody has the file open, and SQLite would make one.
        mode = "ro" if beside(path, "-wal") in files else "ro&immutable=1"
        with closing(sqlite3.connect(_uri(path, mode), uri=True, isolation_level=None)) as connection:
            return work(connection)
    except OSError as error:
        raise DatabaseError(f"{path} cannot be opened: {error.strerror}.") from error
    except sqlite3.OperationalError as error:
        raise DatabaseError(f"{path} cannot be opened: {_described(error)}.") from error
    except sqlite3.DatabaseError as error:
        raise Damaged(f"{path} is damaged: {error}.") from error


def _cache_size(bytes_max: int) -> str:
    return f"cache_size=-{bytes_max // 1024}"


async def _connect(path: Path, mode: str, pragmas: tuple[str, ...], statements: int) -> DatabaseConnection:
    def connector() -> sqlite3.Connection:
        connection = sqlite3.connect(_uri(path, mode), uri=True, isolation_level=None, cached_statements=statements)
        try:
            for pragma in pragmas:
                connection.execute(f"PRAGMA {pragma}")
        except BaseException:
            connection.close()
            raise
        return connection

    return await connect(connector)


def _uri(path: Path, mode: str) -> str:
    return f"{path.absolute().as_uri()}?mode={mode}"


def _lower_thread_priority() -> None:
    """Let readers and the event loop run before the calling thread when processors are scarce.

    Does nothing outside Linux: only there does each thread have a priority of its own.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        niceness = os.getpriority(os.PRIO_PROCESS, thread) + _WRITER_NICENESS
        os.setpriority(os.PRIO_PROCESS, thread, min(niceness, _NICENESS_MAX))


def _check_for_damage(connection: sqlite3.Connection) -> None:
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise sqlite3.DatabaseError(found)


def _copy(source: Path, target: sqlite3.Connection) -> None:
    def fail_iflocked(status: int, _remaining: int, _total: int) -> None:
        # sqlite3's `backup` itself would try again for ever.
        if status in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            raise sqlite3.OperationalError("database is locked")

    with closing(sqlite3.connect(_uri(source, "ro"), uri=True)) as connection:
        connection.backup(target, progress=fail_iflocked)


def _described(error: sqlite3.Error) -> str:
    # Only SQLite's own errors have a name.
    name = getattr(error, "sqlite_errorname", None)
    return f"{error} ({name})" if name else str(error)


def _committed(connection: sqlite3.Connection, begin: str, work: Work[T]) -> T:
    connection.execute(begin)
    try:
        result = work(connection)
        connection.execute("COMMIT")
    except BaseException:
        # After a full disk or an I/O error, SQLite has already rolled back.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return result
