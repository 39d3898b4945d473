"""The service on a real Kafka broker: the table equals the log."""

import asyncio
import json
import os
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import pytest

from kvs_graphql.errors import OperatorError, TopicMismatch
from kvs_graphql.state import State
from tests.kafka.broker import COMPACTING, KafkaBroker
from tests.kafka.produce import open_transaction, produce
from tests.kafka.truth import Truth, read_truth
from tests.serving import Served, serving

pytestmark = pytest.mark.kafka

_ENTRIES = """
query Page($after: String) {
  entries(first: 1000, after: $after) {
    edges { node { key(encoding: HEX) value(encoding: HEX) partition offset } }
    pageInfo { hasNextPage endCursor }
  }
}
"""


async def table(served: Served) -> dict[bytes, tuple[bytes, int, int]]:
    """Every entry, read through GraphQL: key to value, partition, offset."""
    found: dict[bytes, tuple[bytes, int, int]] = {}
    after = None
    while True:
        page = (await served.data(_ENTRIES, after=after))["entries"]
        for edge in page["edges"]:
            node = edge["node"]
            found[bytes.fromhex(node["key"])] = (bytes.fromhex(node["value"]), node["partition"], node["offset"])
        if not page["pageInfo"]["hasNextPage"]:
            return found
        after = page["pageInfo"]["endCursor"]


def expected(truth: Truth) -> dict[bytes, tuple[bytes, int, int]]:
    return {
        key: (last.value, last.partition, last.offset) for key, last in truth.table.items() if last.value is not None
    }


async def assert_equal_to_the_log(served: Served, broker: KafkaBroker, topic: str) -> Truth:
    """Wait for the end of the topic, then compare key by key with the independent reader."""
    truth = await asyncio.to_thread(read_truth, broker.bootstrap_servers, topic)
    await served.applied(tuple(truth.end_offsets[p] for p in sorted(truth.end_offsets)))
    assert await table(served) == expected(truth)
    return truth


async def test_every_compression_is_readable(kafka_broker: KafkaBroker, topic: str, tmp_path: Path) -> None:
    kafka_broker.create_topic(topic, 2)
    for compression in ("none", "gzip", "snappy", "lz4", "zstd"):
        records = [(f"{compression}/{n}".encode(), compression.encode() * 50) for n in range(50)]
        produce(kafka_broker.bootstrap_servers, topic, records, compression=compression)
    async with serving(kafka_broker.bootstrap_servers, topic, tmp_path) as served:
        truth = await assert_equal_to_the_log(served, kafka_broker, topic)
        assert len(truth.live) == 250


async def test_keys_values_and_headers_survive_intact(kafka_broker: KafkaBroker, topic: str, tmp_path: Path) -> None:
    kafka_broker.create_topic(topic, 1)
    big = Random(1).randbytes(1_000_000)
    headers: Any = [("h", b"\xff\x00"), ("h", b""), ("other", None)]
    produce(
        kafka_broker.bootstrap_servers,
        topic,
        [(b"\xff\xfe", b"binary key"), (b"", b"empty key"), (b"empty value", b""), (b"big", big)],
        headers=headers,
    )
    async with serving(kafka_broker.bootstrap_servers, topic, tmp_path) as served:
        await assert_equal_to_the_log(served, kafka_broker, topic)
        (header, *rest) = (await served.data('{ value(key: "big") { headers { key value(encoding: HEX) } } }'))[
            "value"
        ]["headers"]
        assert header == {"key": "h", "value": "ff00"}
        assert rest == [{"key": "h", "value": ""}, {"key": "other", "value": None}]


