"""Reads the topic of a session into a table: to the end that the log had at the start, then as records arrive."""

import asyncio
from functools import partial

from kvs_graphql.errors import OperatorError
from kvs_graphql.feed import Feed
from kvs_graphql.kafka.batch_builder import BatchBuilder
from kvs_graphql.kafka.clock import CaughtUp, Clock
from kvs_graphql.kafka.consumer_limits import ConsumerLimits
from kvs_graphql.kafka.consumer_session import ConsumerSession
from kvs_graphql.kafka.envelopes import Envelopes
from kvs_graphql.kafka.ingest import IngestLoop
from kvs_graphql.kafka.precedence import Precedence
from kvs_graphql.kafka.recovery import first_positions
from kvs_graphql.kafka.session_failures import SessionFailures
from kvs_graphql.kafka.session_monitor import SessionMonitor
from kvs_graphql.metrics import TableMetrics
from kvs_graphql.records import covers, position_in
from kvs_graphql.state import Lifecycle, State
from kvs_graphql.store import Store


class SessionReader:
    """Reads through one session after another, each into one table."""

    def __init__(
        self,
        lifecycle: Lifecycle,
        metrics: TableMetrics,
        limits: ConsumerLimits,
        clock: Clock,
        failures: SessionFailures,
        precedence: Precedence,
        *,
        empty_tombstones: bool,
        skip_unreadable: bool,
        envelopes: Envelopes | None,
    ) -> None:
        self._lifecycle = lifecycle
        self._metrics = metrics
        self._limits = limits
        self._clock = clock
        self._failures = failures
        self._precedence = precedence
        self._empty_tombstones = empty_tombstones
        self._skip_unreadable = skip_unreadable
        self._envelopes = envelopes

    async def read(
        self, session: ConsumerSession, store: Store, feed: Feed, caught_up: CaughtUp, *, until_live: bool = False
    ) -> None:
        """Fetch, apply and publish from the store's positions on: until cancelled, or only until caught up."""
        ingest = self._ingest_loop(session, store, feed)
        monitor = SessionMonitor(session, store, self._lifecycle, self._clock, caught_up, self._limits)
        try:
            async with asyncio.TaskGroup() as tasks:
                others = [tasks.create_task(ingest.fetch(self._lifecycle)), tasks.create_task(monitor.run())]
                await self._catch_up(ingest, monitor, session, store, caught_up)
                if not until_live:
                    self._lifecycle.move(State.LIVE, f"following topic {session.topic.name!r}")
                    while True:
                        await self._apply(ingest, store)
                        caught_up.reached(store.positions)
                for task in others:
                    task.cancel()
        except BaseExceptionGroup as group:
            error = _main_error(group)
            # Its cause is what closed a connection, where that is known.
            raise error from error.__cause__

    def _ingest_loop(self, session: ConsumerSession, store: Store, feed: Feed) -> IngestLoop:
        """Seek to the store's positions and return the loop that goes on from there."""
        session.epochs.begin(store.epochs)
        builder = BatchBuilder(
            store.positions, session.epochs, empty_tombstones=self._empty_tombstones, envelopes=self._envelopes
        )
        positions = first_positions(store.positions, session.bounds)
        for number, (partition, offset) in enumerate(zip(session.partitions, positions, strict=True)):
            session.consumer.seek(partition, offset)
            builder.move_to(number, offset)
        self._lifecycle.end_offsets = session.bounds.end
        for number in range(len(session.partitions)):
            self._metrics.consumer_lag(str(number)).set_function(partial(self._lag, store, number))
        return IngestLoop(
            session.consumer,
            session.partitions,
            store,
            feed,
            builder,
            self._limits.batch,
            self._metrics,
            session.verify_fetched,
            self._precedence,
            skip_unreadable=self._skip_unreadable,
            envelopes=self._envelopes,
        )

    async def _catch_up(
        self, ingest: IngestLoop, monitor: SessionMonitor, session: ConsumerSession, store: Store, caught_up: CaughtUp
    ) -> None:
        """Apply until the store covers the end that the log had when the session began."""
        while not covers(store.positions, session.bounds.end):
            await self._apply(ingest, store)
        # Since the session was allowed to go on, more time has passed. A table that is new cannot do better.
        if not caught_up.began:
            monitor.check_deletes()
        if not self._lifecycle.permitted:
            await ingest.readable.wait()
        known_from = None
        if not store.indexed.is_set():
            now_ms = self._clock.now_ms()
            by_time = await session.deletes_known_from(store.positions, now_ms, self._limits.clock_difference_ms)
            known_from = tuple(min(offset, position_in(ingest.gapless_from, p)) for p, offset in enumerate(by_time))
        at = caught_up.reached(store.positions)
        assert at is not None, "the session began with the end that the store covers"
        await store.caught_up(at.day_ms, known_from)
        self._failures.note_success()

    async def _apply(self, ingest: IngestLoop, store: Store) -> None:
        await ingest.apply()
        self._failures.note_success()

    def _lag(self, store: Store, partition: int) -> float:
        """How many offsets of a partition are not applied now: also while nothing can be."""
        return max(0, position_in(self._lifecycle.end_offsets, partition) - position_in(store.positions, partition))


def _main_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the one error of a group to act on: the first that an operator has to see, else the first."""
    leaves = [_main_error(e) if isinstance(e, BaseExceptionGroup) else e for e in group.exceptions]
    return next((leaf for leaf in leaves if isinstance(leaf, OperatorError)), leaves[0])
