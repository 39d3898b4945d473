"""The store: what survives failures, what one snapshot holds, and which files it refuses."""

import asyncio
import os
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from kvs_graphql.cursor import Cursor
from kvs_graphql.database import Database
from kvs_graphql.errors import DatabaseError, Unwritable
from kvs_graphql.store import Store, count_entries, get_many, open_store
from tests.deadline import SECONDS_MAX
from tests.store.batches import ROOMY, TOPIC_ID, batch, enough, record


async def values(store: Store, *keys: bytes) -> list[bytes | None]:
    (records,) = (await store.read(get_many(keys, enough()))).results
    return [None if r is None else r.value for r in records]


async def test_applied_batch_and_its_positions_survive_reopening(path: Path) -> None:
    async with open_store(path, ROOMY, readers=1) as store:
        await store.begin("topic", TOPIC_ID, (0, 0))
        await store.apply(batch(record(b"a", b"1", 4), record(b"b", b"2", 7, partition=1), positions=(6, 9)))
    async with open_store(path, ROOMY, readers=1) as store:
        assert store.positions == (6, 9)
        assert store.source is not None
        assert (store.source.topic, store.source.topic_id) == ("topic", TOPIC_ID)
        assert await values(store, b"b", b"a", b"c") == [b"2", b"1", None]
        assert (await store.read()).cursor == Cursor(TOPIC_ID, (6, 9))


async def limit_pages(database: Database, pages: int) -> None:
    """Let the file grow no further: SQLite then reports a full disk."""
    await database.transaction(lambda connection: connection.execute(f"PRAGMA max_page_count={pages}"))


async def test_full_disk_refuses_the_whole_batch_and_reads_go_on(store: Store, database: Database) -> None:
    await store.apply(batch(record(b"a", b"1", 0)))
    await limit_pages(database, 1)
    with pytest.raises(Unwritable, match="full"):
        await store.apply(batch(record(b"a", b"2", 1), record(b"b", bytes(100_000), 2)))
    assert store.positions == (1,)
    assert (await store.read()).cursor.positions == (1, 0)
    assert await values(store, b"a", b"b") == [b"1", None]
    await limit_pages(database, 1_000_000)
    await store.apply(batch(record(b"a", b"2", 1)))
    assert await values(store, b"a") == [b"2"]


async def test_read_only_file_refuses_the_batch_and_reads_go_on(store: Store, database: Database) -> None:
    await store.apply(batch(record(b"a", b"1", 0)))
    await database.transaction(lambda connection: connection.execute("PRAGMA query_only=ON"))
    with pytest.raises(Unwritable, match="readonly"):
        await store.apply(batch(record(b"a", b"2", 1)))
    assert await values(store, b"a") == [b"1"]


