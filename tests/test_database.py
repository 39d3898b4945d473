"""A file of the database: when it is looked through for damage, and who goes first."""

import os
import sqlite3
import sys
import threading
from pathlib import Path

import pytest

from kvs_graphql.database import open_database
from kvs_graphql.errors import Damaged


def fill(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE IF NOT EXISTS filler (bytes BLOB)")
    connection.executemany("INSERT INTO filler VALUES (?)", [(bytes(1_000),)] * 100)


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """A file that was closed in order."""
    path = tmp_path / "kvs.db"
    async with open_database(path, fill, readers=1):
        pass
    return path


def damage(path: Path, *, unseen: bool) -> None:
    """Damage the file; unseen, it looks as before."""
    before = path.stat()
    contents = bytearray(path.read_bytes())
    contents[20_000:60_000] = bytes(40_000)
    path.write_bytes(contents)
    if unseen:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


async def opens(path: Path) -> bool:
    try:
        async with open_database(path, lambda _: None, readers=1):
            return True
    except Damaged:
        return False


async def test_a_file_that_was_closed_in_order_and_is_untouched_is_not_looked_through_again(path: Path) -> None:
    damage(path, unseen=True)
    assert await opens(path)


async def test_a_file_that_was_touched_since_it_was_closed_is_looked_through(path: Path) -> None:
    damage(path, unseen=False)
    assert not await opens(path)


@pytest.mark.parametrize("failure", [KeyboardInterrupt, ValueError])
async def test_a_file_that_was_not_closed_in_order_is_looked_through(path: Path, failure: type[BaseException]) -> None:
    with pytest.raises(failure):
        async with open_database(path, lambda _: None, readers=1):
            raise failure
    damage(path, unseen=True)
    assert not await opens(path)


async def test_a_file_that_was_found_damaged_is_not_trusted_the_next_time(path: Path) -> None:
    damage(path, unseen=False)
    assert not await opens(path)
    assert not await opens(path)


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priority of their own")
async def test_readers_go_before_the_writer_where_processors_are_few(tmp_path: Path) -> None:
    def niceness(_: sqlite3.Connection) -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    async with open_database(tmp_path / "kvs.db", fill, readers=1) as database:
        for _ in range(2):
            assert await database.transaction(niceness) > await database.snapshot(niceness)
            async with open_database(tmp_path / "other.db", fill, readers=1):
                pass
            await database.swap(tmp_path / "other.db")
