"""Reads that wait until a cursor is applied."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress

from kvs_graphql.cursor import Cursor
from kvs_graphql.cursor_validation import CursorValidator
from kvs_graphql.errors import BadCursor, NotCaughtUp
from kvs_graphql.feed import Feed
from kvs_graphql.records import Positions, covers, merge, position_in
from kvs_graphql.state import Lifecycle

_FOREIGN = "The cursor belongs to another topic, or to this one before it was created again."


class AtLeast:
    """Waits for the cursors of one table's readers."""

    def __init__(self, feed: Feed, validator: CursorValidator, lifecycle: Lifecycle) -> None:
        self._feed = feed
        self._validator = validator
        self._lifecycle = lifecycle

    async def wait(self, wanted: Iterable[Cursor], seconds_max: float) -> set[bytes]:
        """Wait until everything below these cursors is applied, but no longer than `seconds_max`.

        Returns the ids of topics that are certainly not this table's; no read at their cursors can succeed.
        """
        positions: dict[bytes, Positions] = {}
        for cursor in wanted:
            positions[cursor.topic_id] = merge(positions.get(cursor.topic_id, ()), cursor.positions)
        foreign: set[bytes] = set()

        async def reach(topic_id: bytes, wanted: Positions) -> None:
            if await self._validator.is_this_topic(topic_id):
                await self._feed.reached(wanted)
            else:
                foreign.add(topic_id)

        # On timeout, the caller checks the snapshot's positions.
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds_max):
                await asyncio.gather(*(reach(*one) for one in positions.items()))
        return foreign

    async def applied(self, wanted: Cursor, seconds_max: float) -> None:
        """Wait until everything below a cursor is applied.

        Raises:
            BadCursor: The cursor is of another topic.
            NotCaughtUp: It takes longer than `seconds_max`.
        """
        foreign = await self.wait([wanted], seconds_max)
        failure = self.failure(wanted, Cursor(self._feed.topic_id, self._feed.positions), foreign)
        if failure is not None:
            raise failure

    def failure(self, wanted: Cursor, reached: Cursor, foreign: set[bytes]) -> BadCursor | NotCaughtUp | None:
        """The error of a read that wanted one cursor and got a snapshot at another; None where that is enough."""
        if reached.topic_id == wanted.topic_id and covers(reached.positions, wanted.positions):
            return None
        if wanted.topic_id in foreign:
            return BadCursor(_FOREIGN)
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
