"""The service's one state machine: what it is doing, why, since when; and how far it is behind Kafka.

    STARTING ──▶ WAITING_FOR_BROKER ◀──▶ WAITING_FOR_TOPIC ──▶ CATCHING_UP ──▶ LIVE
                        ▲                        │                  ▲            │
                        │                        └──▶ REBUILDING ──┤            │
                        └────────────────────────────────────────────────────────┘
    any of them ──▶ STOPPED

REBUILDING: the table is built again beside the old one, which is served meanwhile.

The same words stand in `status`, `/readyz`, the metrics and the log.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import NamedTuple

from kvs_graphql.records import Positions, position_in


class State(Enum):
    """What the consumer of the topic is doing."""

    STARTING = "STARTING"
    WAITING_FOR_BROKER = "WAITING_FOR_BROKER"
    WAITING_FOR_TOPIC = "WAITING_FOR_TOPIC"
    CATCHING_UP = "CATCHING_UP"
    LIVE = "LIVE"
    REBUILDING = "REBUILDING"
    STOPPED = "STOPPED"


@dataclass(frozen=True, slots=True)
class Moment:
    """A state, in words why, and since when."""

    state: State
    reason: str
    since: datetime


class TopicSnapshot(NamedTuple):
    """The topic as a metadata refresh found it."""

    topic_id: bytes
    end: Positions
    """The end of what is committed in each partition."""


class MetadataRefreshes:
    """Numbered refreshes of the topic's metadata, one at a time, so that a result can be told from older news."""

    def __init__(self) -> None:
        self.begun = 0
        """How many refreshes have begun."""
        self._ended = 0
        self._found: TopicSnapshot | None = None
        self._news = asyncio.Event()

    def begin(self) -> int:
        """Begin a refresh and return its number; it finds whatever was committed before."""
        self.begun += 1
        return self.begun

    def end(self, number: int, found: TopicSnapshot) -> None:
        """Record what that refresh found. A refresh that failed never ends."""
        self._ended, self._found = number, found
        news, self._news = self._news, asyncio.Event()
        news.set()

    def found_since(self, begun: int) -> TopicSnapshot | None:
        """The latest snapshot found by a refresh with a number above `begun`; None before there is one."""
        return self._found if self._ended > begun else None

    async def until_found_since(self, begun: int) -> None:
        """Return once `found_since(begun)` has a snapshot; wait while Kafka is away."""
        while self._ended <= begun:
            await self._news.wait()


class Lifecycle:
    """The current moment, and whoever wants to hear of the next.

    `ready` is true from the first time the table caught up with Kafka, for as long as the consumer runs and its
    commits succeed. A broker that goes away later does not change it: reads survive Kafka, and `lag` and the
    state tell how old they are.
    """

    def __init__(self) -> None:
        self.moment = Moment(State.STARTING, "the service is starting", datetime.now(UTC))
        self.end_offsets: Positions = ()
        """Of each partition the end of what is committed (the last stable offset), as last heard."""
        self.refreshes = MetadataRefreshes()
        self.held_back: Positions = ()
        """Of each partition how many offsets past that open transactions hold back."""
        self.compacted: bool | None = None
        """Whether the topic is compacted; None before it was looked at."""
        self.caught_up = False
        self.writable = True
        """Whether the last attempt to commit succeeded."""
        self._listeners: list[Callable[[Moment], None]] = []

    def listen(self, listener: Callable[[Moment], None]) -> None:
        """Call `listener` with each new moment, and once now."""
        self._listeners.append(listener)
        listener(self.moment)

    def move(self, state: State, reason: str) -> None:
        """Enter a state. Entering the same one with the same reason again changes nothing."""
        if (state, reason) == (self.moment.state, self.moment.reason):
            return
        since = self.moment.since if state is self.moment.state else datetime.now(UTC)
        self.moment = Moment(state, reason, since)
        self.caught_up = self.caught_up or state is State.LIVE
        for listener in self._listeners:
            listener(self.moment)

    @property
    def ready(self) -> bool:
        return self.caught_up and self.writable and self.moment.state is not State.STOPPED

    def lag(self, positions: Positions) -> Positions:
        """Of each partition, how many offsets are committed in Kafka and not applied yet."""
        return tuple(max(0, end - position_in(positions, p)) for p, end in enumerate(self.end_offsets))
