"""Every read knows where the table stood in its snapshot, and reads the positions only after another commit."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

from kvs_graphql.records import Batch, Record
from kvs_graphql.store import Store, WindowLimits, get_many, open_store
from kvs_graphql.store.coverage import KnownPositions
from tests.store.batches import enough

LIMITS = WindowLimits(100, 10**6, 10)
PARTITIONS = 1_000
COMMITS = 50


async def commit(store: Store, offset: int) -> None:
    record = Record(b"key", b"%d" % offset, 0, offset, None, None)
    rest = (offset,) * (PARTITIONS - 1)
    await store.apply(Batch(([record],), (offset + 1, *rest), record.size_bytes, 0, (offset,)))


async def test_every_read_has_the_positions_of_its_snapshot(tmp_path: Path) -> None:
    async with open_store(tmp_path / "kvs.db", LIMITS, readers=3) as store:
        await store.begin("topic", bytes(16), (0,) * PARTITIONS)

        async def read() -> None:
            seen = -1
            while seen < COMMITS - 1:
                snapshot = await store.read(get_many([b"key"], enough()))
                ((record,),) = snapshot.results
                assert snapshot.cursor.positions == snapshot.coverage.positions
                if record is not None:
                    assert snapshot.cursor.positions[:2] == (record.offset + 1, record.offset)
                    assert snapshot.cursor.epochs[0] == record.offset
                    assert record.offset >= seen
                    seen = record.offset

        async with asyncio.TaskGroup() as tasks:
            for _ in range(6):
                tasks.create_task(read())
            for offset in range(COMMITS):
                await commit(store, offset)


async def test_positions_are_read_again_only_after_another_commit(tmp_path: Path) -> None:
    path = tmp_path / "kvs.db"
    async with open_store(path, LIMITS, readers=1) as store:
        await store.begin("topic", bytes(16), (0,) * PARTITIONS)
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            known, statements = KnownPositions(""), list[str]()
            first = known.of(connection)
            connection.set_trace_callback(statements.append)
            assert known.of(connection) is first
            assert statements == ["PRAGMA data_version"]
            await commit(store, 0)
            assert known.of(connection)[0].positions[0] == 1
            connection.execute("UPDATE position SET next_offset = 5 WHERE partition = 0")
            assert known.of(connection)[0].positions[0] == 5


async def test_a_connection_that_is_opened_anew_knows_nothing_of_one_that_was_closed(tmp_path: Path) -> None:
    paths = [tmp_path / f"{n}.db" for n in range(2)]
    for n, path in enumerate(paths):
        async with open_store(path, LIMITS, readers=1) as store:
            await store.begin("topic", bytes(16), (0,) * PARTITIONS)
            await commit(store, n)
    known = KnownPositions("")
    for n in range(50):
        # A new connection often has the address of the one before.
        with closing(sqlite3.connect(paths[n % 2])) as connection:
            assert known.of(connection)[0].positions[0] == n % 2 + 1
        del connection
