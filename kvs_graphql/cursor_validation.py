"""Validate cursors that this table cannot know yet, by a metadata refresh that began after the client came.

Another replica may be ahead, or may have noticed earlier that the topic was created again. What was known when the
client came proves nothing about its cursor; a refresh that began later does.
"""

from collections.abc import Mapping
from typing import Protocol

from kvs_graphql.cursor import NO_TOPIC_ID, Cursor
from kvs_graphql.feed import Feed
from kvs_graphql.records import UNKNOWN_EPOCH, EpochEnd, Positions, covers, epoch_in, merge, position_in, was_cut


class TopicSnapshot(Protocol):
    """The topic as a metadata refresh found it."""

    @property
    def topic_id(self) -> bytes: ...
    @property
    def end(self) -> Positions: ...


class EpochEnds(Protocol):
    """What the brokers said about where leader epochs ended."""

    @property
    def found(self) -> Mapping[tuple[int, int], EpochEnd | None]: ...
    async def until_found(self, partition: int, epoch: int) -> None: ...
    def forget(self, partition: int, epoch: int) -> None: ...


class MetadataRefreshes(Protocol):
    """Numbered metadata refreshes; each finds whatever was committed before it began."""

    @property
    def begun(self) -> int: ...
    def found_since(self, begun: int) -> TopicSnapshot | None: ...
    async def until_found_since(self, begun: int) -> None: ...
    @property
    def epoch_ends(self) -> EpochEnds: ...


class CursorValidator:
    """Validates the cursors that clients of one table send."""

    def __init__(self, feed: Feed, refreshes: MetadataRefreshes) -> None:
        self._feed = feed
        self._refreshes = refreshes

    async def is_this_topic(self, topic_id: bytes) -> bool:
        """Return whether cursors of that topic belong to this table.

        Waits while Kafka is away if they seem not to, and while the table is being rebuilt from that very topic.

        Raises:
            Unavailable: The service is stopping.
        """
        begun = self._refreshes.begun
        while topic_id != self._feed.topic_id:
            snapshot = self._refreshes.found_since(begun)
            if snapshot is None:
                await self._feed.first_of(self._refreshes.until_found_since(begun))
            elif self._will_be_served(topic_id, snapshot):
                await self._feed.first_of(self._feed.was_reset())
            else:
                return False
        return True

    async def is_applied(self, cursor: Cursor) -> bool:
        """Wait until the table has everything below a cursor of its topic; return False if the log lacks some of it.

        The log may be cut short below the cursor before the table is there, and grow again.

        Raises:
            Unavailable: The service is stopping.
        """
        if await self.was_cut(cursor):
            return False
        wanted = merge(cursor.positions, cursor.pending)
        while not covers(self._feed.positions, wanted):
            begun = self._refreshes.begun
            await self._feed.first_of(self._feed.reached(wanted), self._refreshes.until_found_since(begun))
            found = self._refreshes.found_since(begun)
            # Nothing can be said of a topic that is another by now: its table will be replaced.
            if found is not None and found.topic_id == self._feed.topic_id and not covers(found.end, wanted):
                return False
        return not await self.was_cut(cursor)

    async def was_cut(self, cursor: Cursor) -> bool:
        """Return whether the log that led to a cursor of this table's topic was cut short below it since.

        If the cursor's epoch is the table's own, the table was read from that log as far as it goes; ask again once
        it has reached the cursor. About other epochs, the brokers are asked; waits while Kafka is away. A cursor of a
        later epoch may be of a log that has replaced the table's own: waits until a table that was read from the one
        before is rebuilt.

        Raises:
            Unavailable: The service is stopping.
        """
        wanted = merge(cursor.positions, cursor.pending)
        for partition, epoch in enumerate(cursor.epochs):
            position = position_in(wanted, partition)
            while position and epoch not in (UNKNOWN_EPOCH, own := epoch_in(self._feed.epochs, partition)):
                if await self._is_cut(partition, epoch, position, asked_before=True):
                    return True
                reached = position_in(self._feed.positions, partition)
                is_later = epoch > own and own != UNKNOWN_EPOCH
                if not is_later or not await self._is_cut(partition, own, reached, asked_before=False):
                    break
                await self._feed.first_of(self._feed.was_reset())
        return False

    async def _is_cut(self, partition: int, epoch: int, position: int, *, asked_before: bool) -> bool:
        """Ask the brokers whether a log that had an epoch and reached a position was cut short below it.

        An answer from before can prove that it was not. It cannot prove the contrary: the log may have grown since.
        """
        ends, question = self._refreshes.epoch_ends, (partition, epoch)
        if asked_before and question in ends.found and not _tells_cut(ends.found[question], epoch, position):
            return False
        ends.forget(partition, epoch)
        while question not in ends.found:
            await self._feed.first_of(ends.until_found(partition, epoch))
        return _tells_cut(ends.found[question], epoch, position)

    def _will_be_served(self, topic_id: bytes, snapshot: TopicSnapshot) -> bool:
        """Whether the table will become one of that topic.

        A table that holds something is rebuilt only where both topics have an id.
        """
        holds_something = bool(self._feed.positions)
        return topic_id == snapshot.topic_id and not (
            holds_something and NO_TOPIC_ID in (topic_id, self._feed.topic_id)
        )


def _tells_cut(end: EpochEnd | None, epoch: int, position: int) -> bool:
    return end is not None and was_cut(position, epoch, end)
