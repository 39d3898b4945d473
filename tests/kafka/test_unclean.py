"""An unclean leader election: a replica that lacks records which the service has read becomes the leader."""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from kvs_graphql.client import connect
from kvs_graphql.state import State
from tests.deadline import SECONDS_MAX
from tests.kafka.broker import QUICK_START, KafkaBroker
from tests.kafka.equality import assert_equal_to_the_log
from tests.kafka.produce import produce
from tests.kafka.test_rebuild import AT_LEAST, first_update_after, served_once, states_of, until_live
from tests.kafka.topics import wait_until
from tests.serving import serving

pytestmark = pytest.mark.kafka

HEAP_MEGABYTES = 256
# How often the controller looks for partitions that only an unclean election gives a leader; else every five minutes.
OFTEN = {"unclean.leader.election.interval.ms": "500"}
UNCLEAN = {"unclean.leader.election.enable": "true", "min.insync.replicas": "1"}


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[KafkaBroker, KafkaBroker, KafkaBroker]]:
    """A controller and two brokers for the replicas."""
    controller = KafkaBroker(tmp_path / "controller", OFTEN, heap_megabytes=HEAP_MEGABYTES, java_options=QUICK_START)
    brokers = [controller]
    for node in (2, 3):
        broker = KafkaBroker(
            tmp_path / str(node),
            {"node.id": str(node)},
            heap_megabytes=HEAP_MEGABYTES,
            java_options=QUICK_START,
            joins=controller,
        )
        broker.node = node
        brokers.append(broker)
    try:
        for broker in brokers:
            broker.start()
        # Kafka would place this topic of its own anywhere: on the leader that is killed, nobody could lead it any more.
        controller.place_topic("__consumer_offsets", [[controller.node]], cleanup_policy="compact")
        yield brokers[0], brokers[1], brokers[2]
    finally:
        for broker in reversed(brokers):
            broker.stop()


def keys(prefix: str, number: int) -> list[tuple[bytes, bytes]]:
    return [(f"{prefix}{n}".encode(), b"1") for n in range(number)]


def lose_records(cluster: tuple[KafkaBroker, KafkaBroker, KafkaBroker], topic: str) -> None:
    """Let the follower, which is down and lacks records, lead alone, and take others in their place."""
    controller, leader, follower = cluster
    leader.kill()
    follower.start()
    wait_until(lambda: controller.leaders(topic) == {0: follower.node}, "the follower leads")
    produce(controller.bootstrap_servers, topic, keys("other", 80))


async def test_unclean_leader_while_the_service_was_down_is_noticed(
    cluster: tuple[KafkaBroker, KafkaBroker, KafkaBroker], topic: str, tmp_path: Path
) -> None:
    controller, leader, follower = cluster
    servers = controller.bootstrap_servers
    controller.place_topic(topic, [[leader.node, follower.node]], **UNCLEAN)
    produce(servers, topic, keys("both", 50))
    follower.kill()
    await served_once(controller, topic, tmp_path, keys("lost", 50))
    await asyncio.to_thread(lose_records, cluster, topic)
    async with serving(servers, topic, tmp_path) as served:
        moments = states_of(served)
        await served.state(State.LIVE)
        truth = await assert_equal_to_the_log(served, controller, topic)
        assert set(truth.live) == {key for key, _ in keys("both", 50) + keys("other", 80)}
        assert any("cut short and grew again" in m.reason for m in moments)


async def test_clients_are_reset_when_an_unclean_leader_lacks_what_they_hold(
    cluster: tuple[KafkaBroker, KafkaBroker, KafkaBroker], topic: str, tmp_path: Path
) -> None:
    controller, leader, follower = cluster
    servers = controller.bootstrap_servers
    controller.place_topic(topic, [[leader.node, follower.node]], **UNCLEAN)
    produce(servers, topic, keys("both", 50))
    follower.kill()
    produce(servers, topic, keys("lost", 50))
    async with (
        asyncio.timeout(SECONDS_MAX),
        serving(servers, topic, tmp_path) as served,
        connect(served.run.url) as client,
    ):
        await served.state(State.LIVE)
        cursor = (await served.query("{ status { entries } }"))["extensions"]["cursor"]
        snapshot = "subscription { updates(snapshot: true) { kind key entry { value } } }"
        async with aclosing(client.subscribe(snapshot)) as events:  # type: ignore[type-var]
            assert len(await until_live(events)) == 100
            await asyncio.to_thread(lose_records, cluster, topic)
            assert (await anext(events))["updates"]["kind"] == "RESET"
            held = await until_live(events)
            while len(held) < 130:
                update = (await anext(events))["updates"]
                held[update["key"]] = update["entry"]["value"]
        assert set(held) == {key.decode() for key, _ in keys("both", 50) + keys("other", 80)}
        await assert_equal_to_the_log(served, controller, topic)
        assert await first_update_after(client, cursor) == "RESET"
        assert await served.code(AT_LEAST, cursor=cursor) == "BAD_CURSOR"
