"""The clocks of this machine, and how long ago a table last caught up by both of them.

docs/clocks.md says what each clock in the system is trusted for.
"""

import time
from typing import NamedTuple

from kvs_graphql.records import Positions, covers

_ELAPSED = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Moment(NamedTuple):
    """A moment, by both clocks."""

    day_ms: int
    elapsed_ms: float


class Clock:
    """This machine's clocks: the time of day, which may jump both ways, and the time since the start, which may not."""

    def now_ms(self) -> int:
        """Return the time of day in milliseconds since 1970."""
        return int(time.time() * 1000)

    def elapsed_ms(self) -> float:
        """Return the milliseconds since some moment before this process; where the system can, with those asleep."""
        return time.clock_gettime(_ELAPSED) * 1000

    def now(self) -> Moment:
        """Return this moment."""
        return Moment(self.now_ms(), self.elapsed_ms())


class Ago(NamedTuple):
    """How long ago something was. By the time of day alone it is uncertain, and negative if that is in the future."""

    milliseconds: float
    is_certain: bool


class CaughtUp:
    """The latest moment at which the log had nothing that the table lacks by now, as this process saw it.

    That is when the log's end was asked for, not when the table got there: what was written in between may be unread.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.at: Moment | None = None
        self._expected: tuple[Positions, Moment] | None = None
        self._recorded_at: float | None = None

    @property
    def began(self) -> bool:
        """Whether that moment is the one at which the session began: the table is new."""
        return self._expected is not None and self.at == self._expected[1]

    def note(self, at: Moment) -> None:
        """Note that the table has everything that the log had at that moment."""
        self.at, self._expected = at, None

    def begin(self, end: Positions, at: Moment) -> None:
        """Note where the log of a new session ended at a moment; what was expected in an earlier one counts no more."""
        self._expected = end, at

    def expect(self, end: Positions, at: Moment) -> None:
        """Note where the log ended at a moment.

        An end that the table has not reached yet is not replaced: a table may always be a little behind the newest.
        """
        if self._expected is None:
            self._expected = end, at

    def reached(self, positions: Positions) -> Moment | None:
        """Note how far the table is; return the latest moment that it has caught up with."""
        if self._expected is not None and covers(positions, self._expected[0]):
            self.note(self._expected[1])
        return self.at

    def ago(self, recorded_ms: int) -> Ago:
        """Return how long ago the table last caught up; if that was before this process, by what the file says.

        The file has only the time of day. Of two clocks that differ, the one counts that says longer.
        """
        now = self._clock.now()
        if self.at is not None:
            return Ago(max(now.day_ms - self.at.day_ms, now.elapsed_ms - self.at.elapsed_ms), is_certain=True)
        by_day = now.day_ms - recorded_ms
        if self._recorded_at is None and by_day >= 0:
            # From here on, the time of day may jump.
            self._recorded_at = now.elapsed_ms - by_day
        since = by_day if self._recorded_at is None else max(by_day, now.elapsed_ms - self._recorded_at)
        return Ago(since, is_certain=False)
