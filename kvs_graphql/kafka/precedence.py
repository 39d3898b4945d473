"""Precedence among the tables of one process: a few records that just arrived before many that are caught up with.

A commit takes a dozen turns of the event loop and steps in SQLite's thread, and each of them may have to wait while the
event loop decodes a thousand records of another table. So who reads thousands of records stops for as long as another
table commits a few: for a millisecond or two. A commit that takes longer waits for the disk and not for a processor,
and nobody waits for it. While others commit a few now and then, it also takes fewer at once.
"""

import asyncio
import math
from collections.abc import Iterator
from contextlib import contextmanager

SHORT_RECORDS_MAX = 500
"""Batches with more records have no precedence."""
_SECONDS_MAX = 0.02
_NEAR_SECONDS = 1.0
"""Short commits of a table that follows each change are expected to go on for so long."""


class Precedence:
    """Shared by all tables of a process. Used on the event loop only."""

    def __init__(self) -> None:
        self._commits: set[object] = set()
        self._ended = asyncio.Event()
        # Which table committed a few records last, and when; and the same of another table than that one.
        self._latest: tuple[object, float] = None, -math.inf
        self._before: tuple[object, float] = None, -math.inf

    @contextmanager
    def short_commit(self, table: object) -> Iterator[None]:
        """Have the others give way to a commit of a few records, for at most 20 ms."""
        commit, loop = object(), asyncio.get_running_loop()
        if table is not self._latest[0]:
            self._before = self._latest
        self._latest = table, loop.time()
        self._commits.add(commit)
        expiry = loop.call_later(_SECONDS_MAX, self._end, commit)
        try:
            yield
        finally:
            expiry.cancel()
            self._end(commit)

    def is_shared(self, table: object) -> bool:
        """Whether another table has committed a few records of late."""
        latest, at = self._latest
        if latest is table:
            _, at = self._before
        return asyncio.get_running_loop().time() - at < _NEAR_SECONDS

    async def give_way(self) -> None:
        """Wait until one of the short commits that are under way has ended; return at once if there is none.

        Not until all have: many busy tables would stop this one for good.
        """
        if self._commits:
            await self._ended.wait()

    def _end(self, commit: object) -> None:
        if commit in self._commits:
            self._commits.remove(commit)
            self._ended.set()
            self._ended = asyncio.Event()
