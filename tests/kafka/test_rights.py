"""What the service does on a broker that creates topics when asked about them, and that gives and takes rights."""

import asyncio
import re
import sqlite3
from collections.abc import Collection
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AclOperation
from structlog.testing import capture_logs

from kvs_graphql.state import State
from tests.cli.test_read import ended
from tests.deadline import SECONDS_MAX
from tests.kafka.equality import assert_equal_to_the_log
from tests.kafka.produce import produce
from tests.kafka.secured import PASSWORD, USER, SecuredBroker
from tests.kafka.test_trouble import until_not_ready, until_ready
from tests.kafka.topics import wait_until
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
            begun = served.run.unit().lifecycle.refreshes.begun
            while served.run.unit().lifecycle.refreshes.begun < begun + REFRESHES:  # noqa: ASYNC110 - wakes nobody
                await asyncio.sleep(0.05)
        assert "errors" in await served.query('mutation { set(key: "b", value: "2") { offset } }')
        assert served.run.unit().lifecycle.moment.state is State.WAITING_FOR_TOPIC
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
        async with asyncio.timeout(SECONDS_MAX):
            await served.reason(f"no access: {secured_broker.sasl_servers}: ")
        # Only now: a fetch that was under way when the right was taken away would still bring these.
        produce(secured_broker.bootstrap_servers, topic, [(b"a", b"2"), (b"b", b"2")])
        assert f"lacks rights on topic '{topic}'" in served.run.unit().lifecycle.moment.reason
        ready = list[bool]()
        served.run.unit().lifecycle.listen(lambda _: ready.append(served.run.unit().lifecycle.ready))
        async with asyncio.timeout(SECONDS_MAX):
            begun = served.run.unit().lifecycle.refreshes.begun
            while served.run.unit().lifecycle.refreshes.begun < begun + REFRESHES:  # noqa: ASYNC110 - wakes nobody
                await asyncio.sleep(0.05)
        assert not any(ready)
        assert (await until_not_ready(served.http))["lag"] >= 0
        assert await served.data('{ value(key: "a") { value } }') == {"value": {"value": "1"}}
        await asyncio.to_thread(secured_broker.allow, topic, *taken)
        await assert_equal_to_the_log(served, secured_broker, topic)
        await until_ready(served.http)


async def test_compaction_is_unknown_without_the_right_to_see_it_and_one_warning_names_it(
    secured_broker: SecuredBroker, topic: str, tmp_path: Path
) -> None:
    servers = secured_broker.sasl_servers
    await asyncio.to_thread(secured_broker.create_topic, topic, 1, cleanup_policy="delete")
    await asyncio.to_thread(secured_broker.allow, topic, AclOperation.READ)
    produce(secured_broker.bootstrap_servers, topic, [(b"a", b"1"), (b"b", b"1"), (b"b", None)])
    with capture_logs() as logged:
        async with serving(servers, topic, tmp_path, **LOGIN) as served:
            await assert_equal_to_the_log(served, secured_broker, topic)
            assert (await served.data("{ status { tables { compacted } } }"))["status"] == {
                "tables": [{"compacted": None}]
            }
            await asyncio.to_thread(secured_broker.add_partitions, topic, 2)
            async with asyncio.timeout(SECONDS_MAX):
                while len(served.run.unit().lifecycle.end_offsets) < 2:  # noqa: ASYNC110 - wakes nobody
                    await asyncio.sleep(0.05)
        right = f"the user lacks the right DESCRIBE_CONFIGS on topic '{topic}'"
        assert [line["reason"] for line in logged if "configuration" in line["event"]] == [right]
    await asyncio.to_thread(secured_broker.allow, topic, AclOperation.DESCRIBE_CONFIGS)
    async with serving(servers, topic, tmp_path, **LOGIN) as served:
        await assert_equal_to_the_log(served, secured_broker, topic)
        assert (await served.data("{ status { tables { compacted } } }"))["status"] == {
            "tables": [{"compacted": False}]
        }


async def test_writing_takes_write_on_the_topic_and_no_right_on_the_cluster(
    secured_broker: SecuredBroker, topic: str, tmp_path: Path
) -> None:
    """Without it, writes are forbidden and the table is served; they go on by themselves when the right is there."""
    await asyncio.to_thread(secured_broker.create_topic, topic, 1, cleanup_policy="compact")
    await asyncio.to_thread(secured_broker.allow, topic, *READING)
    write = 'mutation { set(key: "a", value: "1") { offset } }'
    async with serving(secured_broker.sasl_servers, topic, tmp_path, enable_writes=True, **LOGIN) as served:
        await until_ready(served.http)
        assert await served.code(write) == "FORBIDDEN"
        await until_ready(served.http)
        await asyncio.to_thread(secured_broker.allow, topic, AclOperation.WRITE)
        async with asyncio.timeout(SECONDS_MAX):
            while "errors" in await served.query(write):  # noqa: ASYNC110 - the broker tells nobody
                await asyncio.sleep(0.05)
        await assert_equal_to_the_log(served, secured_broker, topic)
        assert await served.data('{ value(key: "a") { value } }') == {"value": {"value": "1"}}


