"""Places that clients say they have been at, and that this table cannot know: judged by another look at Kafka.

Another replica may be ahead, or may have seen before this one that the topic was created again. What was known when
the client came proves nothing; a look at Kafka that began later does.
"""

from dataclasses import dataclass
from typing import Protocol

from kvs_graphql.cursor import NO_TOPIC_ID
from kvs_graphql.feed import Feed
from kvs_graphql.records import Positions, covers


class Sight(Protocol):
    """What a look at Kafka found: which topic it is, and where its log ends."""

    @property
    def topic_id(self) -> bytes: ...
    @property
    def end(self) -> Positions: ...


class Looks(Protocol):
    """Looks at Kafka, each with a number; whatever was committed before it began, a look finds."""

    @property
    def begun(self) -> int: ...
    def found_since(self, begun: int) -> Sight | None: ...
    async def until_found_since(self, begun: int) -> None: ...


class Claims:
    """Judges what clients of one table claim."""

    def __init__(self, feed: Feed, looks: Looks) -> None:
        self._feed = feed
        self._looks = looks

    async def is_this_topic(self, topic_id: bytes) -> bool:
        """Whether cursors of that topic are this table's. Not while Kafka is away, where it seems that they are not.

        Where the table is being built again of that very topic, it is waited for.

        Raises:
            Unavailable: The service is stopping.
        """
        begun = self._looks.begun
        while topic_id != self._feed.topic_id:
            sight = self._looks.found_since(begun)
            if sight is None:
                await self._feed.first_of(self._looks.until_found_since(begun))
            elif self._is_to_come(topic_id, sight):
                await self._feed.first_of(self._feed.begun_again())
            else:
                return False
        return True

    def of(self, positions: Positions) -> "Claim | None":
        """The claim to have been at those positions of this table's topic; None where the table has been there."""
        if covers(self._feed.positions, positions):
            return None
        return Claim(self._looks, self._feed.topic_id, positions, self._looks.begun)

    def _is_to_come(self, topic_id: bytes, sight: Sight) -> bool:
        """Whether the table is going to be one of that topic.

        One that was begun is built again only where both have an id.
        """
        begun = bool(self._feed.positions)
        return topic_id == sight.topic_id and not (begun and NO_TOPIC_ID in (topic_id, self._feed.topic_id))


@dataclass(frozen=True, slots=True)
class Claim:
    """To have been at a place of the table's topic that this replica has not reached. Made by `Claims.of`."""

    _looks: Looks
    _topic_id: bytes
    _positions: Positions
    _looks_begun: int

    def holds(self) -> bool | None:
        """Whether there is such a place; None before there was a look."""
        sight = self._looks.found_since(self._looks_begun)
        if sight is None:
            return None
        # Of a topic that is another by now nothing can be said: its table is going to be replaced.
        return sight.topic_id != self._topic_id or covers(sight.end, self._positions)

    async def until_known(self) -> None:
        """Return once there was a look: not while Kafka is away."""
        await self._looks.until_found_since(self._looks_begun)
