"""The service on a real Kafka broker: the table equals the log."""

import asyncio
from pathlib import Path
from random import Random
from typing import Any

import pytest

from kvs_graphql.state import State
from tests.deadline import SECONDS_MAX
from tests.kafka.broker import COMPACTING, KafkaBroker
from tests.kafka.equality import assert_equal_to_the_log
from tests.kafka.produce import open_transaction, produce
from tests.serving import Served, serving

pytestmark = pytest.mark.kafka


async def status_of(served: Served) -> Any:
    """What the status says of the table that is asked."""
    tables = (await served.data("{ status { tables { name partitions { lag } } } }"))["status"]["tables"]
    return next(one for one in tables if (one["name"] or "") == served.table)


async def readiness_of(served: Served) -> Any:
    """What the readiness says of the table that is asked."""
    found = (await served.http.get("/readyz")).json()
    return found["tables"][served.table] if served.table else found


async def test_every_compression_is_readable(kafka_broker: KafkaBroker, topic: str, table: str, tmp_path: Path) -> None:
    kafka_broker.create_topic(topic, 2)
    for compression in ("none", "gzip", "snappy", "lz4", "zstd"):
        records = [(f"{compression}/{n}".encode(), compression.encode() * 50) for n in range(50)]
        produce(kafka_broker.bootstrap_servers, topic, records, compression=compression)
    async with serving(kafka_broker.bootstrap_servers, topic, tmp_path, table=table) as served:
        truth = await assert_equal_to_the_log(served, kafka_broker, topic)
        assert len(truth.live) == 250


async def test_keys_values_and_headers_arrive_unchanged(
    kafka_broker: KafkaBroker, topic: str, table: str, tmp_path: Path
) -> None:
    kafka_broker.create_topic(topic, 1)
    big = Random(1).randbytes(1_000_000)
    headers: Any = [("h", b"\xff\x00"), ("h", b""), ("other", None)]
    produce(
        kafka_broker.bootstrap_servers,
        topic,
        [(b"\xff\xfe", b"binary key"), (b"", b"empty key"), (b"empty value", b""), (b"big", big)],
        headers=headers,
    )
    async with serving(kafka_broker.bootstrap_servers, topic, tmp_path, table=table) as served:
        await assert_equal_to_the_log(served, kafka_broker, topic)
        (header, *rest) = (await served.data('{ value(key: "big") { headers { key value(encoding: HEX) } } }'))[
            "value"
        ]["headers"]
        assert header == {"key": "h", "value": "ff00"}
        assert rest == [{"key": "h", "value": ""}, {"key": "other", "value": None}]


async def test_aborted_records_never_show_and_leave_no_lag(
    kafka_broker: KafkaBroker, topic: str, table: str, tmp_path: Path
) -> None:
    kafka_broker.create_topic(topic, 2)
    servers = kafka_broker.bootstrap_servers
    produce(servers, topic, [(b"k%d" % n, b"committed") for n in range(20)], transactional_id=f"{topic}-1")
    produce(servers, topic, [(b"k%d" % n, b"aborted") for n in range(20)], transactional_id=f"{topic}-2", abort=True)
    async with serving(servers, topic, tmp_path, table=table) as served:
        async with asyncio.timeout(SECONDS_MAX):
            await served.state(State.LIVE)
        await assert_equal_to_the_log(served, kafka_broker, topic)
        assert (await served.http.get("/readyz")).status_code == 200
        produce(servers, topic, [(b"k0", b"aborted")], transactional_id=f"{topic}-3", abort=True)
        await assert_equal_to_the_log(served, kafka_broker, topic)
        assert (await status_of(served))["partitions"] == [{"lag": 0}, {"lag": 0}]
        assert (await served.data("{ status { lag } }"))["status"] == {"lag": 0}


async def test_open_transaction_delays_neither_readiness_nor_earlier_records(
    kafka_broker: KafkaBroker, topic: str, table: str, tmp_path: Path
) -> None:
    kafka_broker.create_topic(topic, 1)
    produce(kafka_broker.bootstrap_servers, topic, [(b"a", b"1")])
    with open_transaction(kafka_broker.bootstrap_servers, topic, [(b"a", b"2")], transactional_id=f"{topic}-open"):
        async with serving(kafka_broker.bootstrap_servers, topic, tmp_path, table=table) as served:
            async with asyncio.timeout(SECONDS_MAX):
                await served.state(State.LIVE)
            assert (await served.data('{ value(key: "a") { value } }')) == {"value": {"value": "1"}}


