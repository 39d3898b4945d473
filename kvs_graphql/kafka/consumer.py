"""The consumer: the only writer of the store and the only publisher of the feed.

A session is one connection to Kafka. It checks that the topic is the table's, assigns every partition, seeks to the
table's positions, and then fetches, applies and publishes. Any transient failure ends the session, and the next one
goes on from what the store holds, exactly as after a restart. Consumer groups and their offsets are not used.

This module decides how each session goes on: with the table as it is, or with one that is built anew. Reading is in
`session_reader`, what goes on beside it in `session_monitor`, and waiting after a failure in `session_failures`.
"""

import structlog

from kvs_graphql.backoff import check_cancelled
from kvs_graphql.compat.aiokafka_connections import unconnected
from kvs_graphql.cursor import Cursor
from kvs_graphql.errors import ServiceError, Unwritable
from kvs_graphql.feed import Feed, LogBudget
from kvs_graphql.kafka.clock import CaughtUp, Clock, Moment
from kvs_graphql.kafka.connection import TRANSIENT, KafkaConnection
from kvs_graphql.kafka.consumer_limits import ConsumerLimits
from kvs_graphql.kafka.consumer_session import ConsumerSession, TopicChanged, open_session
from kvs_graphql.kafka.envelopes import Envelopes
from kvs_graphql.kafka.precedence import Precedence
from kvs_graphql.kafka.recovery import missed_deletes_reason, rebuild_reason, unknown_deletes_reason
from kvs_graphql.kafka.session_failures import SessionFailures
from kvs_graphql.kafka.session_reader import SessionReader
from kvs_graphql.kafka.topic import TopicConfiguration
from kvs_graphql.metrics import TableMetrics
from kvs_graphql.state import Lifecycle, State, TopicSnapshot
from kvs_graphql.store import Store

log = structlog.get_logger(__name__)


class Consumer:
    """Keeps the store and the feed up to date with Kafka while `run` runs."""

    def __init__(  # noqa: PLR0913 - what a consumer is made of
        self,
        connection: KafkaConnection,
        topic: str,
        store: Store,
        feed: Feed,
        lifecycle: Lifecycle,
        metrics: TableMetrics,
        limits: ConsumerLimits,
        precedence: Precedence,
        *,
        empty_tombstones: bool = False,
        skip_unreadable: bool = False,
        envelopes: Envelopes | None = None,
    ) -> None:
        self._connection = connection
        self._topic = topic
        self._store = store
        self._feed = feed
        self._lifecycle = lifecycle
        self._limits = limits
        self._clock = Clock()
        self._caught_up = CaughtUp(self._clock)
        self._failures = SessionFailures(connection.bootstrap_servers, topic, lifecycle, limits.retry_seconds_max)
        self._reader = SessionReader(
            lifecycle,
            metrics,
            limits,
            self._clock,
            self._failures,
            precedence,
            empty_tombstones=empty_tombstones,
            skip_unreadable=skip_unreadable,
            envelopes=envelopes,
        )
        self._unknown_because = ""

    async def run(self) -> None:
        """Consume until cancelled.

        Raises:
            OperatorError: Kafka refuses before the table was ever live, or going on would be wrong; an operator has to
                act.
        """
        while True:
            check_cancelled()
            with unconnected() as failures:
                try:
                    await self._run_session()
                except TopicChanged as change:
                    log.info("topic changed", reason=str(change))
                except (ServiceError, *TRANSIENT) as error:
                    await self._failures.wait(error, failures)

    async def pause(self) -> None:
        """Show in the log what the consumer waits for, and wait."""
        await self._failures.pause()

    async def _run_session(self) -> None:
        await self._reload()
        limits = self._limits
        refresh, began = self._lifecycle.refreshes.begin(), self._clock.now()
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
                await session.begin(self._store, self._feed, began.day_ms)
                self._caught_up.note(began)
            elif (reason := await self._rebuild_reason(session)) is None:
                self._failures.rebuilding = None
            elif not await self._rebuild(session, reason, began):
                return
            self._caught_up.begin(session.bounds.end, began)
            self._failures.begin(State.CATCHING_UP, f"reading topic {self._topic!r} to its end")
            await self._reader.read(session, self._store, self._feed, self._caught_up)

    async def _reload(self) -> None:
        """Start from what is durable: the last session may have ended between a commit and its publication."""
        await self._store.reload()
        self._lifecycle.held = self._store.source is not None and self._store.indexed.is_set()
        if self._store.positions != self._feed.positions:
            self._feed.reset(self._store.cursor)

    async def _rebuild_reason(self, session: ConsumerSession) -> str | None:
        store, source = self._store, self._store.source
        assert source is not None
        positions, bounds = store.positions, session.bounds
        judged = self._caught_up.ago(source.caught_up_at), self._limits.clock_difference_ms
        return (
            rebuild_reason(source, positions, self._topic, session.identity, bounds)
            or await session.cut_reason(positions, store.epochs)
            or missed_deletes_reason(session.configuration, *judged)
            or unknown_deletes_reason(session.configuration, positions, bounds, *judged)
        )

    def _note_configuration(self, configuration: TopicConfiguration) -> None:
        """Show whether the topic is compacted; warn once if that is unknown."""
        self._lifecycle.compacted = configuration.compacted
        reason = configuration.unknown_because
        if reason and reason != self._unknown_because:
            log.warning("topic configuration is unknown: missed deletes are assumed after an outage", reason=reason)
        self._unknown_because = reason

    async def _rebuild(self, session: ConsumerSession, reason: str, began: Moment) -> bool:
        """Build a shadow table while the old one is served, and swap them once the shadow has caught up.

        Return whether the session can go on with it; else the swap had to wait, and the log may have changed. If this
        ends early, the old table stays as it was and the next session starts the rebuild again.
        """
        self._failures.rebuilding = reason
        self._failures.begin(State.REBUILDING, reason)
        log.warning("rebuilding the table", reason=reason, topic=self._topic)
        caught_up = CaughtUp(self._clock)
        async with self._store.shadow() as shadow:
            unread = Feed(Cursor(session.identity.topic_id, ()), LogBudget(changes_max=1, bytes_max=1))
            await session.begin(shadow, unread, began.day_ms)
            caught_up.note(began)
            caught_up.begin(session.bounds.end, began)
            await self._reader.read(session, shadow, unread, caught_up, until_live=True)
        at_once = await self._swap()
        self._caught_up = caught_up
        self._feed.reset(self._store.cursor)
        self._failures.rebuilding = None
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
                await self._failures.wait(error, {})
            else:
                return at_once
