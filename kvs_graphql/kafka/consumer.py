"""The consumer: the only writer of the store, and the only publisher of the feed.

One session is one connection to Kafka: look at the topic, check that it is the table's, assign every partition,
seek to the table's positions, then fetch, apply, publish. Whatever fails transiently ends the session, and the
next one goes on from what the store holds: there is one road, and a restart walks it too. Consumer groups and
their offsets are not used.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic, time
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError, UnsupportedVersionError

from kvs_graphql.cursor import Cursor
from kvs_graphql.errors import BrokerRefused, OperatorError, ServiceError, TopicMismatch, Unwritable
from kvs_graphql.feed import Feed
from kvs_graphql.kafka.batches import Gathering
from kvs_graphql.kafka.connection import REFUSALS, TRANSIENT, UNREADABLE, KafkaConnection
from kvs_graphql.kafka.pump import BatchLimits, Pump
from kvs_graphql.kafka.recovery import LogBounds, check, first_positions
from kvs_graphql.kafka.topic import Topic, TopicIdentity
from kvs_graphql.metrics import Metrics
from kvs_graphql.records import Positions, covers
from kvs_graphql.state import Lifecycle, State
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


class _NoTopic(ServiceError):
    """There is no topic of that name yet."""


class _PartitionsAdded(ServiceError):
    """The session has to start again, with all partitions."""


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
    ) -> None:
        self._connection = connection
        self._topic = topic
        self._store = store
        self._feed = feed
        self._lifecycle = lifecycle
        self._metrics = metrics
        self._limits = limits
        self._empty_tombstones = empty_tombstones
        self._failures = 0

    async def run(self) -> None:
        """Consume until cancelled.

        Raises:
            OperatorError: Going on would be wrong, or is refused; somebody has to act.
        """
        while True:
            try:
                await self._session()
            except _PartitionsAdded as change:
                log.info("topic changed", reason=str(change))
            except REFUSALS as error:
                raise BrokerRefused(f"Kafka refuses: {error}.") from error
            except UNREADABLE as error:
                raise BrokerRefused(f"A record of topic {self._topic!r} cannot be read: {error}.") from error
            except OffsetOutOfRangeError as error:
                raise TopicMismatch(
                    f"Kafka no longer has the records of topic {self._topic!r} that the table needs next: {error}. "
                    "Move the database file away, and the table is built again from Kafka."
                ) from error
            except (*TRANSIENT, ServiceError) as error:
                await self._pause(error)

    async def _pause(self, error: Exception) -> None:
        """Say what is waited for, as the state and in a log line, and wait: longer each time in a row."""
        seconds = min(self._limits.retry_seconds_max, _RETRY_SECONDS_MIN * 2**self._failures)
        self._failures += 1
        self._lifecycle.writable = not isinstance(error, Unwritable)
        if isinstance(error, _NoTopic):
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
        async with Topic(self._connection, self._topic) as topic:
            identity = await topic.identity()
            if identity is None:
                raise _NoTopic(f"topic {self._topic!r} does not exist")
            partitions = [TopicPartition(self._topic, number) for number in range(identity.partitions)]
            async with self._consumer(partitions) as consumer:
                bounds = await _bounds(consumer, partitions)
                await self._match(topic, identity, consumer, partitions, bounds)
                await self._consume(topic, identity, consumer, partitions, bounds)

    async def _read_back(self) -> None:
        """Start from what is durable: the last session may have been cut off between a commit and its publication."""
        await self._store.reload()
        if self._store.positions != self._feed.positions:
            self._feed.begin(Cursor(self._feed.topic_id, self._store.positions))

    async def _match(
        self,
        topic: Topic,
        identity: TopicIdentity,
        consumer: AIOKafkaConsumer,
        partitions: list[TopicPartition],
        bounds: LogBounds,
    ) -> None:
        """Begin the table if it is new, else make sure that it is this topic's."""
        if self._store.source is not None:
            check(self._store.source, self._store.positions, self._topic, identity, bounds)
            return
        configuration = await topic.configuration()
        horizon_ms = int(time() * 1000) - configuration.delete_retention_ms
        known_from = await _offsets_at(consumer, partitions, horizon_ms, bounds)
        await self._store.begin(self._topic, identity.topic_id, known_from)
        self._feed.begin(Cursor(identity.topic_id, self._store.positions))
        if not configuration.compacted:
            log.warning("the topic is not compacted: keys that Kafka drops by age stay in the table", topic=self._topic)

    async def _consume(
        self,
        topic: Topic,
        identity: TopicIdentity,
        consumer: AIOKafkaConsumer,
        partitions: list[TopicPartition],
        bounds: LogBounds,
    ) -> None:
        positions = first_positions(self._store.positions, bounds)
        for partition, offset in zip(partitions, positions, strict=True):
            consumer.seek(partition, offset)
        self._lifecycle.end_offsets = bounds.end
        self._lifecycle.move(State.CATCHING_UP, f"reading topic {self._topic!r} to its end")
        gathering = Gathering(self._store.positions, empty_tombstones=self._empty_tombstones)
        for number, offset in enumerate(positions):
            gathering.moved_to(number, offset)
        pump = Pump(consumer, partitions, self._store, self._feed, gathering, self._limits.batch, self._metrics)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(pump.fetch(self._lifecycle))
                tasks.create_task(self._apply(pump, bounds.end))
                tasks.create_task(self._look_after(topic, identity, consumer, partitions))
        except BaseExceptionGroup as group:
            raise _cause(group) from group

    async def _apply(self, pump: Pump, target: Positions) -> None:
        """Apply what the pump gathers; the first time everything up to `target` is applied, be live."""
        while True:
            if self._lifecycle.moment.state is not State.LIVE and covers(self._store.positions, target):
                await self._store.caught_up(int(time() * 1000))
                self._lifecycle.move(State.LIVE, f"following topic {self._topic!r}")
            await pump.apply()
            self._failures, self._lifecycle.writable = 0, True
            for partition, lag in enumerate(self._lifecycle.lag(self._store.positions)):
                self._metrics.consumer_lag.labels(str(partition)).set(lag)

    async def _look_after(
        self, topic: Topic, identity: TopicIdentity, consumer: AIOKafkaConsumer, partitions: list[TopicPartition]
    ) -> None:
        """Notice in time that the broker is gone, that partitions were added, that the topic is another."""
        stamped = monotonic()
        while True:
            await asyncio.sleep(self._limits.topic_check_seconds)
            now = await topic.identity()
            if now is None:
                raise _NoTopic(f"topic {self._topic!r} was deleted")
            if now.topic_id != identity.topic_id:
                raise TopicMismatch(
                    f"Topic {self._topic!r} was deleted and created again while it was read. "
                    "Move the database file away, and the table is built again from Kafka."
                )
            if now.partitions != identity.partitions:
                raise _PartitionsAdded(f"{identity.partitions} partitions became {now.partitions}")
            self._lifecycle.end_offsets = await _end_offsets(consumer, partitions)
            at_end = covers(self._store.positions, self._lifecycle.end_offsets)
            if at_end and self._store.indexed.is_set() and monotonic() - stamped > _CAUGHT_UP_STAMP_SECONDS:
                stamped = monotonic()
                await self._store.caught_up(int(time() * 1000))

    @asynccontextmanager
    async def _consumer(self, partitions: list[TopicPartition]) -> AsyncIterator[AIOKafkaConsumer]:
        consumer = AIOKafkaConsumer(
            **self._connection.arguments(),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            fetch_max_bytes=self._limits.fetch_bytes_max,
            max_partition_fetch_bytes=self._limits.fetch_bytes_max,
        )
        consumer.assign(partitions)
        try:
            await consumer.start()
            yield consumer
        finally:
            await _stop(consumer)


