"""Subscriptions on real services and a real broker under load, checked by the checkers of the simulation."""

import asyncio
import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from contextlib import aclosing
from pathlib import Path

import pytest

from kvs_graphql.client import connect
from kvs_graphql.cursor import Cursor
from kvs_graphql.feed import Kind
from kvs_graphql.records import Interest, covers
from tests.checkers import Log
from tests.deadline import SECONDS_MAX
from tests.kafka.broker import KafkaBroker
from tests.kafka.live_client import LiveClient, check_updates, log_of, watching
from tests.kafka.load import loading
from tests.kafka.produce import produce
from tests.kafka.replica import POLL_SECONDS, Replica, replica
from tests.kafka.truth import read_truth
from tests.serving import Served, nothing_applied, serving

pytestmark = pytest.mark.kafka

# One client watches everything, the other a few keys of the load.
INTERESTS = (Interest(), Interest(frozenset((b"key-1", b"key-7", b"key-33"))))
PARTITIONS = 3
# Small batches, so that many moments lie between two of them.
SETTINGS = {"batch_records_max": 20, "progress_seconds": 0.3}


def id_of(broker: KafkaBroker, topic: str) -> bytes:
    """Return the topic's id as it is in cursors."""
    return urlsafe_b64decode(broker.topic_id(topic) + "==")


def send(clients: list[LiveClient], url: str | None) -> None:
    for client in clients:
        client.go_to(url)


async def assert_updates_match_the_log(
    broker: KafkaBroker, topic: str, clients: list[LiveClient], earlier: Mapping[bytes, Log] | None = None
) -> None:
    """Wait until each client is at the end; check its updates and its final table against an independent reading."""
    servers, topic_id = broker.bootstrap_servers, id_of(broker, topic)
    log, truth = await asyncio.to_thread(log_of, servers, topic), await asyncio.to_thread(read_truth, servers, topic)
    for client in clients:
        await client.reached(Cursor(topic_id, log.end))
        held = check_updates(client, {**(earlier or {}), topic_id: log})
        assert held == {key: value for key, value in truth.live.items() if client.interest.matches(key)}


