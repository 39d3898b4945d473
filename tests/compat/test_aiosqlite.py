"""Canaries: an upgrade of aiosqlite that breaks `kvs_graphql/compat/aiosqlite.py` fails here first."""

import asyncio
import sqlite3
import threading
import weakref
from collections.abc import AsyncIterator
from functools import partial
from importlib.metadata import version

import aiosqlite
import pytest

from kvs_graphql.compat.aiosqlite import DatabaseConnection, connect

BROKEN = f"aiosqlite {version('aiosqlite')} breaks kvs_graphql/compat/aiosqlite.py"


def in_memory() -> sqlite3.Connection:
    return sqlite3.connect(":memory:", isolation_level=None)


@pytest.fixture
async def connection() -> AsyncIterator[DatabaseConnection]:
    connection = await connect(in_memory)
    yield connection
    await connection.close()


@pytest.mark.parametrize("name", ["_execute", "_conn"])
def test_aiosqlite_still_has_the_private_name(name: str) -> None:
    assert hasattr(aiosqlite.Connection, name), f"{BROKEN}: Connection has no attribute {name!r}."


async def test_a_connection_still_has_its_own_thread(connection: DatabaseConnection) -> None:
    thread = getattr(connection, "_thread", None)
    assert isinstance(thread, threading.Thread), f"{BROKEN}: Connection has no thread called '_thread'."


async def test_functions_run_one_at_a_time_in_the_thread_of_the_connection(connection: DatabaseConnection) -> None:
    order: list[int] = []

    def work(number: int, connection: sqlite3.Connection) -> int:
        assert connection.execute("SELECT 1").fetchone() == (1,)
        order.append(number)
        return threading.get_ident()

    numbers = range(20)
    threads = await asyncio.gather(*(connection.run(partial(work, n)) for n in numbers))
    assert len(set(threads)) == 1, f"{BROKEN}: functions run in several threads."
    assert threads[0] != threading.get_ident(), f"{BROKEN}: functions run in the thread of the event loop."
    assert order == list(numbers), f"{BROKEN}: functions run out of order."


async def test_a_function_that_fails_raises_in_its_caller(connection: DatabaseConnection) -> None:
    with pytest.raises(ZeroDivisionError):
        await connection.run(lambda _: 1 / 0)
    assert await connection.run(lambda _: 1) == 1


class Large:
    """Stands for megabytes that were read."""


async def test_an_idle_connection_keeps_nothing_of_what_it_has_read(connection: DatabaseConnection) -> None:
    given = Large()
    result = await connection.run(partial(lambda given, _: [given], given))
    kept = weakref.ref(given)
    del given, result
    assert kept() is None, f"{BROKEN}: its thread keeps the last function, or what that returned."


async def test_a_cancelled_caller_does_not_stop_its_function(connection: DatabaseConnection) -> None:
    started, release = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def work(connection: sqlite3.Connection) -> None:
        loop.call_soon_threadsafe(started.set)
        assert release.wait(60)
        connection.execute("CREATE TABLE done (one)")

    running = asyncio.create_task(connection.run(work))
    await started.wait()
    running.cancel()
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await running
    tables = await connection.run(lambda c: c.execute("SELECT name FROM sqlite_schema").fetchall())
    assert tables == [("done",)], f"{BROKEN}: a cancelled caller stops its function."


async def test_a_connection_that_cannot_be_opened_leaves_no_thread_behind() -> None:
    opened: list[threading.Thread] = []

    def fail() -> sqlite3.Connection:
        opened.append(threading.current_thread())
        raise sqlite3.OperationalError("no such table")

    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        await connect(fail)
    (thread,) = opened
    assert not thread.is_alive(), f"{BROKEN}: the thread of a connection that failed to open lives on."
