"""A table that cannot be trusted is rebuilt while the old one is served."""

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from kvs_graphql.client import connect
from kvs_graphql.errors import TopicMismatch
from kvs_graphql.state import State
from tests.deadline import SECONDS_MAX
from tests.kafka.broker import KafkaBroker
from tests.kafka.equality import assert_equal_to_the_log, table
from tests.kafka.produce import produce
from tests.kafka.rebuilds import AT_LEAST, first_update_after, served_once, states_of, until_live
from tests.serving import nothing_applied, serving
from tests.transports import until_active

pytestmark = pytest.mark.kafka


@pytest.mark.parametrize("records", [1, 3, 9])
async def test_no_entry_of_the_old_topic_survives_its_recreation(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path, records: int
) -> None:
    kafka_broker.create_topic(topic, 1)
    await served_once(kafka_broker, topic, tmp_path, [(b"old%d" % n, b"1") for n in range(3)])
    kafka_broker.delete_topic(topic)
    kafka_broker.create_topic(topic, 1)
    produce(kafka_broker.bootstrap_servers, topic, [(b"new%d" % n, b"1") for n in range(records)])
    async with serving(kafka_broker.bootstrap_servers, topic, tmp_path) as served:
        moments = states_of(served)
        await served.state(State.LIVE)
        truth = await assert_equal_to_the_log(served, kafka_broker, topic)
        assert len(truth.live) == records
        assert any(m.state is State.REBUILDING and "created again" in m.reason for m in moments)


async def test_watchers_are_reset_when_the_topic_is_recreated(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path, table: str
) -> None:
    kafka_broker.create_topic(topic, 2)
    produce(kafka_broker.bootstrap_servers, topic, [(b"old", b"1"), (b"both", b"1")])
    async with serving(kafka_broker.bootstrap_servers, topic, tmp_path, table=table) as served:
        await assert_equal_to_the_log(served, kafka_broker, topic)
        async with connect(served.run.url) as client, asyncio.timeout(SECONDS_MAX):
            snapshot = served.named("subscription { updates(snapshot: true) { kind key entry { value } } }")
            async with aclosing(client.subscribe(snapshot)) as events:
                assert await until_live(events) == {"old": "1", "both": "1"}
                kafka_broker.delete_topic(topic)
                kafka_broker.create_topic(topic, 2)
                produce(kafka_broker.bootstrap_servers, topic, [(b"both", b"2"), (b"new", b"2")])
                assert (await anext(events))["updates"]["kind"] == "RESET"
                held = await until_live(events)
                while held != {"both": "2", "new": "2"}:
                    update = (await anext(events))["updates"]
                    held[update["key"]] = update["entry"]["value"]
        await assert_equal_to_the_log(served, kafka_broker, topic)


