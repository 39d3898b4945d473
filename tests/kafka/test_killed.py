"""A service that is killed loses no record and applies none twice."""

import asyncio
import os
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from random import Random

import pytest

from tests.kafka.broker import KafkaBroker
from tests.kafka.equality import assert_equal_to_the_log
from tests.kafka.produce import produce
from tests.serving import serving

# Each kill takes a start of the service.
pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600)]

KILLS = 6
ROUND_RECORDS = 10_000
# Small batches, so that a round has many transactions.
BATCH_RECORDS = 100
POLL_SECONDS = 0.002


async def test_killed_service_loses_no_record_and_applies_none_twice(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    random = Random(7)
    kafka_broker.create_topic(topic, 4)
    records = kills = 0
    while kills < KILLS:
        begun_at = _stored_offsets(tmp_path)
        records += _produce_round(kafka_broker.bootstrap_servers, topic, random)
        kill_at = random.randrange(begun_at + 1, begun_at + ROUND_RECORDS // 2)
        async with _running(kafka_broker.bootstrap_servers, topic, tmp_path) as service:
            while _stored_offsets(tmp_path) < kill_at:
                assert service.returncode is None
                await asyncio.sleep(POLL_SECONDS)
            service.kill()
        killed_at = _stored_offsets(tmp_path)
        assert killed_at >= kill_at, "a commit was lost"
        # A kill after the last record of a round proves nothing, so another round follows.
        kills += killed_at < records
    async with serving(kafka_broker.bootstrap_servers, topic, tmp_path, window_changes_max=10**6) as served:
        await assert_equal_to_the_log(served, kafka_broker, topic)
    with closing(sqlite3.connect(tmp_path / "kvs.db")) as connection:
        applied = connection.execute("SELECT count(*), count(DISTINCT partition << 40 | offset) FROM change").fetchone()
    assert applied == (records, records)


def _produce_round(servers: str, topic: str, random: Random) -> int:
    keys = (b"key-%d" % random.randrange(20_000) for _ in range(ROUND_RECORDS))
    return produce(servers, topic, [(key, None if random.random() < 0.2 else random.randbytes(60)) for key in keys])


@asynccontextmanager
async def _running(servers: str, topic: str, directory: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """The service as a process of its own."""
    settings = {
        "KVS_BOOTSTRAP_SERVERS": servers,
        "KVS_TOPIC": topic,
        "KVS_DATABASE": str(directory / "kvs.db"),
        "KVS_PORT": "0",
        "KVS_BATCH_RECORDS_MAX": str(BATCH_RECORDS),
        "KVS_WINDOW_CHANGES_MAX": "1000000",
        "KVS_LOG_LEVEL": "error",
    }
    command = (sys.executable, "-m", "kvs_graphql", "serve")
    service = await asyncio.create_subprocess_exec(*command, env=os.environ | settings)
    try:
        yield service
    finally:
        with suppress(ProcessLookupError):
            service.kill()
        await service.wait()


def _stored_offsets(directory: Path) -> int:
    """How many offsets the table covers, over all partitions, as its file says; 0 before there is one."""
    try:
        with closing(sqlite3.connect(f"file:{directory / 'kvs.db'}?mode=ro", uri=True)) as connection:
            return int(connection.execute("SELECT ifnull(sum(next_offset), 0) FROM position").fetchone()[0])
    except sqlite3.OperationalError:
        return 0
