"""Simulated replicas of a table, and what Kafka's metadata says meanwhile."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random

from kvs_graphql.cursor import Cursor
from kvs_graphql.feed import Feed, LogBudget
from kvs_graphql.records import Positions, covers, merge
from kvs_graphql.state import MetadataRefreshes, TopicSnapshot
from kvs_graphql.store import Store, WindowLimits
from tests.simulation.model import TOPIC_ID, SimulatedLog
from tests.simulation.world import open_inline_store


class Kafka:
    """Metadata refreshes. They find the log to end where the foremost replica stands, so that every cursor is valid."""

    def __init__(self, random: Random) -> None:
        self.refreshes = MetadataRefreshes()
        self._end: Positions = ()
        self._random = random

    def was_read(self, positions: Positions) -> None:
        self._end = merge(self._end, positions)

    async def refresh_metadata(self) -> None:
        """Refresh again and again; each refresh finds the end as it was when the refresh began."""
        while True:
            number, end = self.refreshes.begin(), self._end
            await asyncio.sleep(self._random.choice((0, 0.001, 0.01)))
            self.refreshes.end(number, TopicSnapshot(TOPIC_ID, end))


class Replica:
    """One store and one feed, which read the log in their own batches."""

    def __init__(self, random: Random, log: SimulatedLog, kafka: Kafka, path: Path, limits: WindowLimits) -> None:
        self._random = random
        self._log = log
        self.kafka = kafka
        self._path = path
        self._limits = limits
        self._stack = AsyncExitStack()
        self.store: Store
        self.feed: Feed
        self.began_after = 0
        """How often the log had been compacted when this table was begun."""

    async def start(self) -> None:
        self.store = await self._stack.enter_async_context(open_inline_store(self._path, self._limits))
        self.feed = Feed(
            Cursor(TOPIC_ID, self.store.positions),
            LogBudget(
                changes_max=self._random.choice((1, 5, 50, 50)),
                bytes_max=self._random.choice((1, 1_000_000, 1_000_000)),
            ),
            steps_per_turn=self._random.choice((1, 3, 1_000)),
        )
        if self.store.source is None:
            self.began_after = self._log.compactions
            await self.store.begin("t", TOPIC_ID, self._log.end)
            self.feed.reset(Cursor(TOPIC_ID, self.store.positions))

    async def stop(self) -> None:
        self.feed.close()
        await self._stack.aclose()

    async def forget(self) -> None:
        """Delete the database and start again, from the beginning of the topic."""
        await self.stop()
        for leftover in self._path.parent.glob(f"{self._path.name}*"):
            leftover.unlink()
        await self.start()

    async def step(self, records_max: int = 4) -> None:
        batch = self._log.batch(self._random, self.store.positions, records_max=records_max)
        if batch.positions != self.store.positions:
            self.feed.publish(await self.store.apply(batch))
            self.kafka.was_read(self.store.positions)
        if not self.store.indexed.is_set() and (self._random.random() < 0.2 or self.at_end):
            await self._end_first_read(self.store)

    async def _end_first_read(self, store: Store) -> None:
        """Let the table know the deletes from somewhere past the last tombstone that the log has forgotten."""
        forgotten = self._log.tombstones_end
        if covers(store.positions, forgotten):
            known_from = map(self._random.randint, forgotten, store.positions)
            await store.caught_up(0, tuple(known_from))

    async def rebuild(self) -> None:
        """Rebuild the table in a shadow database, up to the old one's positions at least, and swap."""
        shadow = self._path.with_name(f"{self._path.name}.rebuild")
        async with open_inline_store(shadow, self._limits) as fresh:
            await fresh.begin("t", TOPIC_ID, self._log.end)
            while not covers(fresh.positions, merge(self.store.positions, self._log.tombstones_end)):
                await fresh.apply(self._log.batch(self._random, fresh.positions, records_max=20))
            await self._end_first_read(fresh)
        await self.store.swap()
        self.feed.reset(Cursor(TOPIC_ID, self.store.positions))
        self.kafka.was_read(self.store.positions)

    @property
    def at_end(self) -> bool:
        return self.store.positions == self._log.end

    async def finish(self) -> None:
        while not self.at_end:
            await self.step(1000)
        if not self.store.indexed.is_set():
            await self._end_first_read(self.store)
        await self.store.caught_up(0)
