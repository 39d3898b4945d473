"""A table's one state machine: what it does, why, and since when; and how far it is behind Kafka.

                 ┌──────────────────────┐
                 │ WAITING_FOR_BROKER   │
    STARTING ──▶ │ WAITING_FOR_TOPIC    │ ──▶ STOPPED
                 │ REBUILDING           │
                 │ CATCHING_UP ──▶ LIVE │
                 └──────────────────────┘

Within the frame, any state can follow any other, because a session with Kafka can break at any moment. The one
exception is LIVE, which follows only CATCHING_UP. Any state can lead straight to STOPPED, and nothing follows it.

`status`, `/readyz`, the metrics and the log use the same names.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from typing import NamedTuple

from kvs_graphql.records import EpochEnd, Positions, position_in

_EPOCH_ENDS_MAX = 10_000


class State(Enum):
    """What the topic's consumer does."""

    STARTING = "STARTING"
    """It has not connected to Kafka yet."""
    WAITING_FOR_BROKER = "WAITING_FOR_BROKER"
    """It cannot reach Kafka, or the leader of a partition, or Kafka refuses access, and tries again."""
    WAITING_FOR_TOPIC = "WAITING_FOR_TOPIC"
    """The topic does not exist yet, and it tries again."""
    CATCHING_UP = "CATCHING_UP"
    """It reads the topic to the end that it had when the session began, or tries again after a failure."""
    LIVE = "LIVE"
    """It has caught up and applies records as they arrive."""
    REBUILDING = "REBUILDING"
    """It builds a new table from the topic, while the old one is served."""
    STOPPED = "STOPPED"
    """It has given up: an operator has to act."""


TRANSITIONS: Mapping[State, frozenset[State]] = {
    State.STARTING: frozenset(
        {State.WAITING_FOR_BROKER, State.WAITING_FOR_TOPIC, State.CATCHING_UP, State.REBUILDING, State.STOPPED}
    ),
    State.WAITING_FOR_BROKER: frozenset({State.WAITING_FOR_TOPIC, State.CATCHING_UP, State.REBUILDING, State.STOPPED}),
    State.WAITING_FOR_TOPIC: frozenset({State.WAITING_FOR_BROKER, State.CATCHING_UP, State.REBUILDING, State.STOPPED}),
    State.CATCHING_UP: frozenset(
        {State.WAITING_FOR_BROKER, State.WAITING_FOR_TOPIC, State.LIVE, State.REBUILDING, State.STOPPED}
    ),
    State.LIVE: frozenset(
        {State.WAITING_FOR_BROKER, State.WAITING_FOR_TOPIC, State.CATCHING_UP, State.REBUILDING, State.STOPPED}
    ),
    State.REBUILDING: frozenset({State.WAITING_FOR_BROKER, State.WAITING_FOR_TOPIC, State.CATCHING_UP, State.STOPPED}),
    State.STOPPED: frozenset(),
}
"""The states that may follow each state."""


_FROM_BEST_TO_WORST = (
    *(State.LIVE, State.CATCHING_UP, State.STARTING, State.REBUILDING),
    *(State.WAITING_FOR_TOPIC, State.WAITING_FOR_BROKER, State.STOPPED),
)


class InvalidTransition(AssertionError):
    """The code tried to enter a state that cannot follow the current one: a programmer error."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A state, the reason for it in words, and the time it was entered."""

    state: State
    reason: str
    since: datetime


def worst(moments: Iterable[Moment]) -> Moment:
    """The moment with the worst state; of those, the one that was entered first."""
    return min(moments, key=lambda moment: (-_FROM_BEST_TO_WORST.index(moment.state), moment.since))


class TopicSnapshot(NamedTuple):
    """What a metadata refresh found."""

    topic_id: bytes
    end: Positions
    """The end of the committed records in each partition: its last stable offset."""


@dataclass(frozen=True, slots=True)
class SchemaStatus:
    """Which schema a table's keys or values are shown with, and why not a newer one."""

    part: str
    """`key` or `value`."""
    subject: str
    """Its subject in the registry."""
    version: int | None
    """None while there is none."""
    id: int | None
    refused: tuple[tuple[int, str], ...] = ()
    """Newer versions that are not served, and why, newest first."""
    problem: str | None = None
    """Why the last look at the registry changed nothing; None where all is well."""


