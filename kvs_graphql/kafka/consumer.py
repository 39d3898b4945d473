"""The consumer: the only writer of the store and the only publisher of the feed.

A session is one connection to Kafka. It checks that the topic is the table's, assigns every partition, seeks to the
table's positions, and then fetches, applies and publishes. Any transient failure ends the session, and the next one
goes on from what the store holds, exactly as after a restart. Consumer groups and their offsets are not used.
"""

import asyncio
from dataclasses import dataclass
from time import monotonic

import structlog

from kvs_graphql.backoff import Backoff
from kvs_graphql.cursor import Cursor
from kvs_graphql.errors import BrokerRefused, OperatorError, ServiceError, Unwritable
from kvs_graphql.feed import Feed
from kvs_graphql.kafka.batch_builder import BatchBuilder
from kvs_graphql.kafka.clock import CaughtUp, Clock
from kvs_graphql.kafka.connection import REFUSALS, TRANSIENT, KafkaConnection
from kvs_graphql.kafka.consumer_session import ConsumerSession, NoTopic, TopicChanged, open_session
from kvs_graphql.kafka.ingest import BatchLimits, IngestLoop
from kvs_graphql.kafka.recovery import first_positions, missed_deletes_reason, rebuild_reason
from kvs_graphql.metrics import Metrics
from kvs_graphql.records import Positions, covers
from kvs_graphql.state import Lifecycle, State, TopicSnapshot
from kvs_graphql.store import Source, Store

log = structlog.get_logger(__name__)

_FIRST_RETRY_SECONDS = 0.25
_CAUGHT_UP_STAMP_SECONDS = 60


@dataclass(frozen=True, slots=True)
class ConsumerLimits:
    """The limits of a batch and a fetch, and the times that the consumer goes by, in seconds."""

    batch: BatchLimits
    fetch_bytes_max: int
    metadata_refresh_seconds: float
    """How often the topic's metadata is refreshed."""
    retry_seconds_max: float
    """The longest pause between two attempts."""
    stall_seconds_max: float
    """How long the consumer may make no progress while the topic has more records."""
    clock_difference_seconds_max: float
    """How far this machine's clock may differ from the brokers' clocks."""


class Stalled(ServiceError):
    """The consumer makes no progress although the topic has more records: it needs a new session."""


