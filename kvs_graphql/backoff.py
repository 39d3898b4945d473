"""Pauses between attempts: exponential backoff with full jitter.

The pause before attempt n is uniform between 0 and min(longest, first * 2^n) seconds ("full jitter", Marc Brooker,
"Exponential Backoff and Jitter", AWS Architecture Blog, 2015): clients that lost the same broker do not come back
together. The stamina library does not fit. It repeats one callable and adds a small jitter to each pause, whereas the
loops here are state machines: an attempt may run for days, and its first success starts the pauses over.
"""

import asyncio
from random import Random

# 2^30 times the shortest pause exceeds any limit; the power of an outage of hours would overflow a float.
_DOUBLINGS_MAX = 30


def check_cancelled() -> None:
    """Raise CancelledError if this task was cancelled. For loops that go on after errors.

    An error may take the place of the cancellation: a TaskGroup that is cancelled raises the error of a task that fails
    meanwhile, and so does a clean-up that fails. A loop that took it for any other error would never end.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


class Backoff:
    """The pauses of one retry loop, in seconds. `random` is injected by tests."""

    def __init__(self, first_seconds: float, seconds_max: float, random: Random | None = None) -> None:
        self._first_seconds = first_seconds
        self._seconds_max = seconds_max
        self._random = Random() if random is None else random  # noqa: S311 - spreads load, protects no secret
        self._failures = 0

    def next_pause(self) -> float:
        """Return the seconds to wait before the next attempt; on average longer after each call, up to the limit."""
        longest = min(self._seconds_max, self._first_seconds * 2.0 ** min(self._failures, _DOUBLINGS_MAX))
        self._failures += 1
        return self._random.uniform(0.0, longest)

    def reset(self) -> None:
        """Start over with short pauses: an attempt succeeded."""
        self._failures = 0
