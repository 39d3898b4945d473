"""Fetch, apply, publish: two loops that overlap, and batches that adapt.

While one batch is being committed, the next is gathered. At the live end the store is idle and takes each record
as it comes; far behind, it is given as much as the limits allow, for a big sorted batch costs least a record.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic, perf_counter
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from kvs_graphql.feed import Feed
from kvs_graphql.kafka.batches import Gathering
from kvs_graphql.kafka.connection import UNREADABLE
from kvs_graphql.kafka.unreadable import Unreadable
from kvs_graphql.metrics import Metrics
from kvs_graphql.records import Positions
from kvs_graphql.state import Lifecycle
from kvs_graphql.store import Store

log = structlog.get_logger(__name__)

_FETCH_WAIT_MS = 100
# Decoding does not let others run: so many at a time, about 4 ms.
_FETCH_RECORDS_MAX = 1_000
_SKIP_LOG_SECONDS = 10
# From the request's bytes to the answer's, a read takes about so many turns of the event loop.
_TURNS_OF_A_READ = 8


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """What one transaction holds at most; as much again may be gathered meanwhile."""

    records_max: int
    bytes_max: int


class Pump:
    """Moves records from one consumer into the store and the feed. `fetch` and `apply` run side by side.

    `verify` is called between the two, and raises where what was fetched must not be applied.
    """

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        partitions: list[TopicPartition],
        store: Store,
        feed: Feed,
        gathering: Gathering,
        limits: BatchLimits,
        metrics: Metrics,
        verify: Callable[[], Awaitable[None]],
        *,
        skip_unreadable: bool = False,
    ) -> None:
        self._consumer = consumer
        self._verify = verify
        self._unreadable = Unreadable(consumer, partitions, metrics, skip=skip_unreadable)
        self._partitions = partitions
        self._store = store
        self._feed = feed
        self._gathering = gathering
        self._limits = limits
        self._fetch_records_max = min(_FETCH_RECORDS_MAX, limits.records_max)
        self._metrics = metrics
        self._end_offsets: Positions = ()
        self._due = asyncio.Event()
        self._room = asyncio.Event()
        self._skipped = 0
        self._skips_logged_at = 0.0

    async def fetch(self, lifecycle: Lifecycle) -> None:
        """Fetch for ever, as far ahead of `apply` as the limits allow."""
        while True:
            fetched = await self._get()
            if sum(map(len, fetched.values())) >= self._fetch_records_max:
                await _let_others_run()
            self._skip(self._gathering.add(fetched))
            for partition in self._partitions:
                self._gathering.moved_to(partition.partition, await self._consumer.position(partition))
            self._end_offsets = lifecycle.end_offsets = self._ends(lifecycle.end_offsets)
            lifecycle.held_back = self._held_back()
            if self._gathering.worth_applying and (not fetched or self._ripe):
                self._due.set()
            if self._full:
                self._room.clear()
                await self._room.wait()

    async def apply(self) -> None:
        """Commit and publish what was gathered, waiting for something to be there."""
        await self._due.wait()
        self._due.clear()
        batch = self._gathering.take(self._end_offsets)
        self._room.set()
        await self._verify()
        started = perf_counter()
        commit = await self._store.apply(batch)
        # No await between these two: whoever reads the store next must find the feed where the store is.
        self._feed.publish(commit)
        self._metrics.commits.observe(perf_counter() - started)
        self._metrics.records_applied.inc(len(commit.changes))

    async def _get(self) -> dict[TopicPartition, list[Any]]:
        try:
            records: dict[TopicPartition, list[Any]] = await self._consumer.getmany(
                timeout_ms=_FETCH_WAIT_MS, max_records=self._fetch_records_max
            )
        except UNREADABLE:
            return await self._unreadable.approach()
        return records

    @property
    def _full(self) -> bool:
        gathering = self._gathering
        return gathering.records >= self._limits.records_max or gathering.size_bytes >= self._limits.bytes_max

    @property
    def _ripe(self) -> bool:
        """Whether to apply now rather than gather more: at the live end, or with all that one batch holds."""
        return self._full or self._gathering.remaining(self._end_offsets) < self._limits.records_max

    def _ends(self, known: Positions) -> Positions:
        """The last stable offsets that came with the fetches, which are newer than those asked for."""
        heard = (self._consumer.last_stable_offset(partition) for partition in self._partitions)
        return tuple(max(end, offset or 0) for end, offset in zip(known, heard, strict=True))

    def _held_back(self) -> Positions:
        """What is in the log past the last stable offset: records of transactions that are still open."""
        ends = ((self._consumer.highwater(p), self._consumer.last_stable_offset(p)) for p in self._partitions)
        return tuple(max(0, high - stable) if high and stable is not None else 0 for high, stable in ends)

    def _skip(self, skipped: int) -> None:
        if skipped:
            self._metrics.records_skipped.labels("no_key").inc(skipped)
            self._skipped += skipped
        if self._skipped and monotonic() - self._skips_logged_at > _SKIP_LOG_SECONDS:
            log.warning("records without a key skipped", records=self._skipped)
            self._skipped, self._skips_logged_at = 0, monotonic()


async def _let_others_run() -> None:
    """Between two fetches: where records are waiting already, `getmany` gives them without letting anybody run."""
    for _ in range(_TURNS_OF_A_READ):
        await asyncio.sleep(0)
