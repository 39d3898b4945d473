"""A load generator's side of the talk with the harness: JSON lines on standard input and output.

The first line that comes is the specification; each line after it is a command, answered by one line.
"""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import orjson
import uvloop

Specification = dict[str, Any]
_LINE_BYTES_MAX = 16 * 1024 * 1024


class Harness:
    """The other end of the pipes."""

    def __init__(self, lines: asyncio.StreamReader) -> None:
        self._lines = lines

    async def receive(self) -> dict[str, Any]:
        """The next command; ends this process where the harness has ended."""
        line = await self._lines.readline()
        if not line:
            os._exit(0)
        heard: dict[str, Any] = orjson.loads(line)
        return heard

    def send(self, **said: Any) -> None:
        """One line to the harness."""
        sys.stdout.buffer.write(orjson.dumps(said) + b"\n")
        sys.stdout.buffer.flush()


def run(work: Callable[[Harness, Specification], Coroutine[Any, Any, None]]) -> None:
    """Do the work of this process, on uvloop."""

    async def main() -> None:
        lines = asyncio.StreamReader(limit=_LINE_BYTES_MAX)
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
        harness = Harness(lines)
        await work(harness, await harness.receive())

    uvloop.run(main())


def percentiles_ms(seconds: list[float]) -> dict[str, float]:
    """The median and the 99th percentile in milliseconds; nothing of nothing."""
    if not seconds:
        return {}
    ordered = sorted(seconds)
    return {"p50_ms": _nearest(ordered, 0.50) * 1000, "p99_ms": _nearest(ordered, 0.99) * 1000}


def _nearest(ordered: list[float], part: float) -> float:
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]
