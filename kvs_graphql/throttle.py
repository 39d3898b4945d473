"""Log lines that many requests would repeat, written only now and then."""

import time
from collections.abc import Callable


class Throttle:
    """Allows something at most once in so many seconds."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._next = 0.0

    def allow(self) -> bool:
        """Whether it may be done now; if so, not again for that time."""
        now = self._clock()
        if now < self._next:
            return False
        self._next = now + self._seconds
        return True
