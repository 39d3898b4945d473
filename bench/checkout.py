"""The code of another commit."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.processes import ROOT

_PACKAGE = "kvs_graphql"


class UnknownCommit(Exception):
    """The repository has no such commit."""


def describe_commit(commit: str, repository: Path = ROOT) -> str:
    """Return the short hash and the subject of a commit.

    Raises:
        UnknownCommit: There is no such commit.
    """
    found = _git(repository, "log", "-1", "--format=%h %s", commit, "--")
    if found.returncode != 0:
        raise UnknownCommit(found.stderr.decode().strip())
    return found.stdout.decode().strip()


@contextmanager
def checkout(commit: str, repository: Path = ROOT) -> Iterator[Path]:
    """Provide a directory with the service's package as of a commit, for as long as the context is open."""
    archive = _git(repository, "archive", commit, _PACKAGE)
    archive.check_returncode()
    with TemporaryDirectory(prefix="kvs-graphql-base-") as directory:
        subprocess.run(["/usr/bin/env", "tar", "-x", "-C", directory], input=archive.stdout, check=True)
        yield Path(directory)


def _git(repository: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["/usr/bin/env", "git", "-C", repository, *arguments], capture_output=True, check=False)
