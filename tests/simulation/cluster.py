"""A simulated cluster: what the real consumer learns of Kafka, without a broker and in virtual time."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from random import Random
from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError, OffsetOutOfRangeError, TopicAuthorizationFailedError

from kvs_graphql.kafka.connection import KafkaConnection
from kvs_graphql.kafka.consumer_session import ConsumerSession
from kvs_graphql.kafka.epochs import FetchedEpochs
from kvs_graphql.kafka.recovery import LogBounds
from kvs_graphql.kafka.topic import TopicConfiguration, TopicIdentity
from kvs_graphql.records import EpochEnd, Positions
from tests.simulation.model import START_MS, TOPIC_ID, SimulatedLog

TOPIC = "simulated"
RETENTION_MS = 100_000
CLOCK_DIFFERENCE_MS = 40_000
_LEADER = 0
_IDLE_SECONDS_MAX = 5.0
_FAILURE_SECONDS = 5.0
"""How long a request that fails takes: replicas try again at once, and virtual time has to pass meanwhile."""


class Cluster:
    """The brokers: the topic's logs, the rights of the service, and a clock."""

    def __init__(self, random: Random) -> None:
        self._random = random
        ahead_ms = random.choice((None, 0, 20_000))
        partitions, keys = random.randint(1, 3), random.randint(1, 6)
        self.logs = [SimulatedLog.empty(partitions, keys, ahead_ms)]
        """The log as it is now is the last one."""
        self.reachable = self.readable = self.describable = True
        self.refuses_since: float | None = None
        """Since when the brokers have refused to let the topic be read, in virtual seconds; None if they do not."""
        self.names_epochs = random.random() < 0.8
        """Whether the brokers name leader epochs, as all have done since Kafka 2.8."""
        self.halted: set[str] = set()
        """The replicas that get no records."""
        self.records_max = 4
        """The records of a partition in one fetch."""
        self._ahead_ms = 0.0
        self._news = asyncio.Event()

    @property
    def log(self) -> SimulatedLog:
        return self.logs[-1]

    def allow(self, *, reading: bool = True, describing: bool = True, reaching: bool = True) -> None:
        """Give and take rights, and the way to the brokers."""
        self.readable, self.describable, self.reachable = reading, describing, reaching
        if reading or not reaching:
            self.refuses_since = None
        elif self.refuses_since is None:
            self.refuses_since = asyncio.get_running_loop().time()

    @property
    def now_ms(self) -> float:
        """The brokers' time of day."""
        return START_MS + asyncio.get_running_loop().time() * 1000 + self._ahead_ms

    def set_clock(self) -> None:
        """Let the clock jump, as far as it may differ from others: each of two gets some of the difference."""
        self._ahead_ms = self._random.uniform(-CLOCK_DIFFERENCE_MS, CLOCK_DIFFERENCE_MS) / 8

    def write(self, records: int) -> None:
        self.log.write(self._random, records, self.now_ms)
        self.tell()

    def compact(self) -> None:
        self.log.compact(self._random, self.now_ms, RETENTION_MS)

    def elect(self) -> None:
        """Let a partition have a new leader, which has all of its records."""
        self.log.elect(self._random.randrange(len(self.log.ends)))
        self.tell()

    def cut(self, records: int) -> None:
        """Let the log lack its end in some partitions, and grow again by so many records."""
        self.logs.append(self.log.cut(self._random))
        self.write(records)

    def tell(self) -> None:
        """End the waits for records."""
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def until_news(self, seconds_max: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds_max):
                await self._news.wait()

    async def answer(self) -> None:
        """Let a request take its time; fail while no broker can be reached."""
        await asyncio.sleep(0)
        if not self.reachable:
            await asyncio.sleep(_FAILURE_SECONDS)
            raise KafkaConnectionError("the brokers are away")

    def identity(self) -> TopicIdentity:
        log = self.log
        epochs = log.epochs if self.names_epochs else ()
        return TopicIdentity(TOPIC_ID, len(log.ends), (_LEADER,) * len(log.ends), epochs)

    @asynccontextmanager
    async def open_session(
        self, connection: KafkaConnection, name: str, *, fetch_bytes_max: int, idle_wait_ms: int
    ) -> AsyncIterator[ConsumerSession]:
        """Replaces `consumer_session.open_session`. The address is the name of the replica."""
        assert fetch_bytes_max > 0
        assert idle_wait_ms > 0
        topic: Any = _Topic(self, name)
        identity, configuration = await topic.identity(), await topic.configuration()
        partitions = [TopicPartition(name, number) for number in range(identity.partitions)]
        epochs = FetchedEpochs(identity.leader_epochs)
        await self.answer()
        bounds = LogBounds((0,) * identity.partitions, self.log.end)
        consumer: Any = _Consumer(self, self._random, connection.bootstrap_servers, epochs)
        yield ConsumerSession(topic, identity, configuration, consumer, partitions, bounds, consumer, epochs)


