"""The files that belong to a database: which they are, the lock beside them, and the marker of a clean shutdown."""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kvs_graphql.errors import DatabaseError

# For the owner only. SQLite gives the same mode to the files that it creates beside the database.
_FILE_MODE = 0o600


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Lock out other writers of the file at `path`, by a lock on a file beside it that is never removed or replaced.

    The database itself cannot be locked: closing another descriptor of it would drop SQLite's own locks. So no file
    may have two names, which would have two locks.

    Raises:
        DatabaseError: Another process writes to the file, or it cannot be locked, or has two names.
    """
    real = path.parent.resolve() / path.name
    lock = beside(real, ".lock")
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, _FILE_MODE)
    except OSError as error:
        raise DatabaseError(f"{path} cannot be locked: {lock}: {error.strerror}.") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DatabaseError(f"{path} is in use by another kvs-graphql process (it holds {lock}).") from None
        except OSError as error:
            raise DatabaseError(f"{path} cannot be locked: {lock}: {error.strerror}.") from error
        refuse_links(real)
        yield
    finally:
        os.close(descriptor)


def refuse_links(path: Path) -> None:
    """Raises: DatabaseError: One of the files has another name, or is none."""
    for file in files_of(path):
        try:
            found = file.lstat()
        except FileNotFoundError:
            continue
        if stat.S_ISLNK(found.st_mode):
            remedy = "set KVS_DATABASE to the path of the file itself" if file == path else "remove the link"
            raise DatabaseError(f"{file} is a symbolic link to {file.readlink()}: {remedy}.")
        if not stat.S_ISREG(found.st_mode):
            raise DatabaseError(f"{file} is not a file: move it away, or set KVS_DATABASE to another path.")
        if found.st_nlink > 1:
            raise DatabaseError(
                f"{file} has {found.st_nlink} names (hard links), and services that use different ones would write the "
                "same file: keep one of them."
            )


def remove_database(path: Path) -> None:
    """Remove a database that nobody has open, with the files that belong to it, as far as the system allows."""
    for file in (*files_of(path), beside(path, ".clean")):
        # The next database at this path cannot be opened then, and that error names the reason.
        with suppress(OSError):
            file.unlink()


def create_privately(path: Path) -> None:
    """Create an empty file, unless it is there, that only its owner may read."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _FILE_MODE))


def files_of(path: Path) -> list[Path]:
    """The database at `path`, and the files beside it that are written while it is open."""
    return [beside(path, suffix) for suffix in ("", "-wal", "-shm", ".lock")]


def beside(path: Path, suffix: str) -> Path:
    """The file with the database's name and a suffix."""
    return path.with_name(path.name + suffix)


def _marker_of(path: Path) -> Path:
    return beside(path, ".clean")


def leave_clean_shutdown_marker(path: Path) -> None:
    """Record the size and time of a file that was closed properly."""
    # On a full disk there is no marker, and the next start checks the file.
    with suppress(OSError):
        marker = os.open(_marker_of(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _FILE_MODE)
        with os.fdopen(marker, "w") as file:
            file.write(_size_and_time_of(path))


def take_clean_shutdown_marker(path: Path) -> bool:
    """Remove the marker; return whether there was one and the file has not changed since."""
    marker = _marker_of(path)
    try:
        return marker.read_text() == _size_and_time_of(path)
    except FileNotFoundError:
        return False
    finally:
        marker.unlink(missing_ok=True)


def _size_and_time_of(path: Path) -> str:
    found = path.stat()
    return f"{found.st_size} bytes, modified at {found.st_mtime_ns} ns\n"
