"""A rebuilt table replaces the old one whole or not at all, whoever reads it and whenever the process is killed."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from kvs_graphql.database import Database
from kvs_graphql.errors import Unwritable
from kvs_graphql.store import Store, get_many, open_store
from tests.deadline import SECONDS_MAX
from tests.store.batches import ROOMY, TOPIC_ID, batch, enough, record
from tests.store.swapping import OLD_TOPIC_ID, ROWS, fill, rebuild

pytestmark = pytest.mark.slow

OLD, NEW = (OLD_TOPIC_ID, {b"old" * 200}), (TOPIC_ID, {b"new" * 200})
WRITES = "pwrite64,ftruncate,openat,rename"
SUFFIXES = ("", "-wal", "-shm", ".lock", ".clean")

# Another process that keeps a database open and answers each line with what a query finds, in one read transaction
# until the line is "end".
READER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
for line in sys.stdin:
    if line == "end\\n":
        connection.execute("COMMIT")
    elif not connection.in_transaction:
        connection.execute("BEGIN")
    shown = "SELECT count(*), min(substr(value, 1, 3)), max(substr(value, 1, 3)) FROM entry"
    print(*connection.execute(shown).fetchone())
    sys.stdout.flush()
"""


def held(path: Path) -> tuple[bytes, set[bytes]]:
    """Return the topic's id and the values of an undamaged table."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        ((topic_id,),) = connection.execute("SELECT topic_id FROM source").fetchall()
        rows = connection.execute("SELECT value FROM entry").fetchall()
        assert len(rows) == ROWS
        assert connection.execute("SELECT next_offset FROM position").fetchall() == [(ROWS,)]
        return topic_id, {value for (value,) in rows}


@pytest.fixture
async def old(path: Path) -> Path:
    """The path of a table that is to be replaced."""
    async with open_store(path, ROOMY, readers=1) as store:
        await fill(store, OLD_TOPIC_ID, b"old")
    assert held(path) == OLD
    return path


async def test_swap_under_a_reader_of_another_process_harms_neither(old: Path) -> None:
    arguments = (sys.executable, "-c", READER, str(old))
    reader = await asyncio.create_subprocess_exec(*arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert reader.stdin is not None
    assert reader.stdout is not None

    async def seen(line: bytes) -> bytes:
        assert reader.stdin is not None
        assert reader.stdout is not None
        reader.stdin.write(line + b"\n")
        async with asyncio.timeout(SECONDS_MAX):
            return await reader.stdout.readline()

    before, after = b"%d b'old' b'old'\n" % ROWS, b"%d b'new' b'new'\n" % ROWS
    assert await seen(b"read") == before
    await rebuild(old)
    # Its transaction goes on with what it began with.
    assert await seen(b"read") == before
    assert await seen(b"end") == after
    # A start while the reader has the file open, and one after it closed it.
    async with open_store(old, ROOMY, readers=1):
        assert await seen(b"read") == after
    reader.stdin.close()
    await reader.wait()
    async with open_store(old, ROOMY, readers=1) as store:
        assert store.source is not None
        assert store.source.topic_id == TOPIC_ID
    assert held(old) == NEW


async def test_swap_that_another_process_blocks_changes_nothing_and_is_done_later(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kvs_graphql.database._WRITER_PRAGMAS", ("journal_mode=WAL", "busy_timeout=1"))
    async with open_store(old, ROOMY, readers=1) as store:
        async with store.shadow() as shadow:
            await fill(shadow, TOPIC_ID, b"new")
        with closing(sqlite3.connect(old, isolation_level=None)) as intruder:
            intruder.execute("BEGIN IMMEDIATE")
            with pytest.raises(Unwritable, match="locked"):
                await store.swap()
            assert held(old) == OLD
        await store.swap()
        assert held(old) == NEW


async def test_full_disk_at_the_swap_changes_nothing_and_it_is_done_later(store: Store, database: Database) -> None:
    await store.apply(batch(record(b"k000", b"old", 0)))
    async with store.shadow() as shadow:
        await fill(shadow, TOPIC_ID, b"new")
    await database.transaction(lambda c: c.execute("PRAGMA max_page_count=1").fetchall())
    with pytest.raises(Unwritable, match="SQLITE_FULL"):
        await store.swap()
    assert (await store.read(get_many([b"k000"], enough()))).results[0][0].value == b"old"
    await database.transaction(lambda c: c.execute("PRAGMA max_page_count=1000000").fetchall())
    await store.swap()
    assert (await store.read(get_many([b"k000"], enough()))).results[0][0].value == b"new" * 200


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("calls", "database", "every"),
    # strace counts the calls of each thread.
    [(WRITES, "", 1), (WRITES, ".rebuild", 5), ("unlink", ".rebuild", 1)],
    ids=["writing-the-table", "writing-the-shadow", "removing-the-shadow"],
)
async def test_process_killed_at_any_step_of_a_rebuild_leaves_the_old_table_or_the_new_one(
    old: Path, tmp_path: Path, calls: str, database: str, every: int
) -> None:
    strace = shutil.which("strace")
    if strace is None and os.environ.get("KVS_REQUIRE_KAFKA") == "1":
        pytest.fail("KVS_REQUIRE_KAFKA=1, but there is no strace", pytrace=False)
    if strace is None:
        pytest.skip("strace is not on the PATH")
    kept = tmp_path / "kept"
    kept.mkdir()
    shutil.copy(old, kept)
    found = []
    for step in range(1, 1_000, every):
        directory = tmp_path / f"step-{step}"
        shutil.copytree(kept, directory)
        path = directory / old.name
        files = [f"--trace-path={path}{database}{suffix}" for suffix in SUFFIXES]
        kill = f"--inject={calls}:signal=KILL:when={step}"
        traced = [strace, "--follow-forks", "--quiet=all", f"--trace={calls}", kill, *files]
        command = [*traced, f"--output={tmp_path / 'calls'}", sys.executable, "-m", "tests.store.swapping", str(path)]
        code = subprocess.run(command, check=False, stdin=subprocess.DEVNULL).returncode  # noqa: ASYNC221
        # As a backup or sqlite3 reads it, and as the next start does.
        found.append(held(path))
        async with open_store(path, ROOMY, readers=1) as store:
            assert store.source is not None
            assert store.source.topic_id == found[-1][0]
        assert not list(directory.glob("*.rebuild*"))
        assert held(path) == found[-1]
        shutil.rmtree(directory)
        if code == 0:
            break
    # The table changes once, and is never another than these two.
    assert found == [OLD] * found.count(OLD) + [NEW] * found.count(NEW)
    assert found[-1] == NEW
    assert len(found) > 5