async def test_aborted_records_never_show_and_markers_leave_no_lag(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    kafka_broker.create_topic(topic, 2)
    servers = kafka_broker.bootstrap_servers
    produce(servers, topic, [(b"k%d" % n, b"committed") for n in range(20)], transactional_id=f"{topic}-1")
    produce(servers, topic, [(b"k%d" % n, b"aborted") for n in range(20)], transactional_id=f"{topic}-2", abort=True)
    async with serving(servers, topic, tmp_path) as served:
        async with asyncio.timeout(30):
            await served.state(State.LIVE)
        await assert_equal_to_the_log(served, kafka_broker, topic)
        assert (await served.http.get("/readyz")).status_code == 200
        produce(servers, topic, [(b"k0", b"aborted")], transactional_id=f"{topic}-3", abort=True)
        await assert_equal_to_the_log(served, kafka_broker, topic)
        status = (await served.data("{ status { lag partitions { lag } } }"))["status"]
        assert status == {"lag": 0, "partitions": [{"lag": 0}, {"lag": 0}]}


async def test_an_open_transaction_holds_back_neither_readiness_nor_what_was_before(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    kafka_broker.create_topic(topic, 1)
    produce(kafka_broker.bootstrap_servers, topic, [(b"a", b"1")])
    with open_transaction(kafka_broker.bootstrap_servers, topic, [(b"a", b"2")], transactional_id=f"{topic}-open"):
        async with serving(kafka_broker.bootstrap_servers, topic, tmp_path) as served:
            async with asyncio.timeout(30):
                await served.state(State.LIVE)
            assert (await served.data('{ value(key: "a") { value } }')) == {"value": {"value": "1"}}


async def test_a_compacted_topic_is_read_over_its_gaps(kafka_broker: KafkaBroker, topic: str, tmp_path: Path) -> None:
    kafka_broker.create_topic(topic, 1, **COMPACTING)
    for round_number in range(3):
        produce(kafka_broker.bootstrap_servers, topic, [(b"k%d" % n, b"%d" % round_number) for n in range(100)])
    produce(kafka_broker.bootstrap_servers, topic, [(b"k1", None)])
    kafka_broker.compact(topic)
    async with serving(kafka_broker.bootstrap_servers, topic, tmp_path) as served:
        async with asyncio.timeout(30):
            await served.state(State.LIVE)
        truth = await assert_equal_to_the_log(served, kafka_broker, topic)
        assert truth.records < 300


async def test_a_topic_that_comes_later_is_waited_for(kafka_broker: KafkaBroker, topic: str, tmp_path: Path) -> None:
    async with serving(kafka_broker.bootstrap_servers, topic, tmp_path) as served:
        async with asyncio.timeout(30):
            await served.state(State.WAITING_FOR_TOPIC)
        answer = await served.http.get("/readyz")
        assert answer.status_code == 503
        assert f"topic '{topic}' does not exist" in answer.json()["reason"]
        assert await served.data("{ entries { edges { cursor } } }") == {"entries": {"edges": []}}
        kafka_broker.create_topic(topic, 1)
        produce(kafka_broker.bootstrap_servers, topic, [(b"a", b"1")])
        async with asyncio.timeout(30):
            await served.state(State.LIVE)
        await assert_equal_to_the_log(served, kafka_broker, topic)


async def test_partitions_added_while_running_are_picked_up(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    kafka_broker.create_topic(topic, 1)
    produce(kafka_broker.bootstrap_servers, topic, [(b"k%d" % n, b"1") for n in range(20)])
    async with serving(kafka_broker.bootstrap_servers, topic, tmp_path) as served:
        await assert_equal_to_the_log(served, kafka_broker, topic)
        kafka_broker.add_partitions(topic, 3)
        produce(kafka_broker.bootstrap_servers, topic, [(b"new%d" % n, b"2") for n in range(20)])
        await assert_equal_to_the_log(served, kafka_broker, topic)
        assert len((await served.data("{ status { partitions { lag } } }"))["status"]["partitions"]) == 3


async def test_reads_survive_the_broker_and_the_service_catches_up_by_itself(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    kafka_broker.create_topic(topic, 1)
    produce(kafka_broker.bootstrap_servers, topic, [(b"a", b"1")])
    async with serving(kafka_broker.bootstrap_servers, topic, tmp_path) as served:
        await assert_equal_to_the_log(served, kafka_broker, topic)
        await asyncio.to_thread(kafka_broker.kill)
        try:
            async with asyncio.timeout(60):
                await served.state(State.WAITING_FOR_BROKER)
            assert (await served.data('{ value(key: "a") { value } }')) == {"value": {"value": "1"}}
            answer = (await served.http.get("/readyz")).json()
            assert (answer["ready"], answer["state"]) == (True, "WAITING_FOR_BROKER")
        finally:
            await asyncio.to_thread(kafka_broker.start)
        produce(kafka_broker.bootstrap_servers, topic, [(b"a", b"2")])
        await assert_equal_to_the_log(served, kafka_broker, topic)
        async with asyncio.timeout(60):
            await served.state(State.LIVE)


@pytest.mark.parametrize("records", [1, 3, 9])
async def test_a_topic_created_again_is_never_mixed_with_the_old_one(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path, records: int
) -> None:
    kafka_broker.create_topic(topic, 1)
    produce(kafka_broker.bootstrap_servers, topic, [(b"old%d" % n, b"1") for n in range(3)])
    async with serving(kafka_broker.bootstrap_servers, topic, tmp_path) as served:
        await assert_equal_to_the_log(served, kafka_broker, topic)
    kafka_broker.delete_topic(topic)
    kafka_broker.create_topic(topic, 1)
    produce(kafka_broker.bootstrap_servers, topic, [(b"new%d" % n, b"1") for n in range(records)])
    with pytest.raises(TopicMismatch, match="created again"):
        async with serving(kafka_broker.bootstrap_servers, topic, tmp_path) as served:
            await served.run.wait()
    assert "STOPPED" in _stored_state(tmp_path)


async def test_a_topic_created_again_while_running_stops_the_service(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    kafka_broker.create_topic(topic, 1)
    produce(kafka_broker.bootstrap_servers, topic, [(b"old", b"1")])
    with pytest.raises(OperatorError, match=r"created again|no longer has|ends at offset"):
        async with serving(kafka_broker.bootstrap_servers, topic, tmp_path) as served:
            await assert_equal_to_the_log(served, kafka_broker, topic)
            kafka_broker.delete_topic(topic)
            kafka_broker.create_topic(topic, 1)
            async with asyncio.timeout(40):
                await served.run.wait()


async def test_records_that_kafka_dropped_before_they_were_read_stop_the_service(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    kafka_broker.create_topic(topic, 1)
    produce(kafka_broker.bootstrap_servers, topic, [(b"a", b"1")])
    async with serving(kafka_broker.bootstrap_servers, topic, tmp_path) as served:
        await assert_equal_to_the_log(served, kafka_broker, topic)
    produce(kafka_broker.bootstrap_servers, topic, [(b"b%d" % n, b"2") for n in range(9)])
    kafka_broker.delete_records(topic, {0: 5})
    with pytest.raises(TopicMismatch, match="starts at offset 5, past the table's position 1"):
        async with serving(kafka_broker.bootstrap_servers, topic, tmp_path) as served:
            await served.run.wait()


async def test_killed_at_random_moments_it_loses_nothing_and_applies_nothing_twice(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    random = Random(7)
    kafka_broker.create_topic(topic, 4)
    records = [
        (b"key-%d" % random.randrange(20_000), None if random.random() < 0.2 else random.randbytes(60))
        for _ in range(150_000)
    ]
    produce(kafka_broker.bootstrap_servers, topic, records)
    kills = 0
    for _ in range(12):
        service = await _spawn(kafka_broker.bootstrap_servers, topic, tmp_path)
        try:
            await asyncio.sleep(random.uniform(0.7, 1.6))
        finally:
            service.send_signal(signal.SIGKILL)
            await service.wait()
        kills += 0 < _stored_position(tmp_path) < len(records)
    assert kills >= 1, "no kill hit the load: nothing was tested"
    async with serving(kafka_broker.bootstrap_servers, topic, tmp_path, window_changes_max=10**6) as served:
        await assert_equal_to_the_log(served, kafka_broker, topic)
    with closing(sqlite3.connect(tmp_path / "kvs.db")) as connection:
        applied = connection.execute("SELECT count(*), count(DISTINCT partition << 40 | offset) FROM change").fetchone()
    assert applied == (len(records), len(records))


async def _spawn(servers: str, topic: str, directory: Path) -> asyncio.subprocess.Process:
    """The service as a process of its own, with batches small enough to be killed between them."""
    settings = {
        "KVS_BOOTSTRAP_SERVERS": servers,
        "KVS_TOPIC": topic,
        "KVS_DATABASE": str(directory / "kvs.db"),
        "KVS_PORT": "0",
        "KVS_BATCH_RECORDS_MAX": "2000",
        "KVS_WINDOW_CHANGES_MAX": "1000000",
        "KVS_LOG_LEVEL": "error",
    }
    return await asyncio.create_subprocess_exec(sys.executable, "-m", "kvs_graphql", "serve", env=os.environ | settings)


def _stored_position(directory: Path) -> int:
    with closing(sqlite3.connect(directory / "kvs.db")) as connection:
        return int(connection.execute("SELECT ifnull(sum(next_offset), 0) FROM position").fetchone()[0])


def _stored_state(directory: Path) -> str:
    with closing(sqlite3.connect(directory / "kvs.db")) as connection:
        return json.dumps(connection.execute("SELECT state, reason FROM source").fetchone())
