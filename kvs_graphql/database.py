"""A SQLite file in WAL mode: one connection that writes, a few that only read.

A whole transaction is one plain function, run in its connection's own thread: one hop there and back, and
nothing else can slip in between (on a shared connection, one task's rollback undoes another's insert).
"""

import asyncio
import os
import sqlite3
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar

from filelock import FileLock, Timeout

from kvs_graphql.compat.aiosqlite import Connection, Work, connect
from kvs_graphql.errors import Damaged, DatabaseError, Unavailable, Unwritable

T = TypeVar("T")

# Looking through a file takes about 2 s a GiB: larger ones are only found damaged where they are used.
_CHECKED_BYTES_MAX = 1024**3
_BUSY_TIMEOUT_MS = 5_000
_WRITER_CACHE_KIB = 256 * 1024
_READER_CACHE_KIB = 32 * 1024
_CHECKPOINT_PAGES = 20_000
_WRITER_NICENESS, _NICENESS_MAX = 10, 19
# NORMAL: a power cut may lose the last commits, never their order; Kafka has what was lost, for the positions
# are lost with the records.
_WRITER_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=NORMAL",
    f"cache_size=-{_WRITER_CACHE_KIB}",
    f"wal_autocheckpoint={_CHECKPOINT_PAGES}",
    f"busy_timeout={_BUSY_TIMEOUT_MS}",
    "journal_size_limit=67108864",
)
_READER_PRAGMAS = ("query_only=ON", f"cache_size=-{_READER_CACHE_KIB}", f"busy_timeout={_BUSY_TIMEOUT_MS}")


class Database:
    """An open file. `transaction` writes, `snapshot` reads; both may be called from any number of tasks."""

    def __init__(self, path: Path, readers: int) -> None:
        self._path = path
        self._reader_count = readers
        self._readers: asyncio.LifoQueue[Connection] = asyncio.LifoQueue()
        self._writing = asyncio.Lock()
        self._open: list[Connection] = []

    async def open(self) -> None:
        """Open the connections: the writer, then the readers."""
        self._open.append(await _connect(self._path, "rwc", _WRITER_PRAGMAS))
        await self._open[0].run(lambda _: _let_others_first())
        for _ in range(self._reader_count):
            reader = await _connect(self._path, "ro", _READER_PRAGMAS)
            self._open.append(reader)
            self._readers.put_nowait(reader)

    async def close(self) -> None:
        """Close the connections, each once it is done; the last one leaves a single file behind."""
        while self._open:
            await self._open.pop().close()

    async def prepare(self, work: Work[None], *, trusted: bool) -> None:
        """Look for damage where there may be some, then run the first transaction; raises as SQLite does."""
        if not trusted and (await asyncio.to_thread(self._path.stat)).st_size <= _CHECKED_BYTES_MAX:
            await self._open[0].run(_check)
        await self._open[0].run(lambda connection: _committed(connection, "BEGIN IMMEDIATE", work))

    async def swap(self, other: Path) -> None:
        """Put another file, which nobody has open, in this one's place. What is asked for meanwhile waits.

        Raises:
            DatabaseError: It could not be done; nothing can be read or written any more.
        """
        async with self._writing:
            for _ in range(self._reader_count):
                await self._readers.get()
            await self.close()
            try:
                await asyncio.to_thread(_seal_of(other).unlink, missing_ok=True)
                await asyncio.to_thread(other.replace, self._path)
                await self.open()
            except (OSError, sqlite3.Error) as error:
                raise DatabaseError(f"{other} cannot be put in the place of {self._path}: {error}.") from error

    async def transaction(self, work: Work[T]) -> T:
        """Run `work` under BEGIN IMMEDIATE and commit; an exception rolls all of it back.

        A cancelled caller does not stop `work`: whether it was committed is then to be read back.

        Raises:
            Unwritable: Not now; nothing was written.
            Damaged: The file is not what was written.
        """
        try:
            async with self._writing:
                return await self._open[0].run(lambda connection: _committed(connection, "BEGIN IMMEDIATE", work))
        except sqlite3.OperationalError as error:
            raise Unwritable(f"The database cannot be written: {error} ({error.sqlite_errorname}).") from error
        except sqlite3.DatabaseError as error:
            raise Damaged(f"The database is damaged: {error}.") from error

    async def snapshot(self, work: Work[T]) -> T:
        """Run `work` on a free read-only connection; all it reads is one snapshot.

        Raises:
            Unavailable: The file cannot be read.
        """
        reader = await self._readers.get()
        try:
            return await reader.run(lambda connection: _committed(connection, "BEGIN", work))
        except sqlite3.Error as error:
            raise Unavailable("The table cannot be read.") from error
        finally:
            self._readers.put_nowait(reader)


