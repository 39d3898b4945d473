"""Reads that wait until a cursor is applied."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress

from kvs_graphql.cursor import Cursor
from kvs_graphql.cursor_validation import CursorValidator
from kvs_graphql.errors import BadCursor, NotCaughtUp
from kvs_graphql.feed import Feed
from kvs_graphql.records import covers, position_in
from kvs_graphql.state import Lifecycle
from kvs_graphql.turns import Turns

_ENDS_PER_ROUND = 8
_FOREIGN = "The cursor belongs to another topic, or to this one before it was created again or its log was cut short."


class AtLeast:
    """Waits for the cursors of one table's readers."""

    def __init__(self, feed: Feed, validator: CursorValidator, lifecycle: Lifecycle) -> None:
        self._feed = feed
        self._validator = validator
        self._lifecycle = lifecycle
        # Any number of reads may wait for the same moment.
        self._ends = Turns(_ENDS_PER_ROUND)

    async def wait(self, wanted: Iterable[Cursor], seconds_max: float) -> set[Cursor]:
        """Wait until everything below these cursors is applied, but no longer than `seconds_max`.

        Returns those that are certainly not of this table's log; no read at them can succeed.
        """
        foreign: set[Cursor] = set()

        async def reach(cursor: Cursor) -> None:
            ours = await self._validator.is_this_topic(cursor.topic_id) and not await self._validator.was_cut(cursor)
            if ours and not covers(self._feed.positions, cursor.positions):
                await self._feed.reached(cursor.positions)
                # The log may have been cut short meanwhile, and grown again.
                ours = not await self._validator.was_cut(cursor)
            if not ours:
                foreign.add(cursor)

        # On timeout, the caller checks the snapshot's positions.
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds_max):
                await asyncio.gather(*map(reach, {*wanted}))
        await self._ends.next()
        return foreign

    async def applied(self, wanted: Cursor, seconds_max: float) -> None:
        """Wait until everything below a cursor is applied.

        Raises:
            BadCursor: The cursor is of another topic.
            NotCaughtUp: It takes longer than `seconds_max`.
        """
        foreign = await self.wait([wanted], seconds_max)
        failure = self.failure(wanted, self._feed.cursor, foreign)
        if failure is not None:
            raise failure

    def failure(self, wanted: Cursor, reached: Cursor, foreign: set[Cursor]) -> BadCursor | NotCaughtUp | None:
        """The error of a read that wanted one cursor and got a snapshot at another; None where that is enough."""
        if wanted in foreign:
            return BadCursor(_FOREIGN)
        if reached.topic_id == wanted.topic_id and covers(reached.positions, wanted.positions):
            return None
        moment = self._lifecycle.moment
        # A table that will be rebuilt from another topic has applied nothing of it.
        positions = reached.positions if reached.topic_id == wanted.topic_id else ()
        return NotCaughtUp(
            "The cursor's changes are not applied yet.",
            reached=reached.encode(),
            behind=sum(max(0, offset - position_in(positions, p)) for p, offset in enumerate(wanted.positions)),
            state=moment.state.value,
            reason=moment.reason,
        )
