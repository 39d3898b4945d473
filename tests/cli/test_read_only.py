"""Starting the service on a read-only file system."""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path
from typing import NoReturn

import pytest

from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.state import State
from tests.deadline import SECONDS_MAX
from tests.serving import serving

pytestmark = pytest.mark.slow

# In a new mount namespace, so that nothing has to be unmounted: mount a file system on the second directory, copy the
# files of the first one into it, make it read-only, and run the remaining arguments.
MOUNTED = """
mount -t tmpfs -o size=8m tmpfs "$2" && cp -r "$1/." "$2" && mount -o remount,ro "$2" || exit 125
shift 2 && exec "$@"
"""
NOT_ALLOWED = 125


def not_here(reason: str) -> NoReturn:
    """Skip the test, or fail it in CI, which has what it needs."""
    if os.environ.get("KVS_REQUIRE_KAFKA") == "1":
        pytest.fail(f"KVS_REQUIRE_KAFKA=1, but: {reason}", pytrace=False)
    pytest.skip(reason)


async def serve_read_only(files: Path, directory: Path) -> tuple[int | None, str]:
    """Return the exit code and standard error of `serve` with its database in a read-only `directory`."""
    directory.mkdir()
    serve = [sys.executable, "-m", "kvs_graphql", "serve", "--port=0", f"--database={directory / 'kvs.db'}"]
    namespace = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", MOUNTED, "sh"]
    try:
        process = await asyncio.create_subprocess_exec(
            *namespace, str(files), str(directory), *serve, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE
        )
    except FileNotFoundError:
        not_here("unshare is not on the PATH")
    async with asyncio.timeout(SECONDS_MAX):
        _, errors = await process.communicate()
    if process.returncode == NOT_ALLOWED or errors.startswith(b"unshare:"):
        not_here(f"mounting is not allowed here: {errors.decode().strip()}")
    return process.returncode, errors.decode()


@pytest.mark.parametrize("exists", [True, False])
async def test_serve_on_a_read_only_file_system_exits_with_3_and_one_line_that_names_the_database(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path, exists: bool
) -> None:
    files, directory = tmp_path / "files", tmp_path / "read-only"
    files.mkdir()
    if exists:
        async with serving(embedded_broker.bootstrap_servers, embedded_topic, files) as served:
            await served.state(State.LIVE)
    code, errors = await serve_read_only(files, directory)
    assert code == 3, errors
    assert errors.startswith(f"kvs-graphql: {directory / 'kvs.db'} ")
    assert errors.count("\n") == 1
    assert "Read-only file system" in errors
