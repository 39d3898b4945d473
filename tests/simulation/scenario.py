"""One simulation: clients of two replicas, to both of which everything may happen."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from unittest import mock

from kvs_graphql.errors import Unavailable
from kvs_graphql.records import Positions
from kvs_graphql.store import WindowLimits
from kvs_graphql.watch import Quotas, WatchLimits
from tests.simulation.clients import SimulatedClient
from tests.simulation.cluster import Cluster
from tests.simulation.replicas import Replica

_PROGRESS_SECONDS = 0.005
_REFUSAL_SECONDS = 20.0
"""Virtual seconds after which every replica that gets records has heard that it may not read them."""
_SECONDS_MAX = 10_000
"""Virtual seconds in which everything ends once nothing is in its way."""


async def simulate(random: Random, directory: Path, table: str = "") -> list[SimulatedClient]:
    """Run a simulation to its end, check what its clients and its tables hold, and return the clients.

    `table` is the name of the table; empty for the only one of a service.
    """
    cluster = Cluster(random)
    limits = WindowLimits(random.choice((1, 3, 10, 1000)), random.choice((1, 50, 100_000)), random.choice((1, 3, 1000)))
    replicas = [Replica(random, cluster, directory / f"{n}.db", limits, table) for n in range(2)]
    cluster.write(random.randint(0, 30))
    async with AsyncExitStack() as stack:
        stack.enter_context(mock.patch("kvs_graphql.kafka.consumer.open_session", cluster.open_session))
        for replica in replicas:
            await replica.start()
            stack.push_async_callback(replica.stop)
        return await _simulate(random, cluster, replicas)


async def _simulate(random: Random, cluster: Cluster, replicas: list[Replica]) -> list[SimulatedClient]:
    watch_limits = WatchLimits(
        page_max=random.choice((1, 2, 100)),
        page_bytes_max=random.choice((1, 8, 1_000_000)),
        progress_seconds=_PROGRESS_SECONDS,
        arguments_bytes_max=1_000_000,
        pages_bytes_max=random.choice((1, 2_000, 1_000_000)),
        rows_max=random.choice((1, 3, 1_000)),
    )
    quotas = Quotas(watch_limits)
    clients = [SimulatedClient(random, cluster, quotas) for _ in range(3)]

    for _ in range(random.randint(1, 9)):
        async with asyncio.TaskGroup() as tasks:
            # The others stay away, and come back after what happens meanwhile.
            for client in random.sample(clients, random.randint(1, len(clients))):
                replica = random.choice(replicas)
                tasks.create_task(_follow_for_a_while(client, replica, cluster.log.end, random.randint(1, 12)))
            for _ in range(random.randint(0, 4)):
                await asyncio.sleep(random.choice((0.001, 0.005)))
                cluster.write(random.randint(0, 5))
            _happen_to_the_log(random, cluster)
        await _happen(random, cluster, replicas)
        if random.random() < 0.1:
            random.choice(clients).claim_unreachable_cursor()

    if random.random() < 0.7:
        # Without its tombstone, nothing that comes later mends a delete that was missed.
        await _outlast_tombstones(random, cluster, random.choice(replicas))
    await _settle(cluster, replicas)
    for client in clients:
        async with asyncio.timeout(_SECONDS_MAX):
            await client.follow(random.choice(replicas), cluster.log.end)
        assert not client.violations
        client.view.check_end()
    return clients


async def _follow_for_a_while(client: SimulatedClient, replica: Replica, until: Positions, updates_max: int) -> None:
    """Cut a client off after `updates_max` updates, or when nothing more comes."""
    if replica.serves:
        try:
            async with asyncio.timeout(0.05):
                await client.follow(replica, until, updates_max=updates_max)
        except (TimeoutError, Unavailable):
            pass


async def _happen(random: Random, cluster: Cluster, replicas: list[Replica]) -> None:
    """Let time pass, and much go wrong, while no client is there."""
    _take_and_give_rights(random, cluster)
    for replica in replicas:
        await _happen_to(random, replica)
    if random.random() < 0.3:
        await _outlast_tombstones(random, cluster, random.choice(replicas))
    if cluster.names_epochs and random.random() < 0.3:
        await _lose_records(random, cluster, random.choice(replicas))
    if random.random() < 0.2:
        cluster.set_clock()
    for _ in range(random.choice((1, 1, 2, 3))):
        await asyncio.sleep(random.choice((0, 0, 1, 10, 30, 60, 101, 130)))
        cluster.write(random.randint(0, 5))
        _happen_to_the_log(random, cluster)
    _check_readiness(cluster, replicas)
    for replica in replicas:
        if random.random() < 0.7:
            await replica.resume()


async def _outlast_tombstones(random: Random, cluster: Cluster, replica: Replica) -> None:
    """Let a replica be away, or read nothing, for about as long as Kafka keeps tombstones; forget some meanwhile.

    Its database may be deleted.
    """
    await random.choice((replica.stop, replica.halt, replica.forget))()
    cluster.write(8)
    cluster.compact()
    await asyncio.sleep(random.choice((60, 90, 101, 110, 130)))
    cluster.compact()
    cluster.compact()
    replica.clock.jump()
    await replica.resume()


async def _lose_records(random: Random, cluster: Cluster, replica: Replica) -> None:
    """Let records be written and read that the log then lacks; a replica may be down by then."""
    cluster.write(8)
    await asyncio.sleep(1)
    if random.random() < 0.5:
        await replica.stop()
    cluster.cut(random.choice((0, 3, 20)))


def _happen_to_the_log(random: Random, cluster: Cluster) -> None:
    """Cut the log short, compact it, and let partitions have other leaders."""
    # Without epochs, nobody can know of a log that was cut short once it has grown again.
    if cluster.names_epochs and random.random() < 0.15:
        cluster.cut(random.choice((0, 3, 20)))
    for _ in range(random.choice((0, 1, 1, 3))):
        cluster.compact()
    if random.random() < 0.15:
        cluster.elect()


def _take_and_give_rights(random: Random, cluster: Cluster) -> None:
    """READ, DESCRIBE_CONFIGS, and the way to the brokers."""
    before = cluster.readable, cluster.describable, cluster.reachable
    reading, describing, reaching = (random.random() < (0.9 if allowed else 0.5) for allowed in before)
    cluster.allow(reading=reading, describing=describing, reaching=reaching)


def _check_readiness(cluster: Cluster, replicas: list[Replica]) -> None:
    """Check that no replica says that it is ready while it may not read the topic."""
    if cluster.refuses_since is not None:
        by_now = asyncio.get_running_loop().time() - _REFUSAL_SECONDS
        for replica in replicas:
            assert not replica.is_ready or max(cluster.refuses_since, replica.started_at) > by_now


async def _happen_to(random: Random, replica: Replica) -> None:
    """Kill a replica, delete its database, set its clock, or let its fetches hang."""
    event = random.choice(("", "", "", "kill", "restart", "forget", "clock", "halt"))
    if event == "halt":
        await replica.halt()
    elif event == "clock":
        replica.clock.jump()
    elif event:
        await (replica.forget() if event == "forget" else replica.stop())
        if event == "restart":
            await replica.start()


async def _settle(cluster: Cluster, replicas: list[Replica]) -> None:
    """Take everything out of the way, and wait until the tables are what the log adds up to."""
    cluster.allow()
    cluster.records_max = 1_000
    if not cluster.names_epochs:
        cluster.cut(0)
    for replica in replicas:
        await replica.resume()
    async with asyncio.timeout(_SECONDS_MAX):
        for replica in replicas:
            await replica.until_right()
