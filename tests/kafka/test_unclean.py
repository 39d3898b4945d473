"""An unclean leader election: a replica that lacks records which the service has read becomes the leader."""

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.kafka.broker import QUICK_START, KafkaBroker
from tests.kafka.produce import produce
from tests.kafka.rebuilds import assert_clients_are_reset, assert_rebuilt, served_once, states_of
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


def without_follower(cluster: tuple[KafkaBroker, KafkaBroker, KafkaBroker], topic: str) -> KafkaBroker:
    """Create a topic with 50 records on two replicas, and kill the follower; return the controller."""
    controller, leader, follower = cluster
    controller.place_topic(topic, [[leader.node, follower.node]], **UNCLEAN)
    produce(controller.bootstrap_servers, topic, keys("both", 50))
    follower.kill()
    return controller


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
    controller = without_follower(cluster, topic)
    await served_once(controller, topic, tmp_path, keys("lost", 50))
    await asyncio.to_thread(lose_records, cluster, topic)
    async with serving(controller.bootstrap_servers, topic, tmp_path) as served:
        live = await assert_rebuilt(served, controller, topic, states_of(served), "cut short and grew again")
    assert live == {key for key, _ in keys("both", 50) + keys("other", 80)}


async def test_clients_are_reset_when_an_unclean_leader_lacks_what_they_hold(
    cluster: tuple[KafkaBroker, KafkaBroker, KafkaBroker], topic: str, tmp_path: Path
) -> None:
    controller = without_follower(cluster, topic)
    produce(controller.bootstrap_servers, topic, keys("lost", 50))
    before, after = (
        dict.fromkeys((key.decode() for key, _ in some), "1")
        for some in (keys("both", 50) + keys("lost", 50), keys("both", 50) + keys("other", 80))
    )
    lose = partial(lose_records, cluster, topic)
    await assert_clients_are_reset(controller, topic, tmp_path, lose, before=before, after=after)
