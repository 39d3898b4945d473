"""Precedence among the tables of one process: a few records that just arrived before many that are caught up with.

A commit takes a dozen turns of the event loop and steps in SQLite's thread, and each of them may have to wait while the
event loop decodes a thousand records of another table. So who reads thousands of records stops for as long as another
table commits a few: for a millisecond or two. A commit that takes longer waits for the disk and not for a processor,
and nobody waits for it.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

SHORT_RECORDS_MAX = 500
"""Batches with more records have no precedence."""
_SECONDS_MAX = 0.02


class Precedence:
    """Shared by all tables of a process. Used on the event loop only."""

    def __init__(self) -> None:
        self._commits: set[object] = set()
        self._ended = asyncio.Event()

    @contextmanager
    def short_commit(self) -> Iterator[None]:
        """Have the others give way to a commit of a few records, for at most 20 ms."""
        commit = object()
        self._commits.add(commit)
        expiry = asyncio.get_running_loop().call_later(_SECONDS_MAX, self._end, commit)
        try:
            yield
        finally:
            expiry.cancel()
            self._end(commit)

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
