"""The ingest loop: fetch, apply, publish, in two overlapping loops with adaptive batches.

While the store commits one batch, the builder collects the next. At the live end the store is idle and takes each
record as it arrives. Far behind, it takes as much as the limits allow: a large sorted batch costs least per record.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from dataclasses import dataclass
from time import monotonic, perf_counter
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CorruptRecordException

from kvs_graphql.feed import Feed
from kvs_graphql.kafka.batch_builder import BatchBuilder
from kvs_graphql.kafka.envelopes import Envelopes
from kvs_graphql.kafka.fetch_waits import FETCH_WAIT_MS, FetchWaits
from kvs_graphql.kafka.precedence import SHORT_RECORDS_MAX, Precedence
from kvs_graphql.kafka.unreadable import UnreadableRecordHandler, is_unreadable
from kvs_graphql.metrics import TableMetrics
from kvs_graphql.records import Positions
from kvs_graphql.state import Lifecycle
from kvs_graphql.store import Store

log = structlog.get_logger(__name__)

# Decoding blocks the event loop; so many records take about 4 ms.
_FETCH_RECORDS_MAX = 1_000
# While changes of other tables want to be shown at once, a millisecond's worth; that costs more for each record.
_SHARED_FETCH_RECORDS_MAX = 250
_SKIP_LOG_SECONDS = 10
# About how many turns of the event loop a read takes from its request's bytes to its answer's.
_TURNS_OF_A_READ = 8


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """The most that one transaction may hold. The builder may hold as much again meanwhile."""

    records_max: int
    bytes_max: int
    idle_wait_ms: int = FETCH_WAIT_MS
    """How long to wait for records after a while without any."""


class IngestLoop:
    """Moves records from one consumer into the store and the feed. Run `fetch` beside a loop of `apply`.

    `verify` is awaited between the fetch and the commit of a batch; it raises if the batch must not be applied.
    """

    def __init__(  # noqa: PLR0913 - what a consumer is made of
        self,
        consumer: AIOKafkaConsumer,
        partitions: list[TopicPartition],
        store: Store,
        feed: Feed,
        builder: BatchBuilder,
        limits: BatchLimits,
        metrics: TableMetrics,
        verify: Callable[[], Awaitable[None]],
        precedence: Precedence,
        *,
        skip_unreadable: bool = False,
        envelopes: Envelopes | None = None,
    ) -> None:
        self._consumer = consumer
        self._verify = verify
        self._precedence = precedence
        self._envelopes = envelopes
        self._waits = FetchWaits(limits.idle_wait_ms)
        self._unreadable = UnreadableRecordHandler(consumer, partitions, metrics, skip=skip_unreadable)
        self._partitions = partitions
        self._store = store
        self._feed = feed
        self._builder = builder
        self._limits = limits
        self._fetch_records_max = min(_FETCH_RECORDS_MAX, limits.records_max)
        self._metrics = metrics
        self._end_offsets: Positions = ()
        self._batch_ready = asyncio.Event()
        self._batch_taken = asyncio.Event()
        self.readable = asyncio.Event()
        """Set once a fetch of every partition has succeeded: Kafka lets this service read the topic."""
        self._skipped = 0
        self._skips_logged_at = 0.0

    async def fetch(self, lifecycle: Lifecycle) -> None:
        """Fetch until cancelled, as far ahead of `apply` as the limits allow.

        Raises:
            UnreadableRecord: A record cannot be read and must not be skipped.
            KafkaError: A fetch failed.
        """
        while True:
            records_max = self._fetch_records_max
            if self._precedence.is_shared(self):
                records_max = min(records_max, _SHARED_FETCH_RECORDS_MAX)
            fetched = await self._fetch_once(records_max)
            if sum(map(len, fetched.values())) >= records_max:
                await _let_others_run()
                await self._precedence.give_way()
            if self._envelopes is not None:
                await self._envelopes.known(message.value for messages in fetched.values() for message in messages)
            self._count_skipped(self._builder.add(fetched))
            for partition in self._partitions:
                self._move(partition, await self._consumer.position(partition))
            self._waits.answered(empty=not self._builder.has_progress)
            self._end_offsets = lifecycle.end_offsets = self._latest_end_offsets(lifecycle.end_offsets)
            lifecycle.held_back = self._held_back()
            if not self.readable.is_set() and all(self._consumer.highwater(p) is not None for p in self._partitions):
                self.readable.set()
            if self._builder.has_progress and (not fetched or self._is_due):
                self._batch_ready.set()
            if self._is_full:
                self._batch_taken.clear()
                await self._batch_taken.wait()

    async def apply(self) -> None:
        """Wait for a batch, then commit and publish it."""
        await self._batch_ready.wait()
        self._batch_ready.clear()
        is_short = self._builder.records <= SHORT_RECORDS_MAX
        batch = self._builder.take(self._end_offsets)
        self._batch_taken.set()
        with self._precedence.short_commit(self) if is_short else nullcontext():
            await self._verify()
            started = perf_counter()
            commit = await self._store.apply(batch)
            # No await in between: the next reader of the store must find the feed at the same positions.
            self._feed.publish(commit)
        self._metrics.commits.observe(perf_counter() - started)
        self._metrics.records_applied.inc(len(commit.changes))

    @property
    def gapless_from(self) -> Positions:
        """From which offset of each partition on Kafka has dropped no record before it was read."""
        return self._builder.gapless_from

    async def _fetch_once(self, records_max: int) -> dict[TopicPartition, list[Any]]:
        try:
            records: dict[TopicPartition, list[Any]] = await self._consumer.getmany(
                timeout_ms=self._waits.next_ms, max_records=records_max
            )
        except Exception as error:
            if not is_unreadable(error):
                raise
            # The consumer has stepped over records of other partitions, which it did not return.
            for partition in self._partitions:
                self._consumer.seek(partition, self._builder.position(partition.partition))
            return await self._unreadable.advance()
        return records

    def _move(self, partition: TopicPartition, position: int) -> None:
        """Move a partition's position. Only a batch with wrong offsets leads back, and would be read for ever."""
        reached = self._builder.position(partition.partition)
        if position < reached:
            self._unreadable.stop_or_skip(partition, reached, CorruptRecordException("its batch ends before it"))
        self._builder.move_to(partition.partition, position)

    @property
    def _is_full(self) -> bool:
        builder = self._builder
        return builder.records >= self._limits.records_max or builder.size_bytes >= self._limits.bytes_max

    @property
    def _is_due(self) -> bool:
        """Whether to apply now instead of collecting more: the batch is full, or it reaches the live end."""
        return self._is_full or self._builder.remaining(self._end_offsets) < self._limits.records_max

    def _latest_end_offsets(self, known: Positions) -> Positions:
        """Return the last stable offsets that came with the fetches, if they are newer than the known ones."""
        fetched = (self._consumer.last_stable_offset(partition) for partition in self._partitions)
        return tuple(max(end, offset or 0) for end, offset in zip(known, fetched, strict=True))

    def _held_back(self) -> Positions:
        """Return how many offsets of each partition open transactions hold back, past the last stable offset."""
        ends = ((self._consumer.highwater(p), self._consumer.last_stable_offset(p)) for p in self._partitions)
        return tuple(max(0, high - stable) if high and stable is not None else 0 for high, stable in ends)

    def _count_skipped(self, skipped: int) -> None:
        if skipped:
            self._metrics.records_skipped("no_key").inc(skipped)
            self._skipped += skipped
        if self._skipped and monotonic() - self._skips_logged_at > _SKIP_LOG_SECONDS:
            log.warning("skipped records without a key", records=self._skipped)
            self._skipped, self._skips_logged_at = 0, monotonic()


async def _let_others_run() -> None:
    """Yield to other tasks for as long as a read takes: `getmany` never yields while it has records at hand."""
    for _ in range(_TURNS_OF_A_READ):
        await asyncio.sleep(0)
