"""Seeded simulations of watches: replicas, restarts, slow clients, and limits so small that every path is walked.

A failure names its seed; `KVS_SIMULATION_SEEDS=100-200` runs other seeds, or more.
"""

import asyncio
import os
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from random import Random

import pytest

from kvs_graphql.cursor import Cursor
from kvs_graphql.cursor_validation import CursorValidator
from kvs_graphql.feed import Feed, Flush, Sink, Update
from kvs_graphql.records import Interest, Positions, advance, covers, merge
from kvs_graphql.state import MetadataRefreshes, TopicSnapshot
from kvs_graphql.store import Store, WindowLimits
from kvs_graphql.watch import Start, Watch, WatchLimits
from tests.checkers import ClientView
from tests.simulation.model import TOPIC_ID, SimulatedLog
from tests.simulation.world import open_inline_store, run

_FIRST, _LAST = map(int, os.environ.get("KVS_SIMULATION_SEEDS", "0-150").split("-"))
_PROGRESS_SECONDS = 0.005


class Kafka:
    """Where the log ends for those who look: no further than anybody has read, so that every place was told in time."""

    def __init__(self, random: Random) -> None:
        self.refreshes = MetadataRefreshes()
        self._end: Positions = ()
        self._random = random

    def was_read(self, positions: Positions) -> None:
        self._end = merge(self._end, positions)

    async def be_looked_at(self) -> None:
        """Again and again, each time telling late what was the end when the look began."""
        while True:
            number, end = self.refreshes.begin(), self._end
            await asyncio.sleep(self._random.choice((0, 0.001, 0.01)))
            self.refreshes.end(number, TopicSnapshot(TOPIC_ID, end))


class Replica:
    """One store and one feed, fed from the log in its own batches."""

    def __init__(self, random: Random, log: SimulatedLog, kafka: Kafka, path: Path, limits: WindowLimits) -> None:
        self._random = random
        self._log = log
        self.kafka = kafka
        self._path = path
        self._limits = limits
        self._stack = AsyncExitStack()
        self.store: Store
        self.feed: Feed

    async def start(self) -> None:
        self.store = await self._stack.enter_async_context(open_inline_store(self._path, self._limits))
        self.feed = Feed(
            Cursor(TOPIC_ID, self.store.positions),
            changes_max=self._random.choice((1, 5, 50)),
            bytes_max=self._random.choice((1, 1_000_000)),
            steps_per_turn=self._random.choice((1, 3, 1_000)),
        )
        if self.store.source is None:
            await self.store.begin("t", TOPIC_ID, (0,) * len(self._log.partitions))
            self.feed.reset(Cursor(TOPIC_ID, self.store.positions))

    async def stop(self) -> None:
        self.feed.close()
        await self._stack.aclose()

    async def forget(self) -> None:
        """The database is deleted: the next start reads the topic again."""
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
            await self.store.caught_up(0)

    async def rebuild(self) -> None:
        """A repair: the table is read again beside the old one, further than that got, and put in its place."""
        beside = self._path.with_name(f"{self._path.name}.rebuild")
        async with open_inline_store(beside, self._limits) as fresh:
            horizon = tuple(self._random.randint(0, position) for position in self.store.positions)
            await fresh.begin("t", TOPIC_ID, horizon)
            while not covers(fresh.positions, self.store.positions):
                await fresh.apply(self._log.batch(self._random, fresh.positions, records_max=20))
            await fresh.caught_up(0)
        await self.store.swap()
        self.feed.reset(Cursor(TOPIC_ID, self.store.positions))
        self.kafka.was_read(self.store.positions)

    @property
    def at_end(self) -> bool:
        return self.store.positions == self._log.end

    async def finish(self) -> None:
        while not self.at_end:
            await self.step(1000)
        await self.store.caught_up(0)


