"""The database's files: who may write them, under which names, and who may read them."""

import errno
import fcntl
import os
import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest

from kvs_graphql.database import open_database
from kvs_graphql.errors import DatabaseError

SUFFIXES = ("", "-wal", "-shm", ".lock")


def fill(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE IF NOT EXISTS filler (bytes BLOB)")


async def refusal(path: Path) -> str:
    """Return why the file at `path` is not opened."""
    with pytest.raises(DatabaseError) as refused:
        async with open_database(path, fill, readers=1):
            pass
    return str(refused.value)


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    path = tmp_path / "real" / "kvs.db"
    path.parent.mkdir()
    async with open_database(path, fill, readers=1):
        pass
    return path


@pytest.mark.parametrize("running", [True, False])
async def test_symbolic_link_to_a_database_is_refused(path: Path, tmp_path: Path, running: bool) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(path)
    if running:
        async with open_database(path, fill, readers=1):
            reason = await refusal(link)
    else:
        reason = await refusal(link)
    assert reason == f"{link} is a symbolic link to {path}: set KVS_DATABASE to the path of the file itself."


@pytest.mark.parametrize("running", [True, False])
async def test_hard_link_to_a_database_is_refused(path: Path, tmp_path: Path, running: bool) -> None:
    link = tmp_path / "link.db"
    if running:
        async with open_database(path, fill, readers=1):
            os.link(path, link)
            reason = await refusal(link)
    else:
        os.link(path, link)
        reason = await refusal(link)
    assert reason.startswith(f"{link} has 2 names (hard links)")


async def test_writer_by_way_of_a_linked_directory_finds_the_lock(path: Path, tmp_path: Path) -> None:
    (tmp_path / "linked").symlink_to(path.parent)
    async with open_database(path, fill, readers=1):
        assert "in use by another kvs-graphql process" in await refusal(tmp_path / "linked" / "kvs.db")
    async with open_database(tmp_path / "linked" / "kvs.db", fill, readers=1):
        assert "in use by another kvs-graphql process" in await refusal(path)


@pytest.mark.parametrize("suffix", ["-wal", "-shm"])
async def test_link_in_place_of_a_file_beside_the_database_is_refused(path: Path, tmp_path: Path, suffix: str) -> None:
    beside = path.with_name(path.name + suffix)
    beside.symlink_to(tmp_path / "elsewhere")
    assert await refusal(path) == f"{beside} is a symbolic link to {tmp_path / 'elsewhere'}: remove the link."
    assert not (tmp_path / "elsewhere").exists()


async def test_link_in_place_of_the_lock_is_refused(path: Path, tmp_path: Path) -> None:
    lock = path.with_name("kvs.db.lock")
    lock.unlink()
    lock.symlink_to(tmp_path / "elsewhere")
    assert (await refusal(path)).startswith(f"{path} cannot be locked: {lock}: ")
    assert not (tmp_path / "elsewhere").exists()


async def test_lock_is_one_file_that_stays(path: Path) -> None:
    lock = path.with_name("kvs.db.lock")
    found = lock.stat().st_ino
    for _ in range(2):
        async with open_database(path, fill, readers=1):
            assert lock.stat().st_ino == found
        assert lock.stat().st_ino == found


async def test_all_files_are_for_their_owner_only(path: Path) -> None:
    def modes() -> dict[str, int]:
        return {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}

    previous = os.umask(0)
    try:
        for file in path.parent.iterdir():
            file.unlink()
        async with open_database(path, fill, readers=1):
            assert modes() == {f"kvs.db{suffix}": 0o600 for suffix in SUFFIXES}
        assert modes() == {f"kvs.db{suffix}": 0o600 for suffix in ("", ".lock", ".clean")}
    finally:
        os.umask(previous)


async def test_path_that_cannot_be_locked_is_refused_with_the_reason(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As a network file system does without a lock manager.
    def no_locks(*_: Any) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    assert await refusal(path) == f"{path} cannot be locked: {path}.lock: No locks available."


async def test_path_whose_directory_is_missing_is_refused_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "kvs.db"
    assert await refusal(path) == f"{path} cannot be locked: {path}.lock: No such file or directory."
