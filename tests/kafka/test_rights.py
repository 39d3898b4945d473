"""What the service does on a broker that creates topics when asked about them, and that gives and takes rights."""

import asyncio
from pathlib import Path

import pytest

from kvs_graphql.state import State
from tests.deadline import SECONDS_MAX
from tests.kafka.equality import assert_equal_to_the_log
from tests.kafka.produce import produce
from tests.kafka.secured import SecuredBroker
from tests.serving import serving

pytestmark = pytest.mark.kafka

# More than aiokafka's refreshes after a failed fetch need.
REFRESHES = 5


async def test_deleted_topic_stays_deleted_until_its_owner_creates_it(
    secured_broker: SecuredBroker, topic: str, tmp_path: Path
) -> None:
    servers = secured_broker.bootstrap_servers
    secured_broker.create_topic(topic, 3, cleanup_policy="compact")
    produce(servers, topic, [(b"a", b"1")])
    async with serving(servers, topic, tmp_path, enable_writes=True, write_seconds_max=1) as served:
        await assert_equal_to_the_log(served, secured_broker, topic)
        assert "errors" not in await served.query('mutation { set(key: "b", value: "1") { offset } }')
        await asyncio.to_thread(secured_broker.delete_topic, topic)
        async with asyncio.timeout(SECONDS_MAX):
            await served.state(State.WAITING_FOR_TOPIC)
            begun = served.run.lifecycle.refreshes.begun
            while served.run.lifecycle.refreshes.begun < begun + REFRESHES:  # noqa: ASYNC110 - wakes nobody
                await asyncio.sleep(0.05)
        assert "errors" in await served.query('mutation { set(key: "b", value: "2") { offset } }')
        assert served.run.lifecycle.moment.state is State.WAITING_FOR_TOPIC
        assert topic not in await asyncio.to_thread(secured_broker.topics)
        await asyncio.to_thread(secured_broker.create_topic, topic, 2, cleanup_policy="compact")
        produce(servers, topic, [(b"a", b"3")])
        await assert_equal_to_the_log(served, secured_broker, topic)
