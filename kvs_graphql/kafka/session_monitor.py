"""What goes on beside reading in a session with Kafka: the topic's metadata is refreshed, and trouble noticed."""

import asyncio

from kvs_graphql.errors import ServiceError
from kvs_graphql.kafka.clock import CaughtUp, Clock
from kvs_graphql.kafka.consumer_limits import ConsumerLimits
from kvs_graphql.kafka.consumer_session import ConsumerSession, TopicChanged
from kvs_graphql.kafka.recovery import UNKNOWN_RETENTION_MS, missed_deletes_reason
from kvs_graphql.records import Positions, covers
from kvs_graphql.state import Lifecycle, TopicSnapshot
from kvs_graphql.store import Store

_STAMP_SECONDS = 60


class Stalled(ServiceError):
    """The consumer makes no progress although the topic has more records: it needs a new session."""


class SessionMonitor:
    """Watches over the session that reads into one store."""

    def __init__(
        self,
        session: ConsumerSession,
        store: Store,
        lifecycle: Lifecycle,
        clock: Clock,
        caught_up: CaughtUp,
        limits: ConsumerLimits,
    ) -> None:
        self._session = session
        self._store = store
        self._lifecycle = lifecycle
        self._clock = clock
        self._caught_up = caught_up
        self._limits = limits
        retention_ms = session.configuration.delete_retention_ms
        retention_ms = UNKNOWN_RETENTION_MS if retention_ms is None else retention_ms
        self._stamp_ms = min(_STAMP_SECONDS * 1000, retention_ms / 4)

    async def run(self) -> None:
        """Watch until cancelled.

        Raises:
            NoTopic, TopicChanged: A new session has to start, which judges the table again.
            Stalled: Nothing was read for too long.
            KafkaError: No broker answers, or a partition has no leader.
        """
        now = asyncio.get_running_loop().time
        reached, moved_at = self._store.positions, now()
        while True:
            await self._until_next_refresh()
            end_offsets = await self._refresh()
            at_end = covers(self._store.positions, end_offsets)
            if at_end or self._store.positions != reached:
                reached, moved_at = self._store.positions, now()
            elif self._lifecycle.paused is None and now() - moved_at > self._limits.stall_seconds_max:
                seconds = self._limits.stall_seconds_max
                raise Stalled(f"read nothing for {seconds} s although the topic has more records")
            await self._stamp()
            if not at_end:
                self.check_deletes()

    def check_deletes(self) -> None:
        """Check that no delete can have been missed since the table last caught up.

        Raises:
            TopicChanged: One may have been.
        """
        source = self._store.source
        assert source is not None, "a table is begun before it is read into"
        ago, difference_ms = self._caught_up.ago(source.caught_up_at), self._limits.clock_difference_ms
        if missed_deletes_reason(self._session.configuration, ago, difference_ms) is not None:
            raise TopicChanged("the table may have missed deletes")

    async def _until_next_refresh(self) -> None:
        """Wait, and answer the questions about leader epochs meanwhile."""
        questions, now = self._lifecycle.refreshes.epoch_ends, asyncio.get_running_loop().time
        until = now() + self._limits.metadata_refresh_seconds
        while (left := until - now()) > 0:
            await questions.until_asked(left)
            await self._session.answer(questions)

    async def _refresh(self) -> Positions:
        """Refresh the topic's metadata; return its end offsets.

        Raises:
            TopicChanged: The log ends earlier than when the session began; that end would be awaited in vain.
        """
        refresh, at = self._lifecycle.refreshes.begin(), self._clock.now()
        await self._session.verify_topic()
        end_offsets = await self._session.end_offsets()
        if not covers(end_offsets, self._session.bounds.end):
            # Brokers that name leader epochs say so by a new leader.
            raise TopicChanged("the log was cut short")
        self._lifecycle.end_offsets = end_offsets
        self._lifecycle.refreshes.end(refresh, TopicSnapshot(self._session.identity.topic_id, end_offsets))
        self._caught_up.expect(end_offsets, at)
        self._caught_up.reached(self._store.positions)
        return end_offsets

    async def _stamp(self) -> None:
        """Write now and then into the file when the table last caught up."""
        source, at = self._store.source, self._caught_up.at
        if source is None or at is None or not self._store.indexed.is_set():
            return
        if abs(at.day_ms - source.caught_up_at) > self._stamp_ms:
            await self._store.caught_up(at.day_ms)
