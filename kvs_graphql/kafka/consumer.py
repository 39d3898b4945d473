"""The consumer: the only writer of the store, and the only publisher of the feed.

One session is one connection to Kafka: look at the topic, check that it is the table's, assign every partition,
seek to the table's positions, then fetch, apply, publish. Whatever fails transiently ends the session, and the
next one goes on from what the store holds: there is one road, and a restart walks it too. Consumer groups and
their offsets are not used.
"""

import asyncio
from dataclasses import dataclass
from time import monotonic, time

import structlog

from kvs_graphql.cursor import Cursor
from kvs_graphql.errors import BrokerRefused, OperatorError, ServiceError, Unwritable
from kvs_graphql.feed import Feed
from kvs_graphql.kafka.batches import Gathering
from kvs_graphql.kafka.connection import REFUSALS, TRANSIENT, KafkaConnection
from kvs_graphql.kafka.pump import BatchLimits, Pump
from kvs_graphql.kafka.recovery import first_positions, forgotten, why_not
from kvs_graphql.kafka.session import NoTopic, Session, TopicChanged, open_session
from kvs_graphql.metrics import Metrics
from kvs_graphql.records import Positions, covers
from kvs_graphql.state import Lifecycle, State, TopicSnapshot
from kvs_graphql.store import Store

log = structlog.get_logger(__name__)

_RETRY_SECONDS_MIN = 0.25
_CAUGHT_UP_STAMP_SECONDS = 60


@dataclass(frozen=True, slots=True)
class ConsumerLimits:
    """The bounds of a batch, the pace of looking at the topic, and the longest pause between two attempts."""

    batch: BatchLimits
    fetch_bytes_max: int
    topic_check_seconds: float
    retry_seconds_max: float
    stall_seconds_max: float


class Stalled(ServiceError):
    """The consumer makes no progress while the topic does: it is built again."""