async def test_subscribers_miss_nothing_while_the_service_is_killed_repeatedly(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    kafka_broker.create_topic(topic, PARTITIONS)
    servers = kafka_broker.bootstrap_servers
    async with (
        replica(servers, topic, tmp_path, **SETTINGS) as service,
        watching(service.url, *INTERESTS) as clients,
    ):
        async with loading(servers, topic, seed=1) as load:
            for _ in range(3):
                await clients[0].received_more(100)
                service.kill()
                await load.more(50)
                await service.start()
            await clients[0].received_more(100)
        await assert_updates_match_the_log(kafka_broker, topic, clients)
    assert clients[0].count(Kind.LIVE) > 3
    assert clients[0].count(Kind.CONFLATED) == clients[0].count(Kind.RESET) == 0


async def test_subscribers_miss_nothing_when_they_move_to_replicas_behind_and_ahead(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    kafka_broker.create_topic(topic, PARTITIONS)
    servers = kafka_broker.bootstrap_servers
    async with (
        replica(servers, topic, tmp_path / "one", **SETTINGS) as one,
        watching(one.url, *INTERESTS) as clients,
    ):
        async with loading(servers, topic, seed=2) as load:
            await clients[0].received_more(200)
            for _ in range(2):
                async with replica(servers, topic, tmp_path / "two", **SETTINGS) as two:
                    with nothing_applied(tmp_path / "two"):
                        await clients[0].received_more(20)
                        assert not covers(await two.positions(), clients[0].positions)
                        send(clients, two.url)
                        await subscribed(two, len(clients))
                    await clients[0].received_more(50)
                    send(clients, None)
                    await load.more(100)
                    await one.applied(tuple((await asyncio.to_thread(kafka_broker.end_offsets, topic)).values()))
                assert not covers(clients[0].positions, await one.positions())
                send(clients, one.url)
                await clients[0].received_more(50)
        await assert_updates_match_the_log(kafka_broker, topic, clients)
    assert clients[0].count(Kind.CONFLATED) == clients[0].count(Kind.RESET) == 0


@pytest.mark.parametrize(("window_changes_max", "conflated"), [(100_000, False), (50, True)])
async def test_subscribers_resume_or_get_conflated_after_a_replicas_database_was_deleted(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path, window_changes_max: int, conflated: bool
) -> None:
    kafka_broker.create_topic(topic, PARTITIONS)
    servers = kafka_broker.bootstrap_servers
    window = {"window_changes_max": window_changes_max, "feed_changes_max": window_changes_max}
    async with (
        replica(servers, topic, tmp_path / "one", **SETTINGS) as one,
        replica(servers, topic, tmp_path / "two", **SETTINGS, **window) as two,
        watching(one.url, *INTERESTS) as clients,
    ):
        async with loading(servers, topic, seed=3) as load:
            await clients[0].received_more(200)
            await two.applied(clients[0].positions)
            two.kill()
            two.forget()
            send(clients, None)
            await load.more(200)
            await two.start()
            await two.applied(tuple((await asyncio.to_thread(kafka_broker.end_offsets, topic)).values()))
            send(clients, two.url)
            await clients[0].received_more(50)
        await assert_updates_match_the_log(kafka_broker, topic, clients)
    assert (clients[0].count(Kind.CONFLATED) > 0) is conflated
    assert clients[0].count(Kind.RESET) == 0


async def test_subscribers_are_reset_and_see_all_of_a_recreated_topic(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    kafka_broker.create_topic(topic, PARTITIONS)
    servers = kafka_broker.bootstrap_servers
    async with (
        replica(servers, topic, tmp_path, **SETTINGS) as service,
        watching(service.url, *INTERESTS) as clients,
    ):
        async with loading(servers, topic, seed=4):
            await clients[0].received_more(200)
        earlier = {id_of(kafka_broker, topic): await asyncio.to_thread(log_of, servers, topic)}
        await asyncio.to_thread(kafka_broker.delete_topic, topic)
        await asyncio.to_thread(kafka_broker.create_topic, topic, PARTITIONS)
        async with loading(servers, topic, seed=5) as load:
            await load.more(200)
        await assert_updates_match_the_log(kafka_broker, topic, clients, earlier)
    assert all(client.count(Kind.RESET) for client in clients)


async def test_subscriber_sees_each_of_1000_changes_in_one_batch_and_live_query_ends_at_the_last(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    kafka_broker.create_topic(topic, 1)
    servers = kafka_broker.bootstrap_servers
    changes = [(b"hot", b"%d" % number) for number in range(1_000)]
    async with (
        serving(servers, topic, tmp_path) as served,
        watching(served.run.url, Interest(frozenset((b"hot",)))) as (client,),
        connect(served.run.url) as asking,
        aclosing(asking.subscribe('subscription { value(key: "hot") { value } }')) as results,
        asyncio.timeout(SECONDS_MAX),
    ):
        assert await anext(results) == {"value": None}
        await client.reached(Cursor(id_of(kafka_broker, topic), (0,)))
        before = await commits(served)
        # One transaction, so that all of them become readable at once.
        await asyncio.to_thread(produce, servers, topic, changes, transactional_id=topic)
        await client.reached(Cursor(id_of(kafka_broker, topic), (1_000,)))
        assert [(b"hot", u.record.value) for u in client.updates if u.record is not None] == changes
        assert [u.record.offset for u in client.updates if u.record is not None] == list(range(1_000))
        while await anext(results) != {"value": {"value": "999"}}:
            pass
        # A second one may move the position past the end of the transaction.
        assert await commits(served) - before <= 2


async def subscribed(service: Replica, subscriptions: int) -> None:
    """Return once the service has so many subscriptions."""
    async with asyncio.timeout(SECONDS_MAX):
        shown = 0
        while shown < subscriptions:
            await asyncio.sleep(POLL_SECONDS)
            shown = (await service.data("{ status { subscribers } }"))["status"]["subscribers"]


async def commits(served: Served) -> float:
    """Return how many transactions the table has had."""
    metrics = (await served.http.get("/metrics")).text
    found = re.search(r'^kvs_commit_seconds_count\{table=""\} (\S+)$', metrics, re.MULTILINE)
    assert found is not None
    return float(found[1])