async def test_check_finds_that_the_right_to_write_is_missing_without_writing(
    secured_broker: SecuredBroker, topic: str
) -> None:
    await asyncio.to_thread(secured_broker.create_topic, topic, 1, cleanup_policy="compact")
    await asyncio.to_thread(secured_broker.allow, topic, *READING)
    flags = ("check", "--bootstrap-servers", secured_broker.sasl_servers, "--topic", topic)
    login: dict[str, Any] = {f"KVS_{name.upper()}": value for name, value in LOGIN.items()}
    found = await ended(*flags, KVS_ENABLE_WRITES="true", **login)
    assert (found.code, "lacks the right WRITE" in found.output) == (1, True)
    found = await ended(*flags, **login)
    assert (found.code, "WRITE" in found.output) == (0, False)
    await asyncio.to_thread(secured_broker.allow, topic, AclOperation.WRITE)
    found = await ended(*flags, KVS_ENABLE_WRITES="true", **login)
    assert (found.code, "WRITE" in found.output) == (0, False)
    assert secured_broker.stable_end_offsets(topic) == {0: 0}


@pytest.mark.parametrize(
    "missing",
    [
        {AclOperation.READ},
        {AclOperation.DESCRIBE_CONFIGS},
        {AclOperation.WRITE},
        {AclOperation.READ, AclOperation.DESCRIBE_CONFIGS, AclOperation.WRITE},
        set(),
    ],
    ids=lambda missing: " ".join(sorted(one.name for one in missing)) or "none",
)
async def test_check_names_each_right_that_is_missing(
    secured_broker: SecuredBroker, topic: str, missing: set[AclOperation]
) -> None:
    """All of them at once, so that nobody has to ask the owner of the rights again and again."""
    needed = {AclOperation.READ, AclOperation.DESCRIBE_CONFIGS, AclOperation.WRITE}
    await asyncio.to_thread(secured_broker.create_topic, topic, 1, cleanup_policy="compact")
    await asyncio.to_thread(secured_broker.allow, topic, AclOperation.DESCRIBE, *needed - missing)
    flags = ("check", "--bootstrap-servers", secured_broker.sasl_servers, "--topic", topic)
    login: dict[str, Any] = {f"KVS_{name.upper()}": value for name, value in LOGIN.items()}
    found = await ended(*flags, KVS_ENABLE_WRITES="true", **login)
    assert set(re.findall(r"lacks the right (\w+)", found.output)) == {one.name for one in missing}, found.output
    # Without the configuration, the service is ready all the same.
    assert found.code == (1 if missing - {AclOperation.DESCRIBE_CONFIGS} else 0)


async def test_check_says_what_reading_takes_where_the_topic_may_not_even_be_seen(
    secured_broker: SecuredBroker, topic: str
) -> None:
    await asyncio.to_thread(secured_broker.create_topic, topic, 1, cleanup_policy="compact")
    flags = ("check", "--bootstrap-servers", secured_broker.sasl_servers, "--topic", topic)
    login: dict[str, Any] = {f"KVS_{name.upper()}": value for name, value in LOGIN.items()}
    found = await ended(*flags, **login)
    text = f"the user lacks rights on topic {topic!r}: to read it takes READ, to write it WRITE"
    assert (found.code, text in found.output) == (1, True)


async def test_cursor_of_a_first_read_is_reset_if_nobody_knows_how_long_tombstones_are_kept(
    secured_broker: SecuredBroker, topic: str, tmp_path: Path
) -> None:
    """Tombstones below the end of the first read may have been dropped, and the client may hold their keys."""
    await asyncio.to_thread(secured_broker.create_topic, topic, 1, cleanup_policy="compact")
    await asyncio.to_thread(secured_broker.allow, topic, AclOperation.READ)
    produce(secured_broker.bootstrap_servers, topic, [(b"a", b"1"), (b"b", b"1")])
    # The marker at a transaction's end takes an offset, as a record that compaction dropped does.
    produce(secured_broker.bootstrap_servers, topic, [(b"b", None)], transactional_id=topic)
    ended = lambda: secured_broker.stable_end_offsets(topic) == {0: 4}  # noqa: E731
    await asyncio.to_thread(wait_until, ended, "the end of the transaction")
    async with serving(secured_broker.sasl_servers, topic, tmp_path, **LOGIN) as served:
        await assert_equal_to_the_log(served, secured_broker, topic)
    with closing(sqlite3.connect(tmp_path / "kvs.db")) as database:
        assert database.execute("SELECT deletes_known_from FROM position").fetchall() == [(4,)]


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
