"""A table that cannot be trusted is rebuilt while the old one is served."""

import asyncio
import resource
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, aclosing, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from kvs_graphql.client import Client, connect
from kvs_graphql.errors import TopicMismatch
from kvs_graphql.kafka.consumer_session import ConsumerSession, open_session
from kvs_graphql.state import Moment, State
from tests.deadline import SECONDS_MAX
from tests.kafka.broker import COMPACTING, KafkaBroker
from tests.kafka.equality import assert_equal_to_the_log, table
from tests.kafka.produce import produce
from tests.kafka.truth import read_truth
from tests.serving import Served, nothing_applied, serving
from tests.transports import until_active

pytestmark = pytest.mark.kafka

AT_LEAST = """query ($cursor: Cursor!) {
  old: value(key: "old", atLeast: $cursor) { value }
  new: value(key: "new") { value }
}"""


def states_of(served: Served) -> list[Moment]:
    """Return a list that collects every state from now on."""
    moments: list[Moment] = []
    served.run.lifecycle.listen(moments.append)
    return moments


async def first_update_after(client: Client, cursor: str) -> str:
    """Return the kind of the first update of a subscription."""
    document = "subscription ($cursor: Cursor!) { updates(after: $cursor) { kind } }"
    async with aclosing(client.subscribe(document, {"cursor": cursor})) as events:  # type: ignore[type-var]
        kind: str = (await anext(events))["updates"]["kind"]
        return kind


async def served_once(broker: KafkaBroker, topic: str, directory: Path, records: list[tuple[bytes, bytes]]) -> None:
    """Produce records, and leave a database that has caught up with them."""
    produce(broker.bootstrap_servers, topic, records)
    async with serving(broker.bootstrap_servers, topic, directory) as served:
        await served.state(State.LIVE)
        await assert_equal_to_the_log(served, broker, topic)


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
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    kafka_broker.create_topic(topic, 2)
    produce(kafka_broker.bootstrap_servers, topic, [(b"old", b"1"), (b"both", b"1")])
    async with serving(kafka_broker.bootstrap_servers, topic, tmp_path) as served:
        await assert_equal_to_the_log(served, kafka_broker, topic)
        async with connect(served.run.url) as client, asyncio.timeout(SECONDS_MAX):
            snapshot = "subscription { updates(snapshot: true) { kind key entry { value } } }"
            async with aclosing(client.subscribe(snapshot)) as events:  # type: ignore[type-var]
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
            assert await served.data("{ status { compacted } }") == {"status": {"compacted": False}}
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


