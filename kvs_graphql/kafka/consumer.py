"""The consumer: the only writer of the store and the only publisher of the feed.

A session is one connection to Kafka. It checks that the topic is the table's, assigns every partition, seeks to the
table's positions, and then fetches, applies and publishes. Any transient failure ends the session, and the next one
goes on from what the store holds, exactly as after a restart. Consumer groups and their offsets are not used.
"""

import asyncio
import errno
import os
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic

import structlog

from kvs_graphql.backoff import Backoff
from kvs_graphql.compat.aiokafka import unconnected
from kvs_graphql.cursor import Cursor
from kvs_graphql.errors import BrokerRefused, OperatorError, ServiceError, Unwritable
from kvs_graphql.feed import Feed, LogBudget
from kvs_graphql.kafka.batch_builder import BatchBuilder
from kvs_graphql.kafka.clock import CaughtUp, Clock
from kvs_graphql.kafka.connection import TRANSIENT, KafkaConnection
from kvs_graphql.kafka.consumer_session import ConsumerSession, NoTopic, TopicChanged, open_session
from kvs_graphql.kafka.failures import failure_of
from kvs_graphql.kafka.ingest import BatchLimits, IngestLoop
from kvs_graphql.kafka.recovery import (
    UNKNOWN_RETENTION_MS,
    first_positions,
    missed_deletes_reason,
    rebuild_reason,
    unknown_deletes_reason,
)
from kvs_graphql.kafka.topic import TopicConfiguration
from kvs_graphql.metrics import TableMetrics
from kvs_graphql.records import Positions, covers, position_in
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
        metrics: TableMetrics,
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
        self._rebuilding: str | None = None
        """Why the table has to be rebuilt, from the first attempt to the swap."""
        self._unknown_because = ""

    async def run(self) -> None:
        """Consume until cancelled.

        Raises:
            OperatorError: Kafka refuses before the table was ever live, or going on would be wrong; an operator has to
                act.
        """
        while True:
            with unconnected() as failures:
                try:
                    await self._run_session()
                except TopicChanged as change:
                    log.info("topic changed", reason=str(change))
                except ServiceError as error:
                    self._wait_for_service(error)
                    await self.pause()
                except TRANSIENT as error:
                    self._wait_for_broker(error, failures)
                    await self.pause()

    def _wait_for_service(self, error: ServiceError) -> None:
        self._lifecycle.writable = not isinstance(error, Unwritable)
        shortage = _shortage_of_descriptors()
        if self._rebuilding is not None and (shortage or isinstance(error, Unwritable)):
            self._lifecycle.move(State.REBUILDING, f"{self._rebuilding}; waiting: {shortage or error}")
            return
        state = State.WAITING_FOR_TOPIC if isinstance(error, NoTopic) else State.CATCHING_UP
        self._lifecycle.move(state, str(error))

    def _wait_for_broker(self, error: Exception, failures: Mapping[str, Exception]) -> None:
        """Wait for Kafka, also where it refuses: rights that were taken may be given back.

        Raises:
            BrokerRefused: It refuses a service that never was live, and so has nothing to lose by ending.
        """
        self._lifecycle.writable = True
        if (shortage := _shortage_of_descriptors()) is not None:
            rebuilding = self._rebuilding
            state = State.WAITING_FOR_BROKER if rebuilding is None else State.REBUILDING
            named = self._connection.bootstrap_servers if rebuilding is None else f"{rebuilding}; waiting"
            self._lifecycle.move(state, f"{named}: {shortage}")
            return
        failure = failure_of(error, failures, self._topic)
        if failure.refused and not self._lifecycle.was_live:
            raise BrokerRefused(f"No access to Kafka: {failure.reason}.") from error
        self._lifecycle.permitted = self._lifecycle.permitted and not failure.refused
        named = failure.reason if failures else f"{self._connection.bootstrap_servers}: {failure.reason}"
        self._lifecycle.move(State.WAITING_FOR_BROKER, f"no access: {named}" if failure.refused else named)

    async def pause(self) -> None:
        """Show in the log what the consumer waits for, and wait."""
        seconds = self._backoff.next_pause()
        log.warning("session failed", reason=self._lifecycle.moment.reason, retry_in_seconds=round(seconds, 3))
        await asyncio.sleep(seconds)

    async def _run_session(self) -> None:
        await self._reload()
        limits = self._limits
        refresh = self._lifecycle.refreshes.begin()
        async with open_session(
            self._connection,
            self._topic,
            fetch_bytes_max=limits.fetch_bytes_max,
            idle_wait_ms=limits.batch.idle_wait_ms,
        ) as session:
            self._lifecycle.refreshes.epoch_ends.begin()
            self._lifecycle.refreshes.end(refresh, TopicSnapshot(session.identity.topic_id, session.bounds.end))
            self._note_configuration(session.configuration)
            if self._store.source is None:
                await session.begin(self._store, self._feed, self._caught_up.note())
            elif (reason := await self._rebuild_reason(session)) is None:
                self._rebuilding = None
            elif not await self._rebuild(session, reason):
                return
            self._lifecycle.move(State.CATCHING_UP, f"reading topic {self._topic!r} to its end")
            await self._read(session, self._store, self._feed)

    async def _reload(self) -> None:
        """Start from what is durable: the last session may have ended between a commit and its publication."""
        await self._store.reload()
        if self._store.positions != self._feed.positions:
            self._feed.reset(self._store.cursor)

    async def _rebuild_reason(self, session: ConsumerSession) -> str | None:
        store, source = self._store, self._store.source
        assert source is not None
        positions, bounds = store.positions, session.bounds
        behind = self._behind(source)
        return (
            rebuild_reason(source, positions, self._topic, session.identity, bounds)
            or await session.cut_reason(positions, store.epochs)
            or missed_deletes_reason(session.configuration, *behind)
            or unknown_deletes_reason(session.configuration, positions, bounds, *behind)
        )

    def _behind(self, source: Source) -> tuple[float, float]:
        """Return how long ago the table last caught up, and by how much clocks may differ, in milliseconds."""
        return self._caught_up.ago_ms(source.caught_up_at), self._clock_difference_ms

    def _note_configuration(self, configuration: TopicConfiguration) -> None:
        """Show whether the topic is compacted; warn once if that is unknown."""
        self._lifecycle.compacted = configuration.compacted
        reason = configuration.unknown_because
        if reason and reason != self._unknown_because:
            log.warning("topic configuration is unknown: missed deletes are assumed after an outage", reason=reason)
        self._unknown_because = reason

    async def _rebuild(self, session: ConsumerSession, reason: str) -> bool:
        """Build a shadow table while the old one is served, and swap them once the shadow has caught up.

        Return whether the session can go on with it; else the swap had to wait, and the log may have changed. If this
        ends early, the old table stays as it was and the next session starts the rebuild again.
        """
        self._rebuilding = reason
        self._lifecycle.move(State.REBUILDING, reason)
        log.warning("rebuilding the table", reason=reason, topic=self._topic)
        old, self._caught_up = self._caught_up, CaughtUp(self._clock)
        try:
            async with self._store.shadow() as shadow:
                unread = Feed(Cursor(session.identity.topic_id, ()), LogBudget(changes_max=1, bytes_max=1))
                await session.begin(shadow, unread, self._caught_up.note())
                await self._read(session, shadow, unread, until_live=True)
            at_once = await self._swap()
        except BaseException:
            self._caught_up = old
            raise
        self._feed.reset(self._store.cursor)
        self._rebuilding = None
        log.info("rebuilt the table", topic=self._topic)
        return at_once

    async def _swap(self) -> bool:
        """Swap the tables as soon as that is possible; return whether it was at once."""
        at_once = True
        while True:
            try:
                await self._store.swap()
            except Unwritable as error:
                at_once = False
                self._wait_for_service(error)
                await self.pause()
            else:
                return at_once

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
        if not self._lifecycle.permitted:
            await ingest.readable.wait()
        at_ms, known_from = self._clock.now_ms(), None
        if not store.indexed.is_set():
            by_time = await session.deletes_known_from(store.positions, at_ms, self._clock_difference_ms)
            known_from = tuple(min(offset, position_in(ingest.gapless_from, p)) for p, offset in enumerate(by_time))
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
            self._metrics.consumer_lag(str(partition)).set(lag)

    def _note_success(self) -> None:
        # A rebuild that fails again and again begins anew each time, and has not succeeded before its end.
        if self._rebuilding is None:
            self._backoff.reset()
        self._lifecycle.writable = self._lifecycle.permitted = True

    async def _monitor(self, session: ConsumerSession, store: Store) -> None:
        """Notice a lost broker, a changed topic, a stalled fetch and missed deletes."""
        stamped = moved = monotonic()
        retention_ms = session.configuration.delete_retention_ms
        if retention_ms is None:
            retention_ms = UNKNOWN_RETENTION_MS
        stamp_seconds = min(_CAUGHT_UP_STAMP_SECONDS, retention_ms / 4000)
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
            if (
                not at_end
                and store.source
                and missed_deletes_reason(session.configuration, *self._behind(store.source))
            ):
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


def _shortage_of_descriptors() -> str | None:
    """Return the system's words if this process can open no more files: aiokafka does not say so."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        return os.strerror(error.errno) if error.errno in {errno.EMFILE, errno.ENFILE} else None
    return None


def _main_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the one error of a group to act on: the first that an operator has to see, else the first."""
    leaves = [_main_error(e) if isinstance(e, BaseExceptionGroup) else e for e in group.exceptions]
    return next((leaf for leaf in leaves if isinstance(leaf, OperatorError)), leaves[0])
