"""The directory with the files of a catalog's tables."""

from collections.abc import Collection
from pathlib import Path

import structlog

from kvs_graphql.errors import DatabaseError

log = structlog.get_logger(__name__)

_MODE = 0o700


def prepare_directory(files: Collection[Path]) -> None:
    """Make the directory of these files of named tables; name the files there of tables that are not served.

    Raises:
        DatabaseError: It cannot be made, or is a link or a file.
    """
    for directory in {file.parent for file in files}:
        try:
            check_directory(directory)
            directory.mkdir(_MODE, exist_ok=True)
            others = sorted(file.name for file in directory.glob("*.db") if file not in files)
        except OSError as error:
            raise DatabaseError(f"{directory} cannot hold the tables: {error.strerror}.") from error
        if others:
            log.warning("files of tables that are not served are kept", directory=str(directory), files=others)


def check_directory(directory: Path) -> None:
    """Check a directory of tables, if it is there.

    Raises:
        DatabaseError: It is a link: services that use different names could write the same files. Or it is a file.
        OSError: It cannot be looked at.
    """
    if directory.is_symlink():
        raise DatabaseError(f"{directory} is a symbolic link: set KVS_DATABASE to the directory itself.")
    if directory.exists() and not directory.is_dir():
        raise DatabaseError(f"{directory} is a file: set KVS_DATABASE to a directory, with a file for each table.")
