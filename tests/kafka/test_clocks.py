"""No delete is missed although the time of day jumps, while the service is down and while it runs."""

import asyncio
from pathlib import Path

import pytest

from kvs_graphql.client import connect
from kvs_graphql.kafka.clock import Clock
from tests.deadline import SECONDS_MAX
from tests.kafka.broker import KafkaBroker
from tests.kafka.equality import assert_equal_to_the_log
from tests.kafka.produce import produce
from tests.kafka.rebuilds import (
    BRIEF,
    assert_rebuilt,
    first_update_after,
    forget_tombstones,
    served_once,
    sessions_of,
    states_of,
)
from tests.serving import serving

pytestmark = pytest.mark.kafka

DAY_MS = 86_400_000


def set_clock(monkeypatch: pytest.MonkeyPatch, ahead_ms: int) -> None:
    """Let the time of day be so much ahead of what it was before."""
    now_ms = Clock.now_ms
    monkeypatch.setattr(Clock, "now_ms", lambda clock: now_ms(clock) + ahead_ms)


@pytest.mark.parametrize("ahead_ms", [DAY_MS, -DAY_MS])
async def test_delete_is_not_missed_after_a_run_with_a_wrong_clock(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ahead_ms: int
) -> None:
    kafka_broker.create_topic(topic, 1, **BRIEF)
    with monkeypatch.context() as wrong:
        set_clock(wrong, ahead_ms)
        await served_once(kafka_broker, topic, tmp_path, [(b"a", b"1"), (b"b", b"1")])
    produce(kafka_broker.bootstrap_servers, topic, [(b"a", None), (b"c", b"1")])
    await forget_tombstones(kafka_broker, topic)
    async with serving(kafka_broker.bootstrap_servers, topic, tmp_path) as served:
        moments = states_of(served)
        assert await assert_rebuilt(served, kafka_broker, topic, moments, "keeps tombstones") == {b"b", b"c"}


@pytest.mark.parametrize("ahead_ms", [0, DAY_MS, -DAY_MS])
async def test_delete_is_not_missed_while_the_consumer_stands_still_wherever_the_clock_jumps(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ahead_ms: int
) -> None:
    sessions = sessions_of(monkeypatch)
    kafka_broker.create_topic(topic, 1, **BRIEF)
    produce(kafka_broker.bootstrap_servers, topic, [(b"a", b"1"), (b"b", b"1")])
    async with serving(kafka_broker.bootstrap_servers, topic, tmp_path, metadata_refresh_seconds=10) as served:
        await assert_equal_to_the_log(served, kafka_broker, topic)
        moments = states_of(served)
        sessions[0].consumer.pause(*sessions[0].partitions)
        set_clock(monkeypatch, ahead_ms)
        produce(kafka_broker.bootstrap_servers, topic, [(b"a", None), (b"c", b"1")])
        await forget_tombstones(kafka_broker, topic)
        assert await assert_rebuilt(served, kafka_broker, topic, moments, "keeps tombstones") == {b"b", b"c"}


async def test_client_that_missed_a_dropped_tombstone_is_reset_by_a_replica_that_reads_the_topic_anew(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    servers = kafka_broker.bootstrap_servers
    kafka_broker.create_topic(topic, 1, **BRIEF)
    produce(servers, topic, [(b"a", b"1"), (b"b", b"1")])
    async with serving(servers, topic, first) as served:
        await assert_equal_to_the_log(served, kafka_broker, topic)
        cursor = (await served.query("{ status { entries } }"))["extensions"]["cursor"]
    produce(servers, topic, [(b"a", None), (b"c", b"1")])
    await forget_tombstones(kafka_broker, topic)
    async with serving(servers, topic, second) as served, connect(served.run.url) as client:
        await assert_equal_to_the_log(served, kafka_broker, topic)
        async with asyncio.timeout(SECONDS_MAX):
            assert await first_update_after(client, cursor) == "RESET"
