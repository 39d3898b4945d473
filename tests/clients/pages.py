"""JavaScript of a page, run by Node.js with the real clients."""

import asyncio
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson

from tests.deadline import SECONDS_MAX


class Page:
    """Running code."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def logs(self, *expected: Any) -> None:
        """Return once the code logs these values."""
        assert self._process.stdout is not None
        logged = []
        async for line in self._process.stdout:
            logged.append(orjson.loads(line))
            if logged[-1] == list(expected):
                return
        raise AssertionError(f"ended after logging only {logged}")


@asynccontextmanager
async def running(directory: Path, code: str) -> AsyncIterator[Page]:
    """Run code with the clients that are installed in a directory."""
    command = ("node", "--import", "./browser.js", "--input-type=module", "--eval", code)
    process = await asyncio.create_subprocess_exec(*command, cwd=directory, stdin=PIPE, stdout=PIPE)
    try:
        async with asyncio.timeout(SECONDS_MAX):
            yield Page(process)
    finally:
        await process.communicate(b"")  # Closes stdin, which ends the process.