class Consumer:
    """Keeps the store and the feed up to date with Kafka while `run` runs."""

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
        self._clock = Clock()
        self._caught_up = CaughtUp(self._clock)
        self._clock_difference_ms = limits.clock_difference_seconds_max * 1000
        self._backoff = Backoff(_FIRST_RETRY_SECONDS, limits.retry_seconds_max)

    async def run(self) -> None:
        """Consume until cancelled.

        Raises:
            OperatorError: Kafka refuses, or going on would be wrong; an operator has to act.
        """
        while True:
            try:
                await self._run_session()
            except TopicChanged as change:
                log.info("topic changed", reason=str(change))
            except REFUSALS as error:
                raise BrokerRefused(f"Kafka refuses: {error}.") from error
            except (*TRANSIENT, ServiceError) as error:
                await self._pause(error)

    async def _pause(self, error: Exception) -> None:
        """Show in the state and in the log what the consumer waits for, and wait."""
        seconds = self._backoff.next_pause()
        self._lifecycle.writable = not isinstance(error, Unwritable)
        if isinstance(error, NoTopic):
            self._lifecycle.move(State.WAITING_FOR_TOPIC, str(error))
        elif isinstance(error, ServiceError):
            self._lifecycle.move(State.CATCHING_UP, str(error))
        else:
            reason = str(error) or type(error).__name__
            self._lifecycle.move(State.WAITING_FOR_BROKER, f"{self._connection.bootstrap_servers}: {reason}")
        log.warning("session failed", reason=self._lifecycle.moment.reason, retry_in_seconds=round(seconds, 3))
        await asyncio.sleep(seconds)

    async def _run_session(self) -> None:
        await self._reload()
        fetch_bytes_max = self._limits.fetch_bytes_max
        refresh = self._lifecycle.refreshes.begin()
        async with open_session(self._connection, self._topic, fetch_bytes_max=fetch_bytes_max) as session:
            self._lifecycle.refreshes.epoch_ends.begin()
            self._lifecycle.refreshes.end(refresh, TopicSnapshot(session.identity.topic_id, session.bounds.end))
            self._lifecycle.compacted = session.configuration.compacted
            if self._store.source is None:
                await session.begin(self._store, self._feed, self._caught_up.note())
            elif (reason := await self._rebuild_reason(session)) is not None:
                await self._rebuild(session, reason)
            self._lifecycle.move(State.CATCHING_UP, f"reading topic {self._topic!r} to its end")
            await self._read(session, self._store, self._feed)

    async def _reload(self) -> None:
        """Start from what is durable: the last session may have ended between a commit and its publication."""
        await self._store.reload()
        if self._store.positions != self._feed.positions:
            self._feed.reset(Cursor(self._feed.topic_id, self._store.positions, (), self._store.epochs))

    async def _rebuild_reason(self, session: ConsumerSession) -> str | None:
        store, source = self._store, self._store.source
        assert source is not None
        return (
            rebuild_reason(source, store.positions, self._topic, session.identity, session.bounds)
            or await session.cut_reason(store.positions, store.epochs)
            or self._missed_deletes_reason(session, source)
        )

    def _missed_deletes_reason(self, session: ConsumerSession, source: Source) -> str | None:
        behind_ms = self._caught_up.ago_ms(source.caught_up_at)
        return missed_deletes_reason(session.configuration, behind_ms, self._clock_difference_ms)

    async def _rebuild(self, session: ConsumerSession, reason: str) -> None:
        """Build a shadow table while the old one is served, and swap them once the shadow has caught up.

        If this ends early, the old table stays as it was and the next session starts the rebuild again.
        """
        self._lifecycle.move(State.REBUILDING, reason)
        log.warning("rebuilding the table", reason=reason, topic=self._topic)
        old, self._caught_up = self._caught_up, CaughtUp(self._clock)
        try:
            async with self._store.shadow() as shadow:
                unread = Feed(Cursor(session.identity.topic_id, ()), changes_max=1, bytes_max=1)
                await session.begin(shadow, unread, self._caught_up.note())
                await self._read(session, shadow, unread, until_live=True)
            await self._store.swap()
        except BaseException:
            self._caught_up = old
            raise
        self._feed.reset(Cursor(session.identity.topic_id, self._store.positions, (), self._store.epochs))
        log.info("rebuilt the table", topic=self._topic)

    async def _read(self, session: ConsumerSession, store: Store, feed: Feed, *, until_live: bool = False) -> None:
        """Fetch, apply and publish from the store's positions on: until cancelled, or only until caught up."""
        ingest = self._ingest_loop(session, store, feed)
        try:
            async with asyncio.TaskGroup() as tasks:
                others = [
                    tasks.create_task(ingest.fetch(self._lifecycle)),
                    tasks.create_task(self._monitor(session, store)),
                ]
                await self._catch_up(ingest, session, store)
                if not until_live:
                    self._lifecycle.move(State.LIVE, f"following topic {self._topic!r}")
                    await self._follow(ingest, store)
                for task in others:
                    task.cancel()
        except BaseExceptionGroup as group:
            raise _main_error(group) from group

    def _ingest_loop(self, session: ConsumerSession, store: Store, feed: Feed) -> IngestLoop:
        """Seek to the store's positions and return the loop that goes on from there."""
        session.epochs.begin(store.epochs)
        builder = BatchBuilder(store.positions, session.epochs, empty_tombstones=self._empty_tombstones)
        positions = first_positions(store.positions, session.bounds)
        for number, (partition, offset) in enumerate(zip(session.partitions, positions, strict=True)):
            session.consumer.seek(partition, offset)
            builder.move_to(number, offset)
        self._lifecycle.end_offsets = session.bounds.end
        return IngestLoop(
            session.consumer,
            session.partitions,
            store,
            feed,
            builder,
            self._limits.batch,
            self._metrics,
            session.verify_fetched,
            skip_unreadable=self._skip_unreadable,
        )

    async def _catch_up(self, ingest: IngestLoop, session: ConsumerSession, store: Store) -> None:
        """Apply until the store covers the end that the log had when the session began."""
        while not covers(store.positions, session.bounds.end):
            await self._apply(ingest, store)
        at_ms, known_from = self._clock.now_ms(), None
        if not store.indexed.is_set():
            known_from = await session.deletes_known_from(store.positions, at_ms, self._clock_difference_ms)
        self._caught_up.note()
        await store.caught_up(at_ms, known_from)
        self._note_success()

    async def _follow(self, ingest: IngestLoop, store: Store) -> None:
        while True:
            await self._apply(ingest, store)

    async def _apply(self, ingest: IngestLoop, store: Store) -> None:
        await ingest.apply()
        self._note_success()
        for partition, lag in enumerate(self._lifecycle.lag(store.positions)):
            self._metrics.consumer_lag.labels(str(partition)).set(lag)

    def _note_success(self) -> None:
        self._backoff.reset()
        self._lifecycle.writable = True

    async def _monitor(self, session: ConsumerSession, store: Store) -> None:
        """Notice a lost broker, a changed topic, a stalled fetch and missed deletes."""
        stamped = moved = monotonic()
        stamp_seconds = min(_CAUGHT_UP_STAMP_SECONDS, session.configuration.delete_retention_ms / 4000)
        reached = store.positions
        while True:
            await self._until_next_refresh(session)
            end_offsets = await self._refresh(session)
            at_end = covers(store.positions, end_offsets)
            if at_end or store.positions != reached:
                reached, moved = store.positions, monotonic()
            elif monotonic() - moved > self._limits.stall_seconds_max:
                seconds = self._limits.stall_seconds_max
                raise Stalled(f"read nothing for {seconds} s although the topic has more records")
            if at_end and store.indexed.is_set() and monotonic() - stamped > stamp_seconds:
                stamped = monotonic()
                await store.caught_up(self._caught_up.note())
            if not at_end and store.source and self._missed_deletes_reason(session, store.source):
                raise TopicChanged("the table may have missed deletes")

    async def _until_next_refresh(self, session: ConsumerSession) -> None:
        """Wait, and answer the questions about leader epochs meanwhile."""
        questions, until = self._lifecycle.refreshes.epoch_ends, monotonic() + self._limits.metadata_refresh_seconds
        while (left := until - monotonic()) > 0:
            await questions.until_asked(left)
            await session.answer(questions)

    async def _refresh(self, session: ConsumerSession) -> Positions:
        """Refresh the topic's metadata; return its end offsets."""
        refresh = self._lifecycle.refreshes.begin()
        await session.verify_topic()
        self._lifecycle.end_offsets = end_offsets = await session.end_offsets()
        self._lifecycle.refreshes.end(refresh, TopicSnapshot(session.identity.topic_id, end_offsets))
        return end_offsets


def _main_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the one error of a group to act on: the first that an operator has to see, else the first."""
    leaves = [_main_error(e) if isinstance(e, BaseExceptionGroup) else e for e in group.exceptions]
    return next((leaf for leaf in leaves if isinstance(leaf, OperatorError)), leaves[0])