async def test_compacted_topic_is_read_across_its_gaps(
    kafka_broker: KafkaBroker, topic: str, table: str, tmp_path: Path
) -> None:
    kafka_broker.create_topic(topic, 1, **COMPACTING)
    for round_number in range(3):
        produce(kafka_broker.bootstrap_servers, topic, [(b"k%d" % n, b"%d" % round_number) for n in range(100)])
    produce(kafka_broker.bootstrap_servers, topic, [(b"k1", None)])
    kafka_broker.compact(topic)
    async with serving(kafka_broker.bootstrap_servers, topic, tmp_path, table=table) as served:
        async with asyncio.timeout(SECONDS_MAX):
            await served.state(State.LIVE)
        truth = await assert_equal_to_the_log(served, kafka_broker, topic)
        assert truth.records < 300
        # Compact again while the consumer reads.
        for round_number in range(3, 6):
            produce(kafka_broker.bootstrap_servers, topic, [(b"k%d" % n, b"%d" % round_number) for n in range(50)])
            await asyncio.to_thread(kafka_broker.compact, topic)
        await assert_equal_to_the_log(served, kafka_broker, topic)


async def test_service_waits_for_a_missing_topic(
    kafka_broker: KafkaBroker, topic: str, table: str, tmp_path: Path
) -> None:
    async with serving(kafka_broker.bootstrap_servers, topic, tmp_path, table=table) as served:
        async with asyncio.timeout(SECONDS_MAX):
            await served.state(State.WAITING_FOR_TOPIC)
        assert (await served.http.get("/readyz")).status_code == 503
        assert f"topic '{topic}' does not exist" in (await readiness_of(served))["reason"]
        assert await served.data("{ entries { edges { cursor } } }") == {"entries": {"edges": []}}
        kafka_broker.create_topic(topic, 1)
        produce(kafka_broker.bootstrap_servers, topic, [(b"a", b"1")])
        async with asyncio.timeout(SECONDS_MAX):
            await served.state(State.LIVE)
        await assert_equal_to_the_log(served, kafka_broker, topic)


async def test_partitions_added_while_running_are_read(
    kafka_broker: KafkaBroker, topic: str, table: str, tmp_path: Path
) -> None:
    kafka_broker.create_topic(topic, 1)
    produce(kafka_broker.bootstrap_servers, topic, [(b"k%d" % n, b"1") for n in range(20)])
    async with serving(kafka_broker.bootstrap_servers, topic, tmp_path, table=table) as served:
        await assert_equal_to_the_log(served, kafka_broker, topic)
        kafka_broker.add_partitions(topic, 3)
        produce(kafka_broker.bootstrap_servers, topic, [(b"new%d" % n, b"2") for n in range(20)])
        await assert_equal_to_the_log(served, kafka_broker, topic)
        assert len((await status_of(served))["partitions"]) == 3


async def test_reads_work_without_the_broker_and_the_service_catches_up_afterwards(
    kafka_broker: KafkaBroker, topic: str, table: str, tmp_path: Path
) -> None:
    kafka_broker.create_topic(topic, 1)
    produce(kafka_broker.bootstrap_servers, topic, [(b"a", b"1")])
    async with serving(kafka_broker.bootstrap_servers, topic, tmp_path, table=table) as served:
        await assert_equal_to_the_log(served, kafka_broker, topic)
        await asyncio.to_thread(kafka_broker.kill)
        try:
            async with asyncio.timeout(SECONDS_MAX):
                await served.state(State.WAITING_FOR_BROKER)
            assert (await served.data('{ value(key: "a") { value } }')) == {"value": {"value": "1"}}
            found = await readiness_of(served)
            assert (found["ready"], found["state"]) == (True, "WAITING_FOR_BROKER")
        finally:
            await asyncio.to_thread(kafka_broker.start)
        produce(kafka_broker.bootstrap_servers, topic, [(b"a", b"2")])
        await assert_equal_to_the_log(served, kafka_broker, topic)
        async with asyncio.timeout(SECONDS_MAX):
            await served.state(State.LIVE)
