"""A worker process's side of its conversation with the harness: JSON lines on standard input and output.

The first line is the specification; each later line is a command, answered by one line.
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
        """Return the next command; end this process if the harness has ended."""
        line = await self._lines.readline()
        if not line:
            os._exit(0)
        message: dict[str, Any] = orjson.loads(line)
        return message

    def send(self, **message: Any) -> None:
        """Send one line to the harness."""
        sys.stdout.buffer.write(orjson.dumps(message) + b"\n")
        sys.stdout.buffer.flush()


def run(work: Callable[[Harness, Specification], Coroutine[Any, Any, None]]) -> None:
    """Run this process's work on uvloop."""

    async def main() -> None:
        lines = asyncio.StreamReader(limit=_LINE_BYTES_MAX)
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
        harness = Harness(lines)
        await work(harness, await harness.receive())

    uvloop.run(main())


def percentiles_ms(seconds: list[float]) -> dict[str, float]:
    """Return the median and the 99th percentile in milliseconds; nothing for an empty list."""
    if not seconds:
        return {}
    ordered = sorted(seconds)
    return {"p50_ms": _nearest(ordered, 0.50) * 1000, "p99_ms": _nearest(ordered, 0.99) * 1000}


def _nearest(ordered: list[float], part: float) -> float:
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]
