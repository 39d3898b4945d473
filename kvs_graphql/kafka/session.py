"""One connection to Kafka for one topic: what the topic is, and a consumer of all of its partitions."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import time
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import UnsupportedVersionError

from kvs_graphql.cursor import Cursor
from kvs_graphql.errors import ServiceError
from kvs_graphql.feed import Feed
from kvs_graphql.kafka.connection import KafkaConnection, started
from kvs_graphql.kafka.origins import Origins
from kvs_graphql.kafka.recovery import LogBounds
from kvs_graphql.kafka.topic import Topic, TopicConfiguration, TopicIdentity
from kvs_graphql.records import Positions
from kvs_graphql.store import Store

log = structlog.get_logger(__name__)


class NoTopic(ServiceError):
    """There is no topic of that name."""


class TopicChanged(ServiceError):
    """Partitions were added, or the topic is another: the session has to start again."""


@dataclass(frozen=True, slots=True)
class Session:
    """What was found when the connection was made. Made by `open_session`."""

    topic: Topic
    identity: TopicIdentity
    configuration: TopicConfiguration
    consumer: AIOKafkaConsumer
    partitions: list[TopicPartition]
    bounds: LogBounds
    started_ms: int
    origins: Origins

    async def begin(self, store: Store, feed: Feed) -> None:
        """Start an empty table for this topic: what was deleted longer ago than Kafka remembers is not known."""
        horizon_ms = self.started_ms - self.configuration.delete_retention_ms
        known_from = await self._offsets_at(horizon_ms)
        await store.begin(self.topic.name, self.identity.topic_id, known_from, self.started_ms)
        feed.reset(Cursor(self.identity.topic_id, store.positions))
        if not self.configuration.compacted:
            log.warning("topic is not compacted: keys that Kafka drops by age stay", topic=self.topic.name)

    async def end_offsets(self) -> Positions:
        """The last stable offset of each partition."""
        return await _end_offsets(self.consumer, self.partitions)

    async def verify(self) -> None:
        """Make sure that what was fetched until now is of this very topic.

        Raises:
            NoTopic, TopicChanged: It may not be.
            KafkaError: A broker did not answer, or a partition has no leader.
        """
        for identity in (await self.origins.identities()).values():
            self._compare(identity)

    async def check(self) -> None:
        """Look whether the topic is still what it was.

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
            raise TopicChanged(f"{self.identity.partitions} partitions became {now.partitions}")

    async def _offsets_at(self, timestamp_ms: int) -> Positions:
        """The first offset of each partition at or past a time; its end where there is none, or no telling."""
        try:
            wanted = dict.fromkeys(self.partitions, timestamp_ms)
            found: dict[TopicPartition, Any] = await self.consumer.offsets_for_times(wanted)
        except UnsupportedVersionError:
            return self.bounds.end
        return tuple(
            end if found[partition] is None else found[partition].offset
            for partition, end in zip(self.partitions, self.bounds.end, strict=True)
        )


@asynccontextmanager
async def open_session(connection: KafkaConnection, name: str, *, fetch_bytes_max: int) -> AsyncIterator[Session]:
    """Connect, look at the topic, and assign all of its partitions.

    Raises:
        NoTopic: There is none of that name.
        KafkaError: No broker answers, or it refuses, or a partition has no leader.
    """
    async with Topic(connection, name) as topic:
        identity = await topic.identity()
        if identity is None:
            raise NoTopic(f"topic {name!r} does not exist")
        configuration = await topic.configuration()
        partitions = [TopicPartition(name, number) for number in range(identity.partitions)]
        async with _consumer(connection, partitions, fetch_bytes_max) as (consumer, origins):
            start: dict[TopicPartition, int] = await consumer.beginning_offsets(partitions)
            bounds = LogBounds(tuple(start[p] for p in partitions), await _end_offsets(consumer, partitions))
            yield Session(topic, identity, configuration, consumer, partitions, bounds, int(time() * 1000), origins)


@asynccontextmanager
async def _consumer(
    connection: KafkaConnection, partitions: list[TopicPartition], fetch_bytes_max: int
) -> AsyncIterator[tuple[AIOKafkaConsumer, Origins]]:
    consumer = AIOKafkaConsumer(
        **connection.arguments(),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
        # The embedded broker answers a fetch that waits only when its time is over.
        fetch_max_wait_ms=100,
        fetch_max_bytes=fetch_bytes_max,
        max_partition_fetch_bytes=fetch_bytes_max,
    )
    consumer.assign(partitions)
    origins = Origins(consumer._client, partitions[0].topic)
    try:
        await started(consumer.start())
        yield consumer, origins
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


async def _end_offsets(consumer: AIOKafkaConsumer, partitions: list[TopicPartition]) -> Positions:
    # Under read_committed, what Kafka gives as the end is the last stable offset.
    end: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
    return tuple(end[partition] for partition in partitions)
