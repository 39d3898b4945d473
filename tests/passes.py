"""The passes of the event loop: by them, tests count instead of measuring time."""

import asyncio


class Passes:
    """Counts the passes of the event loop while it is open."""

    def __init__(self) -> None:
        self.number = 0
        self._open = True
        self._tick()

    def _tick(self) -> None:
        self.number += 1
        if self._open:
            asyncio.get_running_loop().call_soon(self._tick)

    def close(self) -> None:
        self._open = False