class SimulatedClient:
    """Subscribes, reads at its own pace, is cut off, and resumes after its last cursor, wherever it lands."""

    def __init__(self, random: Random, log: SimulatedLog, limits: WatchLimits) -> None:
        self._random = random
        self._limits = limits
        prefix = random.choice((None, b"a"))
        keys = None if prefix and random.random() < 0.5 else frozenset((b"a0", b"b1", b"b2"))
        self.interest = random.choice((Interest(), Interest(keys, prefix)))
        self.view = ClientView(log, self.interest)
        self._snapshot = random.random() < 0.5
        self._interval = random.choice((None, None, 0.002))
        self._is_pushed = random.random() < 0.5
        self._pushed: list[Update] = []
        self._until: Positions = ()
        self._left = 0.0
        self.violations: list[AssertionError] = []
        self._resume: Cursor | None = None
        self._log = log

    def be_mistaken(self) -> None:
        """Come back from a place that the log never reached."""
        if self._resume is not None:
            self._resume = Cursor(TOPIC_ID, advance(self._resume.positions, 0, 1_000_000), self._resume.pending)
            self.view.live = self.view.lossless = False

    async def follow(self, replica: Replica, until: Positions, *, updates_max: float = float("inf")) -> None:
        """Read until the cursor covers `until`, or so many updates came."""
        validator = CursorValidator(replica.feed, replica.kafka.refreshes)
        watch = Watch(replica.store, replica.feed, self.interest, self._limits, validator)
        snapshot = self._resume is None and self._snapshot
        self._until, self._left = until, updates_max
        sink = Sink(self._encode, self._send) if self._is_pushed else None
        start = Start(self._resume, snapshot, progress=True, interval=self._interval)
        if self._resume is None and not self._snapshot:
            self.view.begin(replica.feed.positions)
        async with aclosing(watch.updates(start, sink)) as pages:
            async for page in pages:
                for update in page:
                    self._see(update)
                    if self._left <= 0:
                        return
                if covers(self.view.cursor, until) and self.view.live:
                    return
                if self._random.random() < 0.3:
                    await asyncio.sleep(0.001)

    def _encode(self, update: Update) -> Update | None:
        if self._random.random() < 0.05:
            raise RuntimeError("a rendering that fails")
        return None if self._random.random() < 0.05 else update

    def _send(self, update: Update) -> Flush | None:
        """Take an update that is not waited for, or have no room for it; the last one is not taken so."""
        if (
            self._random.random() < 0.2
            or self._left - len(self._pushed) <= 1
            or covers(update.cursor.positions, self._until)
        ):
            return None
        self._pushed.append(update)
        return self._see_pushed

    def _see_pushed(self) -> None:
        pushed, self._pushed = self._pushed, []
        try:
            for update in pushed:
                self._see(update)
        except AssertionError as violation:
            # An error here is not noticed where it is raised.
            self.violations.append(violation)

    def _see(self, update: Update) -> None:
        self.view.see(update)
        self._resume = update.cursor
        self._left -= 1


@pytest.mark.parametrize("seed", range(_FIRST, _LAST))
def test_clients_see_what_the_log_says_whatever_happens(seed: int, tmp_path: Path) -> None:
    run(_world(Random(seed), tmp_path))


async def _world(random: Random, tmp_path: Path) -> None:
    log = SimulatedLog.random(
        random, partitions=random.randint(1, 3), records=random.randint(1, 60), keys=random.randint(1, 6)
    )
    limits = WindowLimits(random.choice((1, 3, 10, 1000)), random.choice((1, 50, 100_000)), random.choice((1, 3, 1000)))
    kafka = Kafka(random)
    replicas = [Replica(random, log, kafka, tmp_path / f"{n}.db", limits) for n in range(2)]
    async with AsyncExitStack() as stack:
        stack.callback(asyncio.create_task(kafka.be_looked_at()).cancel)
        for replica in replicas:
            await replica.start()
            stack.push_async_callback(replica.stop)
        await _simulate(random, log, replicas)


async def _simulate(random: Random, log: SimulatedLog, replicas: list[Replica]) -> None:
    watch_limits = WatchLimits(random.choice((1, 2, 100)), random.choice((1, 8, 1_000_000)), _PROGRESS_SECONDS)
    clients = [SimulatedClient(random, log, watch_limits) for _ in range(3)]

    for _ in range(random.randint(1, 6)):
        async with asyncio.TaskGroup() as tasks:
            for client in clients:
                replica = random.choice(replicas)
                tasks.create_task(_for_a_while(client, replica, log.end, random.randint(1, 12)))
            for replica in replicas:
                for _ in range(random.randint(0, 4)):
                    await replica.step()
                if random.random() < 0.15:
                    await replica.rebuild()
        if random.random() < 0.3:
            await random.choice(replicas).forget()
        if random.random() < 0.1:
            random.choice(clients).be_mistaken()

    for replica in replicas:
        await replica.finish()
    for client in clients:
        async with asyncio.timeout(10):
            await client.follow(random.choice(replicas), log.end)
        assert not client.violations
        client.view.check_table()
        client.view.check_complete()
        assert client.view.table == log.table(log.end, client.interest)


async def _for_a_while(client: SimulatedClient, replica: Replica, until: Positions, updates_max: int) -> None:
    """A client that is cut off after so many updates, or when nothing more comes."""
    try:
        async with asyncio.timeout(0.05):
            await client.follow(replica, until, updates_max=updates_max)
    except TimeoutError:
        pass
