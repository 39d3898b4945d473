"""One simulation: clients of two replicas, to both of which everything may happen."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random

from kvs_graphql.records import Positions
from kvs_graphql.store import WindowLimits
from kvs_graphql.watch import Quotas, WatchLimits
from tests.deadline import SECONDS_MAX
from tests.simulation.clients import SimulatedClient
from tests.simulation.model import SimulatedLog
from tests.simulation.replicas import Kafka, Replica

_PROGRESS_SECONDS = 0.005


async def simulate(random: Random, directory: Path) -> list[SimulatedClient]:
    """Run a simulation to its end, check what its clients hold, and return them."""
    log = SimulatedLog.random(
        random, partitions=random.randint(1, 3), records=random.randint(1, 60), keys=random.randint(1, 6)
    )
    limits = WindowLimits(random.choice((1, 3, 10, 1000)), random.choice((1, 50, 100_000)), random.choice((1, 3, 1000)))
    kafka = Kafka(random)
    replicas = [Replica(random, log, kafka, directory / f"{n}.db", limits) for n in range(2)]
    async with AsyncExitStack() as stack:
        stack.callback(asyncio.create_task(kafka.refresh_metadata()).cancel)
        for replica in replicas:
            await replica.start()
            stack.push_async_callback(replica.stop)
        return await _simulate(random, log, replicas)


async def _simulate(random: Random, log: SimulatedLog, replicas: list[Replica]) -> list[SimulatedClient]:
    watch_limits = WatchLimits(
        page_max=random.choice((1, 2, 100)),
        page_bytes_max=random.choice((1, 8, 1_000_000)),
        progress_seconds=_PROGRESS_SECONDS,
        arguments_bytes_max=1_000_000,
        pages_bytes_max=random.choice((1, 2_000, 1_000_000)),
        rows_max=random.choice((1, 3, 1_000)),
    )
    quotas = Quotas(watch_limits)
    clients = [SimulatedClient(random, log, quotas) for _ in range(3)]

    for _ in range(random.randint(1, 9)):
        async with asyncio.TaskGroup() as tasks:
            # The others stay away, and come back after what happens meanwhile.
            for client in random.sample(clients, random.randint(1, len(clients))):
                replica = random.choice(replicas)
                tasks.create_task(_follow_for_a_while(client, replica, log.end, random.randint(1, 12)))
            for replica in replicas:
                for _ in range(random.randint(0, 4)):
                    await replica.step()
                if random.random() < 0.15:
                    await replica.rebuild()
        await _happen(random, log, replicas)
        if random.random() < 0.1:
            random.choice(clients).claim_unreachable_cursor()

    for replica in replicas:
        await replica.finish()
    for client in clients:
        async with asyncio.timeout(SECONDS_MAX):
            await client.follow(random.choice(replicas), log.end)
        assert not client.violations
        client.view.check_table()
        client.view.check_complete()
        assert client.view.table == log.table(log.end, client.interest)
    return clients


async def _happen(random: Random, log: SimulatedLog, replicas: list[Replica]) -> None:
    """Compact the log below what all tables have read but those in their first read, and delete a database."""
    read = [replica.store.positions for replica in replicas if replica.store.indexed.is_set()]
    compactions = random.choice((0, 0, 1, 3)) if read else 0
    for _ in range(compactions):
        first_reads = (r.began_after for r in replicas if not r.store.indexed.is_set())
        until = tuple(min(positions) for positions in zip(*read, strict=True))
        log.compact(random, until, min(first_reads, default=log.compactions))
    if random.random() < (0.6 if compactions else 0.2):
        await random.choice(replicas).forget()


async def _follow_for_a_while(client: SimulatedClient, replica: Replica, until: Positions, updates_max: int) -> None:
    """Cut a client off after `updates_max` updates, or when nothing more comes."""
    try:
        async with asyncio.timeout(0.05):
            await client.follow(replica, until, updates_max=updates_max)
    except TimeoutError:
        pass
