"""Simulated replicas: the real store, feed and consumer of a service, and a clock that may be wrong."""

import asyncio
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from random import Random
from unittest import mock

from kvs_graphql.errors import OperatorError
from kvs_graphql.feed import Feed, LogBudget
from kvs_graphql.kafka.clock import Clock
from kvs_graphql.kafka.connection import KafkaConnection
from kvs_graphql.kafka.consumer import Consumer
from kvs_graphql.kafka.consumer_limits import ConsumerLimits
from kvs_graphql.kafka.ingest import BatchLimits
from kvs_graphql.kafka.precedence import Precedence
from kvs_graphql.metrics import Metrics
from kvs_graphql.state import Lifecycle, State
from kvs_graphql.store import WindowLimits
from tests.simulation.cluster import CLOCK_DIFFERENCE_MS, RETENTION_MS, TOPIC, Cluster
from tests.simulation.model import START_MS
from tests.simulation.world import InlineStore, open_inline_store

REFRESH_SECONDS = 30.0
_STALL_SECONDS_MAX = 40.0
_STOP_SECONDS_MAX = 100.0
_FAR_MS = 1_000 * RETENTION_MS


class JumpingClock(Clock):
    """The clocks of a replica's machine. The time of day is about right, or so wrong that anybody can notice.

    Where records' timestamps are compared with it, it is never far behind: then nobody can notice.
    """

    def __init__(self, random: Random, *, compared: bool) -> None:
        self._random = random
        self._far = (0, _FAR_MS) if compared else (0, 0, _FAR_MS, -_FAR_MS)
        self.jump()

    def now_ms(self) -> int:
        return int(START_MS + self.elapsed_ms() + self._ahead_ms)

    def elapsed_ms(self) -> float:
        return asyncio.get_running_loop().time() * 1000

    def jump(self) -> None:
        """Let the time of day jump."""
        about = self._random.uniform(-CLOCK_DIFFERENCE_MS, CLOCK_DIFFERENCE_MS) / 4
        self._ahead_ms = about + self._random.choice(self._far)


class Replica:
    """One service, which runs or is down."""

    store: InlineStore
    feed: Feed
    lifecycle: Lifecycle
    started_at: float
    """When it last started, in virtual seconds."""

    def __init__(self, random: Random, cluster: Cluster, path: Path, limits: WindowLimits, table: str = "") -> None:
        """`table` is the name of the table; empty for the only one of a service."""
        self.name = path.stem
        self.table = table
        self._random = random
        self._cluster = cluster
        self._path = path
        self._limits = limits
        self._stack = AsyncExitStack()
        self.clock = JumpingClock(random, compared=cluster.log.timestamps_ahead_ms_max is not None)
        self.runs = False

    async def start(self) -> None:
        opened = open_inline_store(self._path, self._limits, self.table)
        store = self.store = await self._stack.enter_async_context(opened)
        await store.remove_shadow()
        self.feed = Feed(
            store.cursor,
            LogBudget(
                changes_max=self._random.choice((1, 5, 50, 50)),
                bytes_max=self._random.choice((1, 1_000_000, 1_000_000)),
            ),
            steps_per_turn=self._random.choice((1, 3, 1_000)),
        )
        self.clock.jump()
        self.started_at = asyncio.get_running_loop().time()
        self.lifecycle = Lifecycle()
        limits = ConsumerLimits(
            BatchLimits(self._random.choice((1, 4, 1_000)), 1_000_000),
            fetch_bytes_max=1,
            metadata_refresh_seconds=REFRESH_SECONDS,
            retry_seconds_max=0.0,
            stall_seconds_max=_STALL_SECONDS_MAX,
            clock_difference_seconds_max=CLOCK_DIFFERENCE_MS / 1000,
        )
        connection = KafkaConnection(self.name)
        with mock.patch("kvs_graphql.kafka.consumer.Clock", return_value=self.clock):
            self._consumer = Consumer(
                connection,
                TOPIC,
                store,
                self.feed,
                self.lifecycle,
                Metrics().of_table(self.table),
                limits,
                Precedence(),
            )
        self._task = asyncio.create_task(self._consume())
        self.runs = True

    async def _consume(self) -> None:
        with suppress(OperatorError):
            await self._consumer.run()
        # The process ends. One that has a table that was live once stays.
        assert not self.lifecycle.was_live
        self.feed.close()

    async def stop(self) -> None:
        """End at any moment, as a process that is killed."""
        if self.runs:
            self.runs = False
            self._task.cancel()
            await asyncio.wait([self._task], timeout=_STOP_SECONDS_MAX)
            assert self._task.done(), "it goes on although it was cancelled"
            self.feed.close()
            await self._stack.aclose()
            if not self._task.cancelled():
                self._task.result()

    async def halt(self) -> None:
        """Get no more records."""
        self._cluster.halted.add(self.name)

    async def resume(self) -> None:
        """Get records again, and run."""
        self._cluster.halted.discard(self.name)
        self._cluster.tell()
        if not self.serves:
            await self.stop()
            await self.start()

    async def forget(self) -> None:
        """Delete the database."""
        await self.stop()
        for leftover in self._path.parent.glob(f"{self._path.name}*"):
            leftover.unlink()

    @property
    def serves(self) -> bool:
        """Whether clients can connect."""
        return self.runs and not self._task.done()

    @property
    def is_ready(self) -> bool:
        """Whether it says that clients can rely on its table."""
        return self.serves and self.lifecycle.ready

    @property
    def is_settled(self) -> bool:
        """Whether the table is whole, and what the feed says that it is."""
        return self.store.indexed.is_set() and self.store.generation % 2 == 0 and self.store.cursor == self.feed.cursor

    async def until_right(self) -> None:
        """Wait until this replica says that its table is up to date, and the table is what the log adds up to."""
        log = self._cluster.log
        while not (self._is_live and self.store.positions == log.end and self.store.entries() == log.table(log.end)):
            if not self.serves:
                # Refused just before its rights were given back.
                await self.stop()
                await self.start()
            await asyncio.sleep(REFRESH_SECONDS)

    @property
    def _is_live(self) -> bool:
        return self.is_ready and self.lifecycle.moment.state is State.LIVE
