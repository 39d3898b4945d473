"""The clocks of this machine, and how long ago the table last caught up by both of them.

docs/clocks.md says what each clock in the system is trusted for.
"""

import time

_ELAPSED = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Clock:
    """This machine's clocks: the time of day, which may jump both ways, and the time since the start, which may not."""

    def now_ms(self) -> int:
        """Return the time of day in milliseconds since 1970."""
        return int(time.time() * 1000)

    def elapsed_ms(self) -> float:
        """Return the milliseconds since some moment before this process; where the system can, with those asleep."""
        return time.clock_gettime(_ELAPSED) * 1000


class CaughtUp:
    """When the table last caught up, as this process saw it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen_at: float | None = None

    def note(self) -> int:
        """Note that the table has just caught up; return the time of day."""
        self._seen_at = self._clock.elapsed_ms()
        return self._clock.now_ms()

    def ago_ms(self, recorded_ms: int) -> float:
        """Return how long ago that was, by the clock that says longer; `recorded_ms` is what the file says.

        The file has only the time of day. If it was written before this process, the difference may be negative.
        """
        by_day = self._clock.now_ms() - recorded_ms
        if self._seen_at is not None:
            return max(by_day, self._clock.elapsed_ms() - self._seen_at)
        if by_day >= 0:
            # From here on, the time of day may jump.
            self._seen_at = self._clock.elapsed_ms() - by_day
        return by_day
