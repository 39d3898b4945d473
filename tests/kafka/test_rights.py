"""What the service does on a broker that creates topics when asked about them, and that gives and takes rights."""

import asyncio
from collections.abc import Collection
from pathlib import Path

import pytest
from confluent_kafka.admin import AclOperation

from kvs_graphql.state import State
from tests.deadline import SECONDS_MAX
from tests.kafka.equality import assert_equal_to_the_log
from tests.kafka.produce import produce
from tests.kafka.secured import PASSWORD, USER, SecuredBroker
from tests.kafka.test_trouble import until_not_ready, until_ready
from tests.serving import serving

pytestmark = pytest.mark.kafka

# More than aiokafka's refreshes after a failed fetch need.
REFRESHES = 5
READING = (AclOperation.DESCRIBE, AclOperation.READ, AclOperation.DESCRIBE_CONFIGS)
LOGIN = {"kafka_security_protocol": "SASL_PLAINTEXT", "kafka_username": USER, "kafka_password": PASSWORD}


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


@pytest.mark.parametrize("kept", [(), (AclOperation.DESCRIBE,)])
async def test_table_is_served_unready_while_its_right_to_read_is_taken_away(
    secured_broker: SecuredBroker, topic: str, tmp_path: Path, kept: Collection[AclOperation]
) -> None:
    """The state and `/readyz` say why, and the service goes on by itself when the right is back."""
    await asyncio.to_thread(secured_broker.create_topic, topic, 2, cleanup_policy="compact")
    await asyncio.to_thread(secured_broker.allow, topic, *READING)
    produce(secured_broker.bootstrap_servers, topic, [(b"a", b"1")])
    async with serving(secured_broker.sasl_servers, topic, tmp_path, **LOGIN) as served:
        await assert_equal_to_the_log(served, secured_broker, topic)
        await until_ready(served.http)
        taken = [right for right in READING if right not in kept]
        await asyncio.to_thread(secured_broker.revoke, topic, *taken)
        produce(secured_broker.bootstrap_servers, topic, [(b"a", b"2"), (b"b", b"2")])
        async with asyncio.timeout(SECONDS_MAX):
            await served.reason(f"no access: localhost:{secured_broker.sasl_servers.rpartition(':')[2]}")
        assert f"lacks rights on topic '{topic}'" in served.run.lifecycle.moment.reason
        ready = list[bool]()
        served.run.lifecycle.listen(lambda _: ready.append(served.run.lifecycle.ready))
        async with asyncio.timeout(SECONDS_MAX):
            begun = served.run.lifecycle.refreshes.begun
            while served.run.lifecycle.refreshes.begun < begun + REFRESHES:  # noqa: ASYNC110 - wakes nobody
                await asyncio.sleep(0.05)
        assert not any(ready)
        assert (await until_not_ready(served.http))["lag"] >= 0
        assert await served.data('{ value(key: "a") { value } }') == {"value": {"value": "1"}}
        await asyncio.to_thread(secured_broker.allow, topic, *taken)
        await assert_equal_to_the_log(served, secured_broker, topic)
        await until_ready(served.http)


@pytest.mark.parametrize("length", [1, 248, 249])
async def test_topic_name_of_any_legal_length_is_served(
    secured_broker: SecuredBroker, tmp_path: Path, length: int
) -> None:
    name = ("Az09._-" * 36)[:length]
    await asyncio.to_thread(secured_broker.create_topic, name)
    produce(secured_broker.bootstrap_servers, name, [(b"a", b"1")])
    async with serving(secured_broker.bootstrap_servers, name, tmp_path) as served:
        await assert_equal_to_the_log(served, secured_broker, name)
        async with asyncio.timeout(SECONDS_MAX):
            await served.state(State.LIVE)