async def test_entries_of_a_log_that_was_cut_short_and_grew_again_are_removed(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    kafka_broker.create_topic(topic, 1)
    servers = kafka_broker.bootstrap_servers
    produce(servers, topic, [(b"kept", b"1")])
    (segment,) = kafka_broker.log.parent.rglob(f"{topic}-0/00000000000000000000.log")
    size = segment.stat().st_size
    await served_once(kafka_broker, topic, tmp_path, [(b"lost%d" % n, b"1") for n in range(9)])
    kafka_broker.stop()
    with segment.open("r+b") as file:
        file.truncate(size)
    kafka_broker.start()
    # Past the table's position: the offsets do not tell the logs apart.
    produce(servers, topic, [(b"new%d" % n, b"2") for n in range(20)])
    async with serving(servers, topic, tmp_path) as served:
        moments = states_of(served)
        await served.state(State.LIVE)
        truth = await assert_equal_to_the_log(served, kafka_broker, topic)
        assert set(truth.live) == {b"kept", *(b"new%d" % n for n in range(20))}
        assert any("cut short and grew again" in m.reason for m in moments)


async def test_clients_of_a_log_that_was_cut_short_and_grew_again_are_reset(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    kafka_broker.create_topic(topic, 1)
    servers = kafka_broker.bootstrap_servers
    produce(servers, topic, [(b"kept", b"1")])
    (segment,) = kafka_broker.log.parent.rglob(f"{topic}-0/00000000000000000000.log")
    size = segment.stat().st_size
    produce(servers, topic, [(b"lost%d" % n, b"1") for n in range(9)])
    async with (
        asyncio.timeout(SECONDS_MAX),
        serving(servers, topic, tmp_path) as served,
        connect(served.run.url) as client,
    ):
        await served.state(State.LIVE)
        cursor = (await served.query("{ status { entries } }"))["extensions"]["cursor"]
        snapshot = "subscription { updates(snapshot: true) { kind key entry { value } } }"
        async with aclosing(client.subscribe(snapshot)) as events:  # type: ignore[type-var]
            assert len(await until_live(events)) == 10
            await asyncio.to_thread(kafka_broker.stop)
            with segment.open("r+b") as file:
                file.truncate(size)
            await asyncio.to_thread(kafka_broker.start)
            produce(servers, topic, [(b"new%d" % n, b"2") for n in range(20)])
            assert (await anext(events))["updates"]["kind"] == "RESET"
            held = await until_live(events)
            while len(held) < 21:
                update = (await anext(events))["updates"]
                held[update["key"]] = update["entry"]["value"]
            assert held == {"kept": "1", **{f"new{n}": "2" for n in range(20)}}
        await assert_equal_to_the_log(served, kafka_broker, topic)
        assert await first_update_after(client, cursor) == "RESET"
        assert await served.code(AT_LEAST, cursor=cursor) == "BAD_CURSOR"
        cursor = (await served.query("{ status { entries } }"))["extensions"]["cursor"]
        assert await first_update_after(client, cursor) == "LIVE"


async def test_key_stays_deleted_after_kafka_dropped_its_tombstone(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    kafka_broker.create_topic(topic, 1, **{**COMPACTING, "delete.retention.ms": "500"})
    await served_once(kafka_broker, topic, tmp_path, [(b"a", b"1"), (b"b", b"1")])
    produce(kafka_broker.bootstrap_servers, topic, [(b"a", None), (b"c", b"1")])
    await forget_tombstones(kafka_broker, topic)
    async with serving(kafka_broker.bootstrap_servers, topic, tmp_path) as served:
        moments = states_of(served)
        await served.state(State.LIVE)
        truth = await assert_equal_to_the_log(served, kafka_broker, topic)
        assert set(truth.live) == {b"b", b"c"}
        assert any(m.state is State.REBUILDING and "keeps tombstones" in m.reason for m in moments)


async def test_key_is_deleted_although_kafka_dropped_its_tombstone_while_the_consumer_stood_still(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions: list[ConsumerSession] = []

    @asynccontextmanager
    async def recorded(*arguments: Any, **options: Any) -> AsyncIterator[ConsumerSession]:
        async with open_session(*arguments, **options) as session:
            sessions.append(session)
            yield session

    monkeypatch.setattr("kvs_graphql.kafka.consumer.open_session", recorded)
    kafka_broker.create_topic(topic, 1, **{**COMPACTING, "delete.retention.ms": "500"})
    produce(kafka_broker.bootstrap_servers, topic, [(b"a", b"1"), (b"b", b"1")])
    async with serving(kafka_broker.bootstrap_servers, topic, tmp_path, metadata_refresh_seconds=20) as served:
        await assert_equal_to_the_log(served, kafka_broker, topic)
        moments = states_of(served)
        sessions[0].consumer.pause(*sessions[0].partitions)
        produce(kafka_broker.bootstrap_servers, topic, [(b"a", None), (b"c", b"1")])
        await forget_tombstones(kafka_broker, topic)
        async with asyncio.timeout(SECONDS_MAX):
            truth = await assert_equal_to_the_log(served, kafka_broker, topic)
        assert set(truth.live) == {b"b", b"c"}
        assert any(m.state is State.REBUILDING and "keeps tombstones" in m.reason for m in moments)


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


async def test_rebuild_without_descriptors_waits_and_serves_the_old_table(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    await served_by_an_older_topic(kafka_broker, topic, tmp_path)
    async with serving(kafka_broker.bootstrap_servers, topic, tmp_path) as served:
        # Opens the connection that is used below.
        await served.query("{ status { ready } }")
        with limited(resource.RLIMIT_NOFILE) as limit:
            limits = [4]
            # Listeners hear of a new state before anything else happens in it.
            served.run.lifecycle.listen(
                lambda moment: limit(limits.pop()) if moment.state is State.REBUILDING and limits else None
            )
            async with asyncio.timeout(SECONDS_MAX):
                await served.reason("Too many open files")
            await shows_that_it_waits(served, "Too many open files")
        async with asyncio.timeout(SECONDS_MAX):
            await served.state(State.LIVE)
        await assert_equal_to_the_log(served, kafka_broker, topic)


async def test_rebuild_on_a_full_disk_waits_and_serves_the_old_table(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    await served_by_an_older_topic(kafka_broker, topic, tmp_path)
    produce(kafka_broker.bootstrap_servers, topic, [(b"large%d" % n, bytes(500_000)) for n in range(4)])
    # Limits the size of files, as a quota would.
    with limited(resource.RLIMIT_FSIZE) as limit:
        limit(1_000_000)
        async with serving(kafka_broker.bootstrap_servers, topic, tmp_path) as served:
            async with asyncio.timeout(SECONDS_MAX):
                await served.reason("waiting: The new table cannot be written: ")
            await shows_that_it_waits(served, "SQLITE_IOERR_WRITE")
            assert not (tmp_path / "kvs.db.rebuild").exists()
            limit(resource.RLIM_INFINITY)
            async with asyncio.timeout(SECONDS_MAX):
                await served.state(State.LIVE)
            await assert_equal_to_the_log(served, kafka_broker, topic)


async def test_swap_waits_for_a_locked_database_and_keeps_what_was_built(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    await served_by_an_older_topic(kafka_broker, topic, tmp_path)
    async with serving(kafka_broker.bootstrap_servers, topic, tmp_path) as served:
        moments = states_of(served)
        with ExitStack() as locked:

            def lock(moment: Moment) -> None:
                if moment.state is State.REBUILDING and "waiting" not in moment.reason:
                    locked.enter_context(nothing_applied(tmp_path))

            served.run.lifecycle.listen(lock)
            async with asyncio.timeout(SECONDS_MAX):
                await served.reason("waiting: The database cannot be replaced")
            await shows_that_it_waits(served, "locked")
            assert (tmp_path / "kvs.db.rebuild").exists()
        async with asyncio.timeout(SECONDS_MAX):
            await served.state(State.LIVE)
        await assert_equal_to_the_log(served, kafka_broker, topic)
    assert sum(m.reason.endswith("since the table was built") for m in moments) == 1, "it was built once"


async def served_by_an_older_topic(broker: KafkaBroker, topic: str, directory: Path) -> None:
    """Leave a database of a topic that was deleted and created again since."""
    broker.create_topic(topic, 1)
    await served_once(broker, topic, directory, [(b"old", b"1")])
    broker.delete_topic(topic)
    broker.create_topic(topic, 1)
    produce(broker.bootstrap_servers, topic, [(b"new", b"1")])


async def shows_that_it_waits(served: Served, why: str) -> None:
    answer = await served.http.get("/readyz")
    assert (answer.status_code, answer.json()["state"]) == (503, "REBUILDING")
    assert why in answer.json()["reason"]
    assert await served.data('{ value(key: "old") { value } }') == {"value": {"value": "1"}}
    assert served.run.failure is None


@contextmanager
def limited(kind: int) -> Iterator[Callable[[int], None]]:
    """Give what sets this process's limit of that kind; at the end, the limit is as before."""
    soft, hard = resource.getrlimit(kind)
    try:
        yield lambda limit: resource.setrlimit(kind, (hard if limit == resource.RLIM_INFINITY else limit, hard))
    finally:
        resource.setrlimit(kind, (soft, hard))


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


async def until_live(events: AsyncIterator[Any]) -> dict[str, str]:
    """Return the table that a snapshot adds up to."""
    held: dict[str, str] = {}
    while (update := (await anext(events))["updates"])["kind"] != "LIVE":
        held[update["key"]] = update["entry"]["value"]
    return held


async def forget_tombstones(broker: KafkaBroker, topic: str) -> None:
    """Compact until the log has no tombstone: the first pass stamps them with a time, a later one drops them."""
    async with asyncio.timeout(SECONDS_MAX):
        while _tombstones(broker, topic):
            await asyncio.to_thread(broker.compact, topic)


def _tombstones(broker: KafkaBroker, topic: str) -> int:
    return sum(last.value is None for last in read_truth(broker.bootstrap_servers, topic).table.values())
