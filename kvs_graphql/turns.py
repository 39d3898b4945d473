"""Turns of the event loop: work that takes long is cut into parts, of which each pass of the loop runs one.

So however much of it there is, whatever else is ready waits for one part at most.
"""

import asyncio
from collections import deque

TURN_SECONDS = 0.005
"""How long a part may take."""


class Turns:
    """Gives turns in the order in which they are asked for: one in each pass of the event loop."""

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def next(self) -> None:
        """Return when it is the caller's turn."""
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._waiting.append(future)
        if len(self._waiting) == 1:
            loop.call_soon(self._give)
        await future

    def _give(self) -> None:
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(None)
                break
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._give)