class EpochEnds:
    """What the brokers say about where leader epochs ended, for those who ask, and the questions that are open.

    A session with Kafka answers, and forgets the answers of sessions before: a log is cut only at a change of leaders.
    """

    def __init__(self) -> None:
        self.found: dict[tuple[int, int], EpochEnd | None] = {}
        """By partition and epoch, the last epoch that is not above it, and its end; None where no broker can tell."""
        self.open: dict[tuple[int, int], None] = {}
        """Partition and epoch of each question."""
        self._asked = asyncio.Event()
        self._answered = asyncio.Event()

    def begin(self) -> None:
        """Forget all answers: a session begins."""
        self.found.clear()
        self._asked.set()

    def forget(self, partition: int, epoch: int) -> None:
        """Forget one answer, so that the next one is of a broker as it is now."""
        self.found.pop((partition, epoch), None)

    async def until_asked(self, seconds_max: float) -> None:
        """Wait for a question, but no longer than that."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds_max):
                await self._asked.wait()
        self._asked.clear()

    def answer(self, found: Mapping[tuple[int, int], EpochEnd | None]) -> None:
        """Answer open questions; None where no broker can tell."""
        for question, end in found.items():
            self.open.pop(question, None)
            self.found[question] = end
            while len(self.found) > _EPOCH_ENDS_MAX:
                del self.found[next(iter(self.found))]
        answered, self._answered = self._answered, asyncio.Event()
        answered.set()

    async def until_found(self, partition: int, epoch: int) -> None:
        """Wait until `found` has the answer to a question, for as long as Kafka is away."""
        question = partition, epoch
        while question not in self.found:
            self.open[question] = None
            self._asked.set()
            await self._answered.wait()


class MetadataRefreshes:
    """Numbered refreshes of the topic's metadata, one at a time. The numbers tell newer results from older ones."""

    def __init__(self) -> None:
        self.epoch_ends = EpochEnds()
        self.begun = 0
        """The number of refreshes that have begun."""
        self._ended = 0
        self._found: TopicSnapshot | None = None
        self._next_end = asyncio.Event()

    def begin(self) -> int:
        """Begin a refresh and return its number. It will find everything that was committed before."""
        self.begun += 1
        return self.begun

    def end(self, number: int, found: TopicSnapshot) -> None:
        """Record what a refresh found. A refresh that failed never ends."""
        self._ended, self._found = number, found
        ended, self._next_end = self._next_end, asyncio.Event()
        ended.set()

    def found_since(self, begun: int) -> TopicSnapshot | None:
        """Return the latest snapshot if its refresh has a number above `begun`, else None."""
        return self._found if self._ended > begun else None

    async def until_found_since(self, begun: int) -> None:
        """Wait until `found_since(begun)` has a snapshot, for as long as Kafka is away."""
        while self._ended <= begun:
            await self._next_end.wait()


class Lifecycle:
    """The current moment, and listeners that hear of each new one.

    `ready` becomes true when the table first catches up with Kafka, and stays true while the consumer runs, its
    commits succeed, and Kafka lets it read. An unreachable broker does not change it: reads go on without Kafka, and
    `lag` and the state tell how old they are. A rebuild withdraws it until the new table has caught up: the old one
    cannot be trusted.
    """

    def __init__(self) -> None:
        self.moment = Moment(State.STARTING, "the service is starting", datetime.now(UTC))
        self.end_offsets: Positions = ()
        """The last stable offset of each partition, as last heard."""
        self.refreshes = MetadataRefreshes()
        self.held_back: Positions = ()
        """How many offsets past that end open transactions hold back in each partition."""
        self.compacted: bool | None = None
        """Whether the topic is compacted; None until its configuration is known, or if Kafka does not tell."""
        self.was_live = False
        """Whether the table was live since the start."""
        self.held = False
        """Whether there was a whole table at the start: it is worth serving though Kafka refuses access."""
        self.caught_up = False
        """Whether the table has caught up with Kafka since the start, and since the last rebuild began."""
        self.writable = True
        """Whether the last attempt to commit succeeded."""
        self.permitted = True
        """Whether Kafka lets this service read the topic, as last heard."""
        self.paused: str | None = None
        """Why the consumer waits although records are there; None while it does not."""
        self.schemas: tuple[SchemaStatus, ...] = ()
        """The schemas that come from a registry."""
        self._listeners: list[Callable[[Moment], None]] = []

    def listen(self, listener: Callable[[Moment], None]) -> None:
        """Call `listener` with the current moment now, and with each new one."""
        self._listeners.append(listener)
        listener(self.moment)

    def move(self, state: State, reason: str) -> None:
        """Enter a state, or give a new reason for the current one. The same state and reason again change nothing.

        Raises:
            InvalidTransition: `TRANSITIONS` does not allow `state` to follow the current one.
        """
        current = self.moment.state
        if (state, reason) == (current, self.moment.reason):
            return
        if state is not current and state not in TRANSITIONS[current]:
            raise InvalidTransition(f"{state.value} cannot follow {current.value} ({reason})")
        since = self.moment.since if state is current else datetime.now(UTC)
        self.moment = Moment(state, reason, since)
        self.was_live = self.was_live or state is State.LIVE
        self.caught_up = state is State.LIVE or (self.caught_up and state is not State.REBUILDING)
        for listener in self._listeners:
            listener(self.moment)

    @property
    def ready(self) -> bool:
        """Whether clients can rely on the table."""
        sound = self.caught_up and self.writable and self.permitted and self.moment.state is not State.STOPPED
        return sound and self._problem is None

    @property
    def shown(self) -> Moment:
        """The current moment; its reason is what the table lacks besides, if anything."""
        problem = self._problem
        return self.moment if problem is None else replace(self.moment, reason=problem)

    @property
    def _problem(self) -> str | None:
        if self.paused is not None:
            return self.paused
        for schema in self.schemas:
            if schema.version is None:
                why = schema.problem or "the registry is asked"
                return f"the schema of {schema.part}s, subject {schema.subject!r}, is not known: {why}"
        return None

    def lag(self, positions: Positions) -> Positions:
        """Return how many offsets of each partition are committed in Kafka and not applied yet."""
        return tuple(max(0, end - position_in(positions, p)) for p, end in enumerate(self.end_offsets))