class Consumer:
    """Keeps the store and the feed where Kafka is, for as long as `run` runs."""

    def __init__(
        self,
        connection: KafkaConnection,
        topic: str,
        store: Store,
        feed: Feed,
        lifecycle: Lifecycle,
        metrics: Metrics,
        limits: ConsumerLimits,
        *,
        empty_tombstones: bool = False,
        skip_unreadable: bool = False,
    ) -> None:
        self._connection = connection
        self._topic = topic
        self._store = store
        self._feed = feed
        self._lifecycle = lifecycle
        self._metrics = metrics
        self._limits = limits
        self._empty_tombstones = empty_tombstones
        self._skip_unreadable = skip_unreadable
        self._failures = 0

    async def run(self) -> None:
        """Consume until cancelled.

        Raises:
            OperatorError: Going on would be wrong, or is refused; somebody has to act.
        """
        while True:
            try:
                await self._session()
            except TopicChanged as change:
                log.info("topic changed", reason=str(change))
            except REFUSALS as error:
                raise BrokerRefused(f"Kafka refuses: {error}.") from error
            except (*TRANSIENT, ServiceError) as error:
                await self._pause(error)

    async def _pause(self, error: Exception) -> None:
        """Say what is waited for, as the state and in a log line, and wait: longer each time in a row."""
        # The exponent is bounded: an outage of hours would make the power too large for a float.
        seconds = min(self._limits.retry_seconds_max, _RETRY_SECONDS_MIN * 2 ** min(self._failures, 20))
        self._failures += 1
        self._lifecycle.writable = not isinstance(error, Unwritable)
        if isinstance(error, NoTopic):
            self._lifecycle.move(State.WAITING_FOR_TOPIC, str(error))
        elif isinstance(error, ServiceError):
            self._lifecycle.move(State.CATCHING_UP, str(error))
        else:
            reason = str(error) or type(error).__name__
            self._lifecycle.move(State.WAITING_FOR_BROKER, f"{self._connection.bootstrap_servers}: {reason}")
        log.warning("waiting", reason=self._lifecycle.moment.reason, next_try_in_seconds=seconds)
        await asyncio.sleep(seconds)

    async def _session(self) -> None:
        await self._read_back()
        fetch_bytes_max = self._limits.fetch_bytes_max
        refresh = self._lifecycle.refreshes.begin()
        async with open_session(self._connection, self._topic, fetch_bytes_max=fetch_bytes_max) as session:
            self._lifecycle.refreshes.end(refresh, TopicSnapshot(session.identity.topic_id, session.bounds.end))
            self._lifecycle.compacted = session.configuration.compacted
            if self._store.source is None:
                await session.begin(self._store, self._feed)
            elif (reason := self._distrust(session)) is not None:
                await self._repair(session, reason)
            self._lifecycle.move(State.CATCHING_UP, f"reading topic {self._topic!r} to its end")
            await self._read(session, self._store, self._feed)

    async def _read_back(self) -> None:
        """Start from what is durable: the last session may have been cut off between a commit and its publication."""
        await self._store.reload()
        if self._store.positions != self._feed.positions:
            self._feed.reset(Cursor(self._feed.topic_id, self._store.positions))

    def _distrust(self, session: Session) -> str | None:
        """Why the table cannot go on from its positions in this topic; None where it can."""
        source = self._store.source
        assert source is not None
        return why_not(source, self._store.positions, self._topic, session.identity, session.bounds) or forgotten(
            source, session.configuration, session.started_ms
        )

    async def _repair(self, session: Session, reason: str) -> None:
        """Build a second table beside the first, serve the old one meanwhile, and swap when it has caught up.

        Cut off at any moment, it leaves the old table as it was, and the next session repairs again.
        """
        self._lifecycle.move(State.REBUILDING, reason)
        log.warning("building the table again", reason=reason, topic=self._topic)
        async with self._store.shadow() as fresh:
            unheard = Feed(Cursor(session.identity.topic_id, ()), changes_max=1, bytes_max=1)
            await session.begin(fresh, unheard)
            await self._read(session, fresh, unheard, until_live=True)
        await self._store.swap()
        self._feed.reset(Cursor(session.identity.topic_id, self._store.positions))
        log.info("the table is built again", topic=self._topic)

    async def _read(self, session: Session, store: Store, feed: Feed, *, until_live: bool = False) -> None:
        """Fetch, apply and publish from where the store stands: for ever, or until it has caught up."""
        positions = first_positions(store.positions, session.bounds)
        gathering = Gathering(store.positions, empty_tombstones=self._empty_tombstones)
        for number, (partition, offset) in enumerate(zip(session.partitions, positions, strict=True)):
            session.consumer.seek(partition, offset)
            gathering.moved_to(number, offset)
        self._lifecycle.end_offsets = session.bounds.end
        pump = Pump(
            session.consumer,
            session.partitions,
            store,
            feed,
            gathering,
            self._limits.batch,
            self._metrics,
            session.verify,
            skip_unreadable=self._skip_unreadable,
        )
        try:
            async with asyncio.TaskGroup() as tasks:
                others = [
                    tasks.create_task(pump.fetch(self._lifecycle)),
                    tasks.create_task(self._look_after(session, store)),
                ]
                await self._catch_up(pump, store, session.bounds.end)
                if not until_live:
                    self._lifecycle.move(State.LIVE, f"following topic {self._topic!r}")
                    await self._keep_up(pump, store)
                for task in others:
                    task.cancel()
        except BaseExceptionGroup as group:
            raise _cause(group) from group

    async def _catch_up(self, pump: Pump, store: Store, target: Positions) -> None:
        """Apply until everything below `target` is."""
        while not covers(store.positions, target):
            await self._apply(pump, store)
        await store.caught_up(int(time() * 1000))
        self._went_well()

    async def _keep_up(self, pump: Pump, store: Store) -> None:
        while True:
            await self._apply(pump, store)

    async def _apply(self, pump: Pump, store: Store) -> None:
        await pump.apply()
        self._went_well()
        for partition, lag in enumerate(self._lifecycle.lag(store.positions)):
            self._metrics.consumer_lag.labels(str(partition)).set(lag)

    def _went_well(self) -> None:
        self._failures, self._lifecycle.writable = 0, True

    async def _look_after(self, session: Session, store: Store) -> None:
        """Notice in time that the broker is gone, that the topic is another, that deletes were missed."""
        stamped = moved = monotonic()
        stamp_seconds = min(_CAUGHT_UP_STAMP_SECONDS, session.configuration.delete_retention_ms / 4000)
        reached = store.positions
        while True:
            await asyncio.sleep(self._limits.topic_check_seconds)
            refresh = self._lifecycle.refreshes.begin()
            await session.check()
            self._lifecycle.end_offsets = await session.end_offsets()
            self._lifecycle.refreshes.end(
                refresh, TopicSnapshot(session.identity.topic_id, self._lifecycle.end_offsets)
            )
            at_end = covers(store.positions, self._lifecycle.end_offsets)
            if at_end or store.positions != reached:
                reached, moved = store.positions, monotonic()
            elif monotonic() - moved > self._limits.stall_seconds_max:
                raise Stalled(f"nothing was read for {self._limits.stall_seconds_max} s, though there is more")
            now_ms = int(time() * 1000)
            if at_end and store.indexed.is_set() and monotonic() - stamped > stamp_seconds:
                stamped = monotonic()
                await store.caught_up(now_ms)
            if not at_end and store.source and forgotten(store.source, session.configuration, now_ms):
                raise TopicChanged("behind for longer than Kafka remembers deletes")


def _cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one error of a group to act on: what an operator has to see, else the first."""
    leaves = [_cause(e) if isinstance(e, BaseExceptionGroup) else e for e in group.exceptions]
    return next((leaf for leaf in leaves if isinstance(leaf, OperatorError)), leaves[0])
