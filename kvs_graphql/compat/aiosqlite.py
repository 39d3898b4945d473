"""Private names of aiosqlite: run a whole function in a connection's own thread.

aiosqlite's public methods run one SQL statement per hop between threads. A transaction of many statements would
pay for a hop each, and statements of other tasks could slip in between.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from typing import Any, TypeVar

import aiosqlite

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]
"""A function that runs in a connection's thread; it must not use asyncio."""


class DatabaseConnection(aiosqlite.Connection):
    """aiosqlite's connection and thread, with a way to run one function in it."""

    async def run(self, work: Work[T]) -> T:
        """Run `work` in the connection's thread and return its result, or raise what it raises.

        Calls run one at a time, in the order they were made. A cancelled caller does not stop `work`.

        Uses `_execute`, which queues a function for the thread, and `_conn`, the open sqlite3 connection.
        """
        job: list[Any] = [work]
        await self._execute(_carry_out, job, self._conn)
        result: T = job.pop()
        return result


def _carry_out(job: list[Any], connection: sqlite3.Connection) -> None:
    """Put a function's result in its place.

    aiosqlite's thread keeps the last function and what it returned until there is another one to run, which may be
    never: megabytes that were read, for each connection.
    """
    work = job.pop()
    job.append(work(connection))


async def connect(connector: Callable[[], sqlite3.Connection]) -> DatabaseConnection:
    """Open a connection: `connector` makes it, in the thread that will use it. Raises what `connector` raises.

    Uses `_thread`: after a failure, aiosqlite's thread still sends one last message to the event loop, and crashes
    if the loop is closed by then. So wait for the thread to end.
    """
    connection = DatabaseConnection(connector, iter_chunk_size=1)
    try:
        await connection
    except BaseException:
        await asyncio.to_thread(connection._thread.join)
        raise
    return connection
