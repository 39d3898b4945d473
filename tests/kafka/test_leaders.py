"""A cluster of two brokers whose partition leaders move or go away."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kvs_graphql.compat.aiokafka import consumer_client
from kvs_graphql.kafka.connection import KafkaConnection
from kvs_graphql.kafka.consumer_session import open_session
from kvs_graphql.state import State
from tests.deadline import SECONDS_MAX
from tests.kafka.broker import QUICK_START, KafkaBroker
from tests.kafka.equality import assert_equal_to_the_log
from tests.kafka.load import loading
from tests.kafka.produce import produce
from tests.kafka.test_writes import SET, VALUE
from tests.kafka.truth import read_log
from tests.serving import Served, nothing_applied, serving

pytestmark = pytest.mark.kafka

# Longer than it takes to replace a crashed leader.
WRITE_SECONDS_MAX = 20.0
HEAP_MEGABYTES = 256
RACKS = {"replica.selector.class": "org.apache.kafka.common.replica.RackAwareReplicaSelector"}
STATUS = "{ status { tables { ready state reason since lag partitions { position endOffset lag } } } }"


@dataclass(frozen=True)
class Cluster:
    """Two brokers, of which the first is the controller."""

    first: KafkaBroker
    second: KafkaBroker

    @property
    def servers(self) -> str:
        return f"{self.first.bootstrap_servers},{self.second.bootstrap_servers}"


@pytest.fixture(scope="module")
def two_brokers(kafka_broker: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two brokers for this module only: other tests read the files of their broker, and need a cluster of one."""
    assert kafka_broker.running
    directory = tmp_path_factory.mktemp("cluster")
    options: dict[str, Any] = {"heap_megabytes": HEAP_MEGABYTES, "java_options": QUICK_START}
    first = KafkaBroker(directory / "first", {"broker.rack": "north", **RACKS}, **options)
    second = KafkaBroker(directory / "second", {"broker.rack": "south", **RACKS}, **options, joins=first)
    try:
        first.start()
        second.start()
        yield Cluster(first, second)
    finally:
        second.stop()
        first.stop()


@pytest.fixture
def cluster(two_brokers: Cluster) -> Cluster:
    """Both brokers, running again whatever the test before did to them."""
    if not two_brokers.second.running:
        two_brokers.second.start()
    return two_brokers


@dataclass
class Visitor:
    """A client that reads and writes one key all the time."""

    served: Served
    acknowledged: dict[tuple[int, int], str] = field(default_factory=dict)
    """Written values by partition and offset."""
    refused: list[str] = field(default_factory=list)
    reads: int = 0
    """How many reads were answered."""

    async def write(self) -> None:
        for number in range(10_000):
            value = f"{number}"
            answer = await self.served.query(SET, key="own", value=value)
            if "errors" not in answer:
                cursor = answer["data"]["set"]
                self.acknowledged[cursor["partition"], cursor["offset"]] = value
            elif answer["errors"][0]["extensions"]["code"] == "KAFKA_UNAVAILABLE":
                self.refused.append(value)
            else:
                assert answer["errors"][0]["extensions"]["code"] == "WRITE_OUTCOME_UNKNOWN"
            await asyncio.sleep(0.02)

    async def read(self) -> None:
        while True:
            await self.served.data(VALUE, key="own")
            self.reads += 1
            await asyncio.sleep(0.02)

    async def wrote_more(self) -> None:
        """Return once one more write was acknowledged."""
        before = len(self.acknowledged)
        async with asyncio.timeout(2 * WRITE_SECONDS_MAX):
            while len(self.acknowledged) == before:  # noqa: ASYNC110 - the writes of a task wake nobody
                await asyncio.sleep(0.02)


@asynccontextmanager
async def visiting(served: Served) -> AsyncIterator[Visitor]:
    visitor = Visitor(served)
    async with asyncio.TaskGroup() as tasks:
        work = [tasks.create_task(visitor.write()), tasks.create_task(visitor.read())]
        yield visitor
        for task in work:
            task.cancel()


async def test_records_and_writes_continue_while_leaders_move(cluster: Cluster, topic: str, tmp_path: Path) -> None:
    cluster.first.place_topic(topic, [[2, 1]] * 3)
    options = {"enable_writes": True, "write_seconds_max": WRITE_SECONDS_MAX, "window_changes_max": 10**6}
    async with serving(cluster.servers, topic, tmp_path, **options) as served:
        async with loading(cluster.servers, topic, seed=1) as load, visiting(served) as visitor:

            async def goes_on() -> None:
                await load.more(200)
                await visitor.wrote_more()
                await served.applied(tuple((await asyncio.to_thread(cluster.first.stable_end_offsets, topic)).values()))

            await goes_on()
            await asyncio.to_thread(cluster.second.stop)
            assert set(cluster.first.leaders(topic).values()) == {1}
            await goes_on()
            await asyncio.to_thread(cluster.second.start)
            await asyncio.to_thread(cluster.first.lead_by, topic, 2)
            await goes_on()
            await asyncio.to_thread(cluster.second.kill)
            reads = visitor.reads
            while set((await asyncio.to_thread(cluster.first.leaders, topic)).values()) != {1}:
                pass
            assert visitor.reads > reads
            await goes_on()
            await asyncio.to_thread(cluster.second.start)
        await assert_equal_to_the_log(served, cluster.first, topic)
        async with asyncio.timeout(SECONDS_MAX):
            await served.state(State.LIVE)
    log = await asyncio.to_thread(read_log, cluster.servers, topic)
    written = {
        (p, r.offset): (r.value or b"").decode() for p, records in log.items() for r in records if r.key == b"own"
    }
    assert visitor.acknowledged.items() <= written.items()
    assert not {*visitor.refused} & {*written.values()}
    with closing(sqlite3.connect(tmp_path / "kvs.db")) as connection:
        applied = connection.execute("SELECT count(*), count(DISTINCT partition << 40 | offset) FROM change").fetchone()
    records = sum(map(len, log.values()))
    assert applied == (records, records)