async def _stop(consumer: AIOKafkaConsumer) -> None:
    """Stop a consumer whole.

    aiokafka cancels a fetch that waits to be tried again, and lets that cancellation out of its `stop`, midway:
    taken for ours, it would end this service's consumer without a word.
    """
    stopping = asyncio.ensure_future(consumer.stop())
    await asyncio.wait([stopping])
    if stopping.cancelled() or stopping.exception() is not None:
        await consumer._client.close()


def _cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one error of a group to act on: what an operator has to see, else the first."""
    leaves = [_cause(e) if isinstance(e, BaseExceptionGroup) else e for e in group.exceptions]
    return next((leaf for leaf in leaves if isinstance(leaf, (OperatorError, *UNREADABLE))), leaves[0])


async def _bounds(consumer: AIOKafkaConsumer, partitions: list[TopicPartition]) -> LogBounds:
    start: dict[TopicPartition, int] = await consumer.beginning_offsets(partitions)
    return LogBounds(tuple(start[partition] for partition in partitions), await _end_offsets(consumer, partitions))


async def _end_offsets(consumer: AIOKafkaConsumer, partitions: list[TopicPartition]) -> Positions:
    """The last stable offsets: under read_committed, what Kafka gives as the end."""
    end: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
    return tuple(end[partition] for partition in partitions)


async def _offsets_at(
    consumer: AIOKafkaConsumer, partitions: list[TopicPartition], timestamp_ms: int, bounds: LogBounds
) -> Positions:
    """Of each partition the first offset at or past a time; its end where there is none that late, or no telling."""
    try:
        found: dict[TopicPartition, Any] = await consumer.offsets_for_times(dict.fromkeys(partitions, timestamp_ms))
    except UnsupportedVersionError:
        return bounds.end
    return tuple(
        end if found[partition] is None else found[partition].offset
        for partition, end in zip(partitions, bounds.end, strict=True)
    )
