"""Killed at any moment, the service goes on without losing or repeating a record."""

import asyncio
import os
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from tests.kafka.broker import KafkaBroker
from tests.kafka.equality import assert_equal_to_the_log
from tests.kafka.produce import produce
from tests.serving import serving

pytestmark = pytest.mark.kafka


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