async def test_status_names_a_partition_without_a_leader_and_shows_lag(
    cluster: Cluster, topic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kvs_graphql.kafka.connection.REQUEST_TIMEOUT_MS", 2_000)
    cluster.first.place_topic(topic, [[2]])
    produce(cluster.servers, topic, [(b"a", b"1")])
    # A fetch returns one batch of at most a megabyte, so the service cannot fetch far ahead.
    slow = {"batch_records_max": 10, "fetch_bytes_max": 1_000, "metadata_refresh_seconds": 0.1}
    async with serving(cluster.servers, topic, tmp_path, **slow) as served:
        await assert_equal_to_the_log(served, cluster.first, topic)
        async with asyncio.timeout(SECONDS_MAX):
            await served.state(State.LIVE)
        assert (await served.http.get("/readyz")).json()["lag"] == 0
        with nothing_applied(tmp_path):
            produce(cluster.servers, topic, [(b"b%d" % number, bytes(20_000)) for number in range(500)])
            async with asyncio.timeout(SECONDS_MAX):
                while served.run.progress.end < 501:  # noqa: ASYNC110 - a new end offset wakes nobody
                    await asyncio.sleep(0.01)
            gone_at = datetime.now(UTC)
            await asyncio.to_thread(cluster.second.kill)
        async with asyncio.timeout(SECONDS_MAX):
            await served.reason(f"no broker leads partition 0 of topic '{topic}'")
        seen_at = datetime.now(UTC)
        (found,) = (await served.data(STATUS))["status"]["tables"]
        readyz = await served.http.get("/readyz")
        assert (readyz.status_code, readyz.json()["ready"], found["ready"]) == (200, True, True)
        for answer in (found, readyz.json()):
            assert answer["state"] == "WAITING_FOR_BROKER"
            assert answer["lag"] == 501 - found["partitions"][0]["position"] > 0
            assert gone_at <= datetime.fromisoformat(answer["since"]) <= seen_at
        assert await served.data('{ value(key: "a") { value } }') == {"value": {"value": "1"}}
        await asyncio.to_thread(cluster.second.start)
        await assert_equal_to_the_log(served, cluster.first, topic)
        async with asyncio.timeout(SECONDS_MAX):
            await served.state(State.LIVE)
        assert (await served.http.get("/readyz")).json()["lag"] == 0


async def test_new_leader_is_asked_for_the_topic_id(cluster: Cluster, topic: str) -> None:
    cluster.first.place_topic(topic, [[2, 1]])
    await asyncio.to_thread(cluster.second.stop)
    await asyncio.to_thread(cluster.second.start)
    async with open_session(KafkaConnection(cluster.servers), topic, fetch_bytes_max=1_000_000) as session:
        session.consumer.seek(session.partitions[0], 0)
        async with asyncio.timeout(SECONDS_MAX):
            while not await session.topic_ids.identities():
                await session.consumer.getmany(timeout_ms=100)
        assert await session.topic_ids.identities() == {1: session.identity}
        await asyncio.to_thread(cluster.first.lead_by, topic, 2)
        produce(cluster.servers, topic, [(b"a", b"1")])
        # The consumer itself refreshes every few minutes only; until then a follower serves it.
        await consumer_client(session.consumer).force_metadata_update()
        async with asyncio.timeout(SECONDS_MAX):
            while not await session.consumer.getmany(timeout_ms=100):
                pass
        assert await session.topic_ids.identities() == {1: session.identity, 2: session.identity}


@pytest.mark.parametrize(("rack", "brokers"), [("south", {1, 2}), ("west", {1}), (None, {1})])
async def test_records_are_read_from_a_replica_in_the_same_rack(
    cluster: Cluster, topic: str, rack: str | None, brokers: set[int]
) -> None:
    """The leader is asked first, and names the replica (KIP-392)."""
    cluster.first.place_topic(topic, [[1, 2]])
    async with open_session(KafkaConnection(cluster.servers, rack=rack), topic, fetch_bytes_max=1_000_000) as session:
        session.consumer.seek(session.partitions[0], 0)
        async with asyncio.timeout(SECONDS_MAX):
            while set(await session.topic_ids.identities()) != brokers:
                await session.consumer.getmany(timeout_ms=100)
            produce(cluster.servers, topic, [(b"a", b"1")])
            while not await session.consumer.getmany(timeout_ms=100):
                pass
        assert await session.topic_ids.identities() == dict.fromkeys(brokers, session.identity)


async def test_table_that_is_read_from_a_follower_is_equal_to_the_log(
    cluster: Cluster, topic: str, tmp_path: Path
) -> None:
    cluster.first.place_topic(topic, [[1, 2], [2, 1]])
    async with serving(cluster.servers, topic, tmp_path, enable_writes=True, kafka_rack="south") as served:
        async with asyncio.timeout(SECONDS_MAX):
            await served.state(State.LIVE)
        for number in range(20):
            assert "errors" not in await served.query(SET, key=f"key {number}", value="1")
        await assert_equal_to_the_log(served, cluster.first, topic)