async def test_service_is_not_ready_while_it_rebuilds_the_table_that_it_serves(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    kafka_broker.create_topic(topic, 1)
    produce(kafka_broker.bootstrap_servers, topic, [(b"old", b"1")])
    slow = {"batch_records_max": 50, "fetch_bytes_max": 50_000}
    async with asyncio.timeout(120), serving(kafka_broker.bootstrap_servers, topic, tmp_path, **slow) as served:
        await assert_equal_to_the_log(served, kafka_broker, topic)
        await served.state(State.LIVE)
        assert (await served.http.get("/readyz")).status_code == 200
        kafka_broker.delete_topic(topic)
        kafka_broker.create_topic(topic, 1)
        produce(kafka_broker.bootstrap_servers, topic, [(b"new%d" % n, bytes(500)) for n in range(5_000)])
        await served.state(State.REBUILDING)
        # Without the broker the rebuild cannot finish.
        kafka_broker.pause()
        try:
            answer = await served.http.get("/readyz")
            assert (answer.status_code, answer.json()["state"]) == (503, "REBUILDING")
            assert "created again" in answer.json()["reason"]
            assert await served.data('{ value(key: "old") { value } }') == {"value": {"value": "1"}}
        finally:
            kafka_broker.resume()
        await served.state(State.LIVE)
        assert (await served.http.get("/readyz")).status_code == 200
        await assert_equal_to_the_log(served, kafka_broker, topic)


async def test_replica_waits_for_a_cursor_of_a_recreated_topic_it_has_not_noticed_yet(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    ours, others = tmp_path / "ours", tmp_path / "others"
    ours.mkdir()
    others.mkdir()
    servers = kafka_broker.bootstrap_servers
    kafka_broker.create_topic(topic, 1)
    produce(servers, topic, [(b"old", b"1")])
    async with (
        asyncio.timeout(SECONDS_MAX),
        serving(servers, topic, ours, wait_seconds_max=60) as served,
        connect(served.run.url) as client,
    ):
        await assert_equal_to_the_log(served, kafka_broker, topic)
        with nothing_applied(ours):
            kafka_broker.delete_topic(topic)
            kafka_broker.create_topic(topic, 1)
            produce(servers, topic, [(b"new", b"1")])
            async with serving(servers, topic, others) as other:
                await assert_equal_to_the_log(other, kafka_broker, topic)
                cursor = (await other.query("{ status { entries } }"))["extensions"]["cursor"]
            reading = asyncio.create_task(served.data(AT_LEAST, cursor=cursor))
            following = asyncio.create_task(first_update_after(client, cursor))
            await until_active(served.http, 1)
            # The service has found the new topic, and cannot write to its table.
            await served.reason("locked")
            assert not reading.done()
            assert not following.done()
            assert await served.data('{ value(key: "old") { value } }') == {"value": {"value": "1"}}
        assert await reading == {"old": None, "new": {"value": "1"}}
        assert await following == "LIVE"


async def test_stale_entries_go_when_kafka_dropped_records_before_they_were_read(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    kafka_broker.create_topic(topic, 1)
    await served_once(kafka_broker, topic, tmp_path, [(b"a", b"1")])
    produce(kafka_broker.bootstrap_servers, topic, [(b"a", None), *((b"b%d" % n, b"2") for n in range(9))])
    kafka_broker.delete_records(topic, {0: 5})
    async with serving(kafka_broker.bootstrap_servers, topic, tmp_path) as served:
        moments = states_of(served)
        await served.state(State.LIVE)
        truth = await assert_equal_to_the_log(served, kafka_broker, topic)
        assert b"a" not in truth.live
        assert any("starts at offset 5, past the table's position 1" in m.reason for m in moments)


async def test_entries_outlive_records_that_kafka_drops_by_age(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    kafka_broker.create_topic(topic, 1, **{"cleanup.policy": "delete"})
    with capture_logs() as logged:
        await served_once(kafka_broker, topic, tmp_path, [(b"stays", b"1"), (b"changes", b"1"), (b"goes", b"1")])
        # The table has read all of these records, so it missed nothing.
        kafka_broker.delete_records(topic, {0: 3})
        produce(kafka_broker.bootstrap_servers, topic, [(b"changes", b"2"), (b"goes", None)])
        async with serving(kafka_broker.bootstrap_servers, topic, tmp_path) as served:
            await served.applied((5,))
            held = {key: value for key, (value, _, _) in (await table(served)).items()}
            assert held == {b"stays": b"1", b"changes": b"2"}
            assert await served.data("{ status { tables { compacted } } }") == {
                "status": {"tables": [{"compacted": False}]}
            }
    warnings = [line["event"] for line in logged if "not compacted" in line["event"]]
    assert warnings == ["topic is not compacted: keys stay after Kafka drops their records"], "once for a table"


async def test_entries_of_a_truncated_log_are_removed(kafka_broker: KafkaBroker, topic: str, tmp_path: Path) -> None:
    kafka_broker.create_topic(topic, 1)
    produce(kafka_broker.bootstrap_servers, topic, [(b"kept", b"1")])
    (segment,) = kafka_broker.log.parent.rglob(f"{topic}-0/00000000000000000000.log")
    size = segment.stat().st_size
    await served_once(kafka_broker, topic, tmp_path, [(b"lost", b"1")])
    kafka_broker.stop()
    with segment.open("r+b") as file:
        file.truncate(size)
    kafka_broker.start()
    async with serving(kafka_broker.bootstrap_servers, topic, tmp_path) as served:
        moments = states_of(served)
        await served.state(State.LIVE)
        truth = await assert_equal_to_the_log(served, kafka_broker, topic)
        assert set(truth.live) == {b"kept"}
        assert any("ends at offset 1, before the table's position 2" in m.reason for m in moments)


async def test_interrupted_rebuild_keeps_the_old_table_and_starts_again(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    kafka_broker.create_topic(topic, 1)
    await served_once(kafka_broker, topic, tmp_path, [(b"old", b"1")])
    kafka_broker.delete_topic(topic)
    kafka_broker.create_topic(topic, 1)
    produce(kafka_broker.bootstrap_servers, topic, [(b"new%d" % n, bytes(500)) for n in range(20_000)])
    shadow = tmp_path / "kvs.db.rebuild"
    slow = {"batch_records_max": 50, "fetch_bytes_max": 50_000}
    try:
        async with serving(kafka_broker.bootstrap_servers, topic, tmp_path, **slow) as served:
            await served.state(State.REBUILDING)
            # Without the broker the rebuild cannot finish.
            kafka_broker.pause()
            assert await served.data('{ value(key: "old") { value } }') == {"value": {"value": "1"}}
            answer = await served.http.get("/readyz")
            assert (answer.status_code, answer.json()["state"]) == (503, "REBUILDING")
            async with asyncio.timeout(SECONDS_MAX):
                while not shadow.exists():  # noqa: ASYNC110 - a file wakes nobody
                    await asyncio.sleep(0.01)
    finally:
        kafka_broker.resume()
    assert shadow.exists()
    async with serving(kafka_broker.bootstrap_servers, topic, tmp_path) as served:
        await served.state(State.LIVE)
        await assert_equal_to_the_log(served, kafka_broker, topic)
    assert not shadow.exists()


async def test_database_of_another_topic_is_refused_and_kept(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    kafka_broker.create_topic(topic, 1)
    kafka_broker.create_topic(f"{topic}-other", 1)
    await served_once(kafka_broker, topic, tmp_path, [(b"a", b"1")])
    with pytest.raises(TopicMismatch, match="KVS_DATABASE"):
        async with serving(kafka_broker.bootstrap_servers, f"{topic}-other", tmp_path) as served:
            await served.run.wait()
    async with serving(kafka_broker.bootstrap_servers, topic, tmp_path) as served:
        await assert_equal_to_the_log(served, kafka_broker, topic)
