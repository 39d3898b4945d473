"""The event loop of a command."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import uvloop

INTERRUPTED = 130
"""The exit code of a command that Ctrl-C stopped before its end."""


def run(work: Coroutine[Any, Any, int | None], *, interrupted: int = 0) -> int:
    """Run a command to its end, and return its exit code; after Ctrl-C, `interrupted`."""
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(work) or 0
    except KeyboardInterrupt:
        return interrupted