@asynccontextmanager
async def open_database(path: Path, prepare: Work[None], *, readers: int) -> AsyncIterator[Database]:
    """The file at `path`, made if it is not there, held against other writers until closed.

    `prepare` runs first, in a transaction of its own. A file is looked through for damage, unless it was closed in
    order and nobody has touched it since.

    Raises:
        Damaged: The file is not what was written, or no database at all.
        DatabaseError: Another process writes it, or it cannot be opened.
    """
    database = Database(path, readers)
    async with AsyncExitStack() as stack:
        try:
            stack.enter_context(FileLock(f"{path}.lock").acquire(timeout=0))
            stack.push_async_callback(database.close)
            trusted = await asyncio.to_thread(_break_seal, path)
            await database.open()
            await database.prepare(prepare, trusted=trusted)
        except Timeout:
            raise DatabaseError(f"{path} is in use by another kvs-graphql process (it holds {path}.lock).") from None
        except (OSError, sqlite3.OperationalError) as error:
            raise DatabaseError(f"{path} cannot be opened: {error}.") from error
        except sqlite3.DatabaseError as error:
            raise Damaged(f"{path} is damaged: {error}.") from error
        yield database
        await database.close()
        await asyncio.to_thread(_seal, path)


async def _connect(path: Path, mode: str, pragmas: tuple[str, ...]) -> Connection:
    def connector() -> sqlite3.Connection:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None)
        try:
            for pragma in pragmas:
                connection.execute(f"PRAGMA {pragma}")
        except BaseException:
            connection.close()
            raise
        return connection

    return await connect(connector)


def _let_others_first() -> None:
    """Lower the priority of the thread that writes: where processors are few, readers and the event loop go first.

    Priorities of threads are Linux's own; elsewhere nothing is changed.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        niceness = os.getpriority(os.PRIO_PROCESS, thread) + _WRITER_NICENESS
        os.setpriority(os.PRIO_PROCESS, thread, min(niceness, _NICENESS_MAX))


def _seal_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.sealed")


def _seal(path: Path) -> None:
    """Note, beside a file that was closed in order, what it looked like."""
    # A full disk is no reason to end badly: the file is looked through next time.
    with suppress(OSError):
        _seal_of(path).write_text(_looks_of(path))


def _break_seal(path: Path) -> bool:
    """Whether the file is as it was closed; from here on it is not sealed any more."""
    seal = _seal_of(path)
    try:
        return seal.read_text() == _looks_of(path)
    except FileNotFoundError:
        return False
    finally:
        seal.unlink(missing_ok=True)


def _looks_of(path: Path) -> str:
    found = path.stat()
    return f"{found.st_size} bytes, changed at {found.st_mtime_ns} ns\n"


def _check(connection: sqlite3.Connection) -> None:
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise sqlite3.DatabaseError(found)


def _committed(connection: sqlite3.Connection, begin: str, work: Work[T]) -> T:
    connection.execute(begin)
    try:
        result = work(connection)
        connection.execute("COMMIT")
    except BaseException:
        # SQLite has rolled back by itself after a full disk or an I/O error.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return result
