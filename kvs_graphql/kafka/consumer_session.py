"""One connection to Kafka for one topic: the topic's identity, and a consumer of all its partitions."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import UnsupportedVersionError

from kvs_graphql.compat.aiokafka import consumer_client, stop_consumer
from kvs_graphql.compat.aiokafka_records import read_any_records
from kvs_graphql.errors import ServiceError
from kvs_graphql.feed import Feed
from kvs_graphql.kafka.connection import KafkaConnection, start_client
from kvs_graphql.kafka.epochs import FetchedEpochs
from kvs_graphql.kafka.fetch_waits import FETCH_WAIT_MS
from kvs_graphql.kafka.recovery import LogBounds, all_deletes_written_since_ms, cut_reason
from kvs_graphql.kafka.topic import Topic, TopicConfiguration, TopicIdentity
from kvs_graphql.kafka.topic_ids import TopicIdTracker
from kvs_graphql.records import UNKNOWN_EPOCH, EpochEnd, Epochs, Positions, covers
from kvs_graphql.state import EpochEnds
from kvs_graphql.store import Store

log = structlog.get_logger(__name__)

# How often aiokafka looks for something to fetch although nothing happened. It is woken by whatever can give it work,
# as long as nobody changes the partitions. By default it looks five times a second, half the cost of an idle table.
_FETCHER_WAKES_MS = 5_000


class NoTopic(ServiceError):
    """The topic does not exist."""


class TopicChanged(ServiceError):
    """The topic has more partitions or another leader, or was created again: a new session has to start."""


@dataclass(frozen=True, slots=True)
class ConsumerSession:
    """An open connection and what it found at its start. Made by `open_session`."""

    topic: Topic
    identity: TopicIdentity
    configuration: TopicConfiguration
    consumer: AIOKafkaConsumer
    partitions: list[TopicPartition]
    bounds: LogBounds
    topic_ids: TopicIdTracker
    epochs: FetchedEpochs

    async def begin(self, store: Store, feed: Feed, at_ms: int) -> None:
        """Start an empty table for this topic. Until it has been read, no delete in it counts as known."""
        await store.begin(self.topic.name, self.identity.topic_id, self.bounds.end, at_ms)
        feed.reset(store.cursor)
        if self.configuration.compacted is False:
            log.warning("topic is not compacted: keys stay after Kafka drops their records", topic=self.topic.name)

    async def cut_reason(self, positions: Positions, epochs: Epochs) -> str | None:
        """Return why the log is not the one that led to these positions; None if it is, or if no broker can tell.

        Raises:
            KafkaError: A leader did not answer, or leads no more.
        """
        known = {p: e for p, e in enumerate(epochs) if e != UNKNOWN_EPOCH and positions[p] > 0}
        return cut_reason(positions, epochs, await self._epoch_ends(known))

    async def answer(self, questions: EpochEnds) -> None:
        """Answer the open questions about leader epochs.

        Raises:
            KafkaError: A leader did not answer, or leads no more.
        """
        while asked := dict(questions.open.keys()):
            # A partition that this topic lacks has no epoch at all.
            ends = await self._epoch_ends({p: epoch for p, epoch in asked.items() if p < self.identity.partitions})
            lacking = {p: EpochEnd(UNKNOWN_EPOCH, 0) for p in asked if p >= self.identity.partitions}
            questions.answer({(p, epoch): (ends | lacking).get(p) for p, epoch in asked.items()})

    async def _epoch_ends(self, epochs: Mapping[int, int]) -> dict[int, EpochEnd]:
        ends: dict[int, EpochEnd] = {}
        for leader in {self.identity.leaders[partition] for partition in epochs}:
            asked = {p: epoch for p, epoch in epochs.items() if self.identity.leaders[p] == leader}
            ends |= await self.topic.epoch_ends(leader, asked)
        return ends

    async def end_offsets(self) -> Positions:
        """Return the last stable offset of each partition."""
        return await _end_offsets(self.consumer, self.partitions)

    async def verify_fetched(self) -> None:
        """Check that everything fetched so far came from this session's topic.

        Raises:
            NoTopic, TopicChanged: It may have come from another one.
            KafkaError: A broker did not answer, or a partition has no leader.
        """
        for identity in (await self.topic_ids.identities()).values():
            self._compare(identity)

    async def verify_topic(self) -> None:
        """Check that the topic is still the one that the session started with.

        Raises:
            NoTopic, TopicChanged: It is not.
            KafkaError: No broker answers, or a partition has no leader.
        """
        self._compare(await self.topic.identity())

    def _compare(self, now: TopicIdentity | None) -> None:
        if now is None:
            raise NoTopic(f"topic {self.topic.name!r} was deleted")
        if now.topic_id != self.identity.topic_id:
            raise TopicChanged(f"topic {self.topic.name!r} was deleted and created again")
        if now.partitions != self.identity.partitions:
            raise TopicChanged(
                f"topic {self.topic.name!r} has {now.partitions} partitions instead of {self.identity.partitions}"
            )
        # A broker may know less than another one, but no epoch comes again.
        if not covers(self.identity.leader_epochs, now.leader_epochs):
            raise TopicChanged(f"a partition of topic {self.topic.name!r} has a new leader")

    async def deletes_known_from(self, read: Positions, read_until_ms: int, clock_difference_ms: float) -> Positions:
        """Return the offsets from which on a first read has seen every delete; those of `read` where that is unknown.

        The first read has just ended at `read`, at `read_until_ms` by this machine's clock. Tombstones older than the
        topic's `delete.retention.ms` at that time may have been dropped before they were read.
        """
        since_ms = all_deletes_written_since_ms(self.configuration, read_until_ms, clock_difference_ms)
        if since_ms is None:
            return read
        try:
            wanted = dict.fromkeys(self.partitions, since_ms)
            found: dict[TopicPartition, Any] = await self.consumer.offsets_for_times(wanted)
        except UnsupportedVersionError:
            return read
        return tuple(
            position if found[partition] is None else min(position, found[partition].offset)
            for partition, position in zip(self.partitions, read, strict=True)
        )


@asynccontextmanager
async def open_session(
    connection: KafkaConnection, name: str, *, fetch_bytes_max: int, idle_wait_ms: int = FETCH_WAIT_MS
) -> AsyncIterator[ConsumerSession]:
    """Connect, read the topic's metadata, and assign all of its partitions.

    Raises:
        NoTopic: The topic does not exist.
        KafkaError: No broker answers, or it refuses, or a partition has no leader.
    """
    async with Topic(connection, name) as topic:
        identity = await topic.identity()
        if identity is None:
            raise NoTopic(f"topic {name!r} does not exist")
        configuration = await topic.configuration()
        partitions = [TopicPartition(name, number) for number in range(identity.partitions)]
        epochs = FetchedEpochs(identity.leader_epochs)
        async with _consumer(connection, partitions, fetch_bytes_max, epochs, idle_wait_ms) as (consumer, topic_ids):
            start: dict[TopicPartition, int] = await consumer.beginning_offsets(partitions)
            bounds = LogBounds(tuple(start[p] for p in partitions), await _end_offsets(consumer, partitions))
            yield ConsumerSession(topic, identity, configuration, consumer, partitions, bounds, topic_ids, epochs)


@asynccontextmanager
async def _consumer(
    connection: KafkaConnection,
    partitions: list[TopicPartition],
    fetch_bytes_max: int,
    epochs: FetchedEpochs,
    idle_wait_ms: int,
) -> AsyncIterator[tuple[AIOKafkaConsumer, TopicIdTracker]]:
    read_any_records()
    consumer = AIOKafkaConsumer(
        **connection.arguments(),
        client_rack=connection.rack,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
        consumer_timeout_ms=_FETCHER_WAKES_MS,
        fetch_max_wait_ms=FETCH_WAIT_MS,
        fetch_max_bytes=fetch_bytes_max,
        max_partition_fetch_bytes=fetch_bytes_max,
    )
    consumer.assign(partitions)
    topic_ids = TopicIdTracker(consumer_client(consumer), partitions[0].topic, epochs, idle_wait_ms)
    try:
        await start_client(consumer.start())
        yield consumer, topic_ids
    finally:
        await stop_consumer(consumer)


async def _end_offsets(consumer: AIOKafkaConsumer, partitions: list[TopicPartition]) -> Positions:
    # To a read_committed consumer, Kafka gives the last stable offset as the end.
    end: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
    return tuple(end[partition] for partition in partitions)
