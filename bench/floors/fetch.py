"""aiokafka alone, with the service's own fetch settings: a whole topic without storing it, or the live end."""

import time
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from bench.data import PARTITIONS, read_stamp
from bench.load.worker import Harness, Specification, percentiles_ms, run
from kvs_graphql.settings import load_settings

_WAIT_MS = 100
_RECORDS_MAX = 5_000
_NS_PER_US = 1_000
_US = 1_000_000


async def work(harness: Harness, specification: Specification) -> None:
    """Read the topic once; or, with `live`, take one run after another at its end."""
    fetch_bytes_max = load_settings().fetch_bytes_max
    consumer = AIOKafkaConsumer(
        bootstrap_servers=specification["bootstrap_servers"],
        group_id=None,
        enable_auto_commit=False,
        isolation_level="read_committed",
        fetch_max_wait_ms=_WAIT_MS,
        fetch_max_bytes=fetch_bytes_max,
        max_partition_fetch_bytes=fetch_bytes_max,
    )
    partitions = [TopicPartition(specification["topic"], number) for number in range(PARTITIONS)]
    consumer.assign(partitions)
    await consumer.start()
    try:
        if specification["live"]:
            await consumer.seek_to_end(*partitions)
            await _listen(harness, consumer)
        else:
            await consumer.seek_to_beginning(*partitions)
            await _read(harness, consumer, partitions)
    finally:
        await consumer.stop()


async def _read(harness: Harness, consumer: Any, partitions: list[TopicPartition]) -> None:
    missing = sum((await consumer.end_offsets(partitions)).values())
    records = 0
    began, cpu_began = time.perf_counter(), time.process_time()
    while records < missing:
        fetched = await consumer.getmany(timeout_ms=_WAIT_MS, max_records=_RECORDS_MAX)
        records += sum(map(len, fetched.values()))
    harness.send(
        records=records,
        seconds=time.perf_counter() - began,
        cpu_seconds=time.process_time() - cpu_began,
    )


async def _listen(harness: Harness, consumer: Any) -> None:
    harness.send(event="listening")
    while True:
        command = await harness.receive()
        harness.send(event="ready")
        latencies: list[float] = []
        while len(latencies) < command["expected"]:
            fetched = await consumer.getmany(timeout_ms=_WAIT_MS, max_records=_RECORDS_MAX)
            now_us = time.time_ns() // _NS_PER_US
            for messages in fetched.values():
                latencies.extend((now_us - read_stamp(message.value, 0)[3]) / _US for message in messages)
        harness.send(**percentiles_ms(latencies))


if __name__ == "__main__":
    run(work)