class Pause:
    """A point in another thread that waits there until the test goes on."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._reached, self._resumed = asyncio.Event(), threading.Event()

    def here(self) -> int:
        """Wait, in that thread, the first time it comes by."""
        self._loop.call_soon_threadsafe(self._reached.set)
        assert self._resumed.wait(SECONDS_MAX)
        return 0

    async def reached(self) -> None:
        await self._reached.wait()

    def resume(self) -> None:
        self._resumed.set()


async def test_apply_cancelled_while_it_waits_for_its_turn_writes_nothing(store: Store, database: Database) -> None:
    pause = Pause()
    other = asyncio.create_task(database.transaction(lambda _: pause.here()))
    await pause.reached()
    applying = asyncio.create_task(store.apply(batch(record(b"a", b"1", 0))))
    await asyncio.sleep(0)
    applying.cancel()
    pause.resume()
    with pytest.raises(asyncio.CancelledError):
        await applying
    await other
    await store.reload()
    assert store.positions == (0, 0)
    assert await values(store, b"a") == [None]


async def test_apply_cancelled_in_the_middle_commits_the_whole_batch(store: Store, database: Database) -> None:
    pause, records = Pause(), [record(b"k%d" % n, b"v", n) for n in range(5000)]
    await database.transaction(lambda connection: connection.set_progress_handler(pause.here, 10_000))
    applying = asyncio.create_task(store.apply(batch(*records, positions=(5000, 0))))
    await pause.reached()
    applying.cancel()
    pause.resume()
    with pytest.raises(asyncio.CancelledError):
        await applying
    assert store.positions == (0, 0)
    await store.reload()
    assert store.positions == (5000, 0)
    assert (await store.read(count_entries())).results == [5000]


async def test_queries_of_one_read_see_one_snapshot_while_batches_are_committed(store: Store) -> None:
    pause = Pause()
    await store.apply(batch(record(b"a", b"1", 0), positions=(1, 0)))

    def first(connection: sqlite3.Connection) -> object:
        found = get_many([b"a"], enough())(connection)
        pause.here()
        return found

    reading = asyncio.create_task(store.read(first, get_many([b"a"], enough())))
    await pause.reached()
    await store.apply(batch(record(b"a", b"2", 1), positions=(2, 0)))
    pause.resume()
    snapshot = await reading
    assert snapshot.cursor.positions == (1, 0)
    assert snapshot.results == [[record(b"a", b"1", 0)], [record(b"a", b"1", 0)]]
    assert await values(store, b"a") == [b"2"]


async def test_swap_replaces_the_table_and_its_positions(store: Store) -> None:
    await store.apply(batch(record(b"a", b"old", 7), positions=(8, 0)))
    before = store.generation
    async with store.shadow() as shadow:
        await shadow.begin("topic", bytes(16), (0,))
        await shadow.apply(batch(record(b"b", b"new", 0)))
        assert await values(store, b"a", b"b") == [b"old", None]
    await store.swap()
    assert store.generation > before
    assert await values(store, b"a", b"b") == [None, b"new"]
    assert (await store.read()).cursor == Cursor(bytes(16), store.positions) == Cursor(bytes(16), (1,))


async def test_shadow_store_starts_empty_after_a_rebuild_that_was_cut_off(store: Store) -> None:
    for _ in range(2):
        with pytest.raises(ConnectionError):
            async with store.shadow() as shadow:
                assert shadow.source is None
                await shadow.begin("topic", bytes(16), (0,))
                raise ConnectionError


async def test_second_writer_of_a_file_is_refused(path: Path) -> None:
    async with open_store(path, ROOMY, readers=1):
        with pytest.raises(DatabaseError, match="in use by another"):
            async with open_store(path, ROOMY, readers=1):
                pass
    async with open_store(path, ROOMY, readers=1):
        pass


async def test_file_of_a_newer_version_is_refused_with_advice(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version=99")
    with pytest.raises(DatabaseError, match=r"version 99.*newer kvs-graphql"):
        async with open_store(path, ROOMY, readers=1):
            pass
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (99,)


async def test_file_that_is_no_database_is_moved_aside(path: Path) -> None:
    path.write_bytes(b"not a database, but long enough to be read as one" * 100)
    async with open_store(path, ROOMY, readers=1) as store:
        assert store.source is None
    (aside,) = path.parent.glob("kvs.db.damaged-*")
    assert aside.read_bytes().startswith(b"not a database")


async def test_damaged_file_is_moved_aside_and_an_empty_table_begun(path: Path) -> None:
    async with open_store(path, ROOMY, readers=1) as store:
        await store.begin("topic", TOPIC_ID, (0,))
        await store.apply(batch(*(record(b"k%04d" % n, bytes(100), n) for n in range(2000))))
    damaged = bytearray(path.read_bytes())
    damaged[20_000:60_000] = bytes(40_000)
    path.write_bytes(damaged)
    # The time of an unclean shutdown: the file's own clock may not have ticked since the store was closed.
    os.utime(path, ns=(0, 0))
    async with open_store(path, ROOMY, readers=1) as store:
        assert store.source is None
        assert (await store.read(count_entries())).results == [0]
    (aside,) = path.parent.glob("kvs.db.damaged-*")
    assert aside.read_bytes() == damaged


async def test_file_that_cannot_be_created_is_refused_and_nothing_is_moved_aside(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DatabaseError, match=r"cannot be locked: .*Not a directory"):
        async with open_store(tmp_path / "file" / "kvs.db", ROOMY, readers=1):
            pass
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
