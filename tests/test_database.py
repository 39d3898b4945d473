"""The database file: when it is checked for damage, the priority of its threads, and when its readers open."""

import asyncio
import os
import sqlite3
import sys
import threading
from pathlib import Path

import pytest

from kvs_graphql.database import CacheLimits, open_database
from kvs_graphql.errors import Damaged, Unavailable
from tests.deadline import SECONDS_MAX


def fill(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE IF NOT EXISTS filler (bytes BLOB)")
    connection.executemany("INSERT INTO filler VALUES (?)", [(bytes(1_000),)] * 100)


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """A file whose last shutdown was clean."""
    path = tmp_path / "kvs.db"
    async with open_database(path, fill, readers=1):
        pass
    return path


def damage(path: Path, *, keep_time: bool) -> None:
    """Damage the file; its size stays, and with `keep_time` its modification time too."""
    before = path.stat()
    contents = bytearray(path.read_bytes())
    contents[20_000:60_000] = bytes(40_000)
    path.write_bytes(contents)
    # File systems tick in milliseconds: without help, the time might stay the same on a fast machine.
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + (0 if keep_time else 1)))


async def opens(path: Path) -> bool:
    """Whether the file opens without being found damaged."""
    try:
        async with open_database(path, lambda _: None, readers=1):
            return True
    except Damaged:
        return False


async def test_unchanged_file_is_not_checked_after_a_clean_shutdown(path: Path) -> None:
    damage(path, keep_time=True)
    assert await opens(path)


async def test_file_changed_since_its_clean_shutdown_is_checked(path: Path) -> None:
    damage(path, keep_time=False)
    assert not await opens(path)


@pytest.mark.parametrize("failure", [KeyboardInterrupt, ValueError])
async def test_file_without_a_clean_shutdown_is_checked(path: Path, failure: type[BaseException]) -> None:
    with pytest.raises(failure):
        async with open_database(path, lambda _: None, readers=1):
            raise failure
    damage(path, keep_time=True)
    assert not await opens(path)


async def test_file_found_damaged_is_checked_again_at_the_next_start(path: Path) -> None:
    damage(path, keep_time=False)
    assert not await opens(path)
    assert not await opens(path)


@pytest.mark.skipif(sys.platform != "linux", reason="only on Linux does each thread have a priority")
async def test_writer_has_a_lower_priority_than_readers_also_after_a_swap(tmp_path: Path) -> None:
    def niceness(_: sqlite3.Connection) -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    async with open_database(tmp_path / "kvs.db", fill, readers=1) as database:
        for _ in range(2):
            assert await database.transaction(niceness) > await database.snapshot(niceness)
            async with open_database(tmp_path / "other.db", fill, readers=1):
                pass
            await database.swap(tmp_path / "other.db")


def thread_of(_: sqlite3.Connection) -> int:
    return threading.get_ident()


class Connections:
    """The threads of all connections that were opened since this was made."""

    def __init__(self) -> None:
        # Those of a test before may still be about to end.
        self._before = set(threading.enumerate())

    def __call__(self) -> set[int | None]:
        since = set(threading.enumerate()) - self._before
        return {thread.ident for thread in since if "_connection_worker_thread" in thread.name}


async def test_readers_open_when_all_open_ones_are_busy_up_to_the_limit(tmp_path: Path) -> None:
    connections = Connections()
    busy = threading.Barrier(3)

    def together(_: sqlite3.Connection) -> int:
        busy.wait(SECONDS_MAX)
        return threading.get_ident()

    async with open_database(tmp_path / "kvs.db", fill, readers=2) as database:
        assert len(connections()) == 1
        assert len({await database.snapshot(thread_of) for _ in range(5)}) == 1
        reads = [asyncio.create_task(database.snapshot(together, is_queued=False)) for _ in range(2)]
        await asyncio.to_thread(busy.wait, SECONDS_MAX)
        assert len(set(await asyncio.gather(*reads))) == 2
        await asyncio.gather(*(database.snapshot(thread_of, is_queued=False) for _ in range(20)))
        assert len(connections()) == 3


@pytest.mark.parametrize(("readers", "at_once"), [(2, 1), (3, 1), (5, 2)])
async def test_reads_that_wait_for_each_other_leave_a_connection_for_others(
    tmp_path: Path, readers: int, at_once: int
) -> None:
    begun, may_end = threading.Semaphore(0), threading.Event()

    def long(_: sqlite3.Connection) -> None:
        begun.release()
        assert may_end.wait(SECONDS_MAX)

    async with open_database(tmp_path / "kvs.db", fill, readers=readers) as database:
        reads = [asyncio.create_task(database.snapshot(long)) for _ in range(readers + 1)]
        try:
            for _ in range(at_once):
                assert await asyncio.to_thread(begun.acquire, timeout=SECONDS_MAX)
            for _ in range(3):
                await database.snapshot(thread_of, is_queued=False)
            assert not begun.acquire(blocking=False)
        finally:
            may_end.set()
        await asyncio.gather(*reads)


async def test_reader_of_a_read_cancelled_while_it_opens_serves_the_next(tmp_path: Path) -> None:
    connections = Connections()
    async with open_database(tmp_path / "kvs.db", fill, readers=1) as database:
        (writer,) = connections()
        read = asyncio.create_task(database.snapshot(thread_of))
        await asyncio.sleep(0)
        read.cancel()
        with pytest.raises(asyncio.CancelledError):
            await read
        (opened,) = connections() - {writer}
        assert await database.snapshot(thread_of) == opened


async def test_reader_that_cannot_open_is_tried_again_by_the_next_read(tmp_path: Path) -> None:
    path, away = tmp_path / "kvs.db", tmp_path / "away.db"
    async with open_database(path, fill, readers=1) as database:
        path.rename(away)
        for _ in range(2):
            with pytest.raises(Unavailable):
                await database.snapshot(thread_of)
        away.rename(path)
        await database.snapshot(thread_of)


async def test_each_connection_keeps_so_many_bytes_of_pages(tmp_path: Path) -> None:
    def cache_kib(connection: sqlite3.Connection) -> int:
        (pages,) = connection.execute("PRAGMA cache_size").fetchone()
        return -int(pages)

    caches = CacheLimits(writer_bytes_max=8 * 2**20, reader_bytes_max=2 * 2**20)
    async with open_database(tmp_path / "kvs.db", fill, readers=1, caches=caches) as database:
        assert await database.transaction(cache_kib) == 8 * 1024
        assert await database.snapshot(cache_kib) == 2 * 1024