class _Topic:
    """What `Topic` asks."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.name = name
        self._cluster = cluster

    async def identity(self) -> TopicIdentity:
        await self._cluster.answer()
        return self._cluster.identity()

    async def configuration(self) -> TopicConfiguration:
        await self._cluster.answer()
        if not self._cluster.describable:
            return TopicConfiguration(None, None, unknown_because="the user lacks the right DESCRIBE_CONFIGS")
        return TopicConfiguration(True, RETENTION_MS, self._cluster.log.timestamps_ahead_ms_max)

    async def epoch_ends(self, leader: int, epochs: Mapping[int, int]) -> dict[int, EpochEnd]:
        assert leader == _LEADER
        await self._cluster.answer()
        return {partition: self._cluster.log.epoch_end(partition, epoch) for partition, epoch in epochs.items()}


class _Consumer:
    """The consumer of one session, and the answers that come behind its fetches."""

    def __init__(self, cluster: Cluster, random: Random, replica: str, epochs: FetchedEpochs) -> None:
        self._cluster = cluster
        self._random = random
        self._replica = replica
        self._epochs = epochs
        self._positions = [0] * len(cluster.log.ends)
        self._ends: Positions = ()
        self._identity = cluster.identity()

    async def identities(self) -> dict[int, TopicIdentity | None]:
        return {_LEADER: self._identity}

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self._positions[partition.partition] = offset

    async def position(self, partition: TopicPartition) -> int:
        number: int = partition.partition
        return self._positions[number]

    def highwater(self, partition: TopicPartition) -> int | None:
        return self._ends[partition.partition] if self._ends else None

    last_stable_offset = highwater

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        await self._cluster.answer()
        return {partition: self._cluster.log.ends[partition.partition] for partition in partitions}

    async def offsets_for_times(self, wanted: Mapping[TopicPartition, int]) -> dict[TopicPartition, Any]:
        await self._cluster.answer()
        found = {}
        for partition, since_ms in wanted.items():
            late = [
                r.offset for r in self._cluster.log.present(partition.partition, 0) if (r.timestamp or 0) >= since_ms
            ]
            found[partition] = SimpleNamespace(offset=late[0]) if late else None
        return found

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int, max_records: int
    ) -> dict[TopicPartition, list[Any]]:
        """Return some records, or none after a while."""
        assert timeout_ms > 0
        await asyncio.sleep(self._random.choice((0, 0, 0.001)))
        if self._replica in self._cluster.halted or tuple(self._positions) == self._ends == self._cluster.log.end:
            await self._cluster.until_news(self._random.uniform(0.1, _IDLE_SECONDS_MAX))
        await self._cluster.answer()
        if not self._cluster.readable:
            await asyncio.sleep(_FAILURE_SECONDS)
            raise TopicAuthorizationFailedError(TOPIC)
        if any(position > end for position, end in zip(self._positions, self._cluster.log.ends, strict=True)):
            await asyncio.sleep(_FAILURE_SECONDS)
            raise OffsetOutOfRangeError(TOPIC)
        fetched = {} if self._replica in self._cluster.halted else self._fetch(partitions, max_records)
        # Records may have been fetched a while before they are handed out.
        await asyncio.sleep(self._random.choice((0, 0, 0.001)))
        if not partitions and self._random.random() < 0.05:
            raise ValueError("a record cannot be decoded, and what was taken of other partitions is not returned")
        return fetched

    def _fetch(self, partitions: Sequence[TopicPartition], records_max: int) -> dict[TopicPartition, list[Any]]:
        log = self._cluster.log
        self._ends, self._identity = log.end, self._cluster.identity()
        numbers: list[int] = [partition.partition for partition in partitions] or list(range(len(log.ends)))
        fetched = {}
        for partition in self._random.sample(numbers, len(numbers)):
            present = log.present(partition, self._positions[partition])
            run = present[: self._random.randint(0, min(records_max, self._cluster.records_max))]
            records_max -= len(run)
            if run:
                self._epochs.add(partition, [(r.offset, log.epoch_at(partition, r.offset)) for r in run])
                self._positions[partition] = run[-1].offset + 1
                fetched[TopicPartition(TOPIC, partition)] = [
                    SimpleNamespace(key=r.key, value=r.value, offset=r.offset, timestamp=r.timestamp, headers=())
                    for r in run
                ]
            end = log.ends[partition]
            if end > 0 and len(run) == len(present) and self._random.random() < 0.5:
                self._epochs.add(partition, [(end - 1, log.epoch_at(partition, end - 1))])
                self._positions[partition] = end
        return fetched
