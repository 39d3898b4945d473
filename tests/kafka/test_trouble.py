"""Failures of the broker, the disk and the log: what continues, what stops, and what the status shows."""

import asyncio
import os
import re
import resource
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from kvs_graphql.kafka.consumer_session import open_session
from kvs_graphql.state import State
from tests.deadline import SECONDS_MAX
from tests.kafka.broker import KafkaBroker
from tests.kafka.equality import assert_equal_to_the_log
from tests.kafka.produce import open_transaction, produce
from tests.kafka.replica import replica
from tests.serving import nothing_applied, serving

pytestmark = pytest.mark.kafka


async def test_hanging_broker_is_noticed_and_read_again_when_it_resumes(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kvs_graphql.kafka.connection.REQUEST_TIMEOUT_MS", 2_000)
    kafka_broker.create_topic(topic, 1)
    produce(kafka_broker.bootstrap_servers, topic, [(b"a", b"1")])
    async with serving(kafka_broker.bootstrap_servers, topic, tmp_path) as served:
        await assert_equal_to_the_log(served, kafka_broker, topic)
        kafka_broker.pause()
        try:
            async with asyncio.timeout(SECONDS_MAX):
                await served.state(State.WAITING_FOR_BROKER)
            assert await served.data('{ value(key: "a") { value } }') == {"value": {"value": "1"}}
        finally:
            kafka_broker.resume()
        produce(kafka_broker.bootstrap_servers, topic, [(b"a", b"2")])
        async with asyncio.timeout(SECONDS_MAX):
            await served.state(State.LIVE)
        await assert_equal_to_the_log(served, kafka_broker, topic)


async def test_stalled_consumer_gets_a_new_session(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = []

    @asynccontextmanager
    async def first_one_stalls(*arguments: Any, **options: Any) -> AsyncIterator[Any]:
        async with open_session(*arguments, **options) as session:
            sessions.append(session)
            if len(sessions) == 1:
                session.consumer.pause(*session.partitions)
            yield session

    monkeypatch.setattr("kvs_graphql.kafka.consumer.open_session", first_one_stalls)
    kafka_broker.create_topic(topic, 1)
    produce(kafka_broker.bootstrap_servers, topic, [(b"a", b"1")])
    async with serving(kafka_broker.bootstrap_servers, topic, tmp_path, stall_seconds_max=2) as served:
        async with asyncio.timeout(SECONDS_MAX):
            await served.state(State.LIVE)
        await assert_equal_to_the_log(served, kafka_broker, topic)
    assert len(sessions) >= 2


async def test_status_shows_records_held_back_by_open_transactions_apart_from_lag(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    kafka_broker.create_topic(topic, 1)
    produce(kafka_broker.bootstrap_servers, topic, [(b"a", b"1")])
    async with serving(kafka_broker.bootstrap_servers, topic, tmp_path) as served:
        await assert_equal_to_the_log(served, kafka_broker, topic)
        records = [(b"k%d" % n, b"2") for n in range(5)]
        with open_transaction(kafka_broker.bootstrap_servers, topic, records, transactional_id=f"{topic}-open"):
            shown = {"lag": 0, "heldBack": 0}
            async with asyncio.timeout(SECONDS_MAX):
                while shown["heldBack"] < len(records):
                    found = await served.data("{ status { tables { compacted partitions { lag heldBack } } } }")
                    (table,) = found["status"]["tables"]
                    (shown,) = table["partitions"]
            assert shown == {"lag": 0, "heldBack": len(records)}
            assert table["compacted"] is False


async def test_service_waits_for_a_locked_database(kafka_broker: KafkaBroker, topic: str, tmp_path: Path) -> None:
    kafka_broker.create_topic(topic, 1)
    produce(kafka_broker.bootstrap_servers, topic, [(b"a", b"1")])
    async with serving(kafka_broker.bootstrap_servers, topic, tmp_path) as served:
        await assert_equal_to_the_log(served, kafka_broker, topic)
        with nothing_applied(tmp_path):
            produce(kafka_broker.bootstrap_servers, topic, [(b"a", b"2")])
            answer = await until_not_ready(served.http)
            assert "locked" in answer["reason"]
            assert await served.data('{ value(key: "a") { value } }') == {"value": {"value": "1"}}
        await assert_equal_to_the_log(served, kafka_broker, topic)
        await until_ready(served.http)


async def test_full_disk_stops_ingestion_but_not_reads(kafka_broker: KafkaBroker, topic: str, tmp_path: Path) -> None:
    kafka_broker.create_topic(topic, 1)
    produce(kafka_broker.bootstrap_servers, topic, [(b"a", b"1")])
    async with replica(kafka_broker.bootstrap_servers, topic, tmp_path) as service:
        await until_ready(service.http)
        wal = (tmp_path / "kvs.db-wal").stat().st_size
        # Limits the size of files for this process only, as a quota would.
        resource.prlimit(service.pid, resource.RLIMIT_FSIZE, (wal + 100_000, resource.RLIM_INFINITY))
        produce(kafka_broker.bootstrap_servers, topic, [(b"b%d" % n, bytes(50_000)) for n in range(20)])
        answer = await until_not_ready(service.http)
        assert "cannot be written" in answer["reason"]
        await until_failed(service.logged, 3)
        reasons = [line["reason"] for line in service.logged() if line["event"] == "state"]
        # An attempt changes nothing as long as it may fail as the last one did.
        failing = ["cannot be written" in reason for reason in reasons]
        assert all(failing[failing.index(True) :])
        assert await service.data('{ value(key: "a") { value } }') == {"value": {"value": "1"}}
        resource.prlimit(service.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        await until_ready(service.http)
        assert await service.data('{ value(key: "b19") { size } }') == {"value": {"size": 50_000}}


async def test_read_only_file_system_stops_ingestion_but_not_reads(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    kafka_broker.create_topic(topic, 2)
    produce(kafka_broker.bootstrap_servers, topic, [(b"a", b"1"), (b"b", b"1")])
    async with replica(kafka_broker.bootstrap_servers, topic, tmp_path) as service:
        await assert_equal_to_the_log(service, kafka_broker, topic)
        before = await service.positions()
        with read_only(service.pid, service.database, tmp_path / "calls") as refused:
            produce(kafka_broker.bootstrap_servers, topic, [(b"a", b"2"), (b"b", None), (b"c", b"1")])
            answer = await until_not_ready(service.http)
            assert re.search("database cannot be written: .*SQLITE_IOERR_WRITE", answer["reason"])
            assert answer["lag"] > 0
            assert await service.data('{ value(key: "a") { value } }') == {"value": {"value": "1"}}
            produce(kafka_broker.bootstrap_servers, topic, [(b"d%d" % n, b"1") for n in range(500)])
            async with asyncio.timeout(SECONDS_MAX):
                while refused() < 10:  # noqa: ASYNC110 - another process wakes nobody
                    await asyncio.sleep(0.05)
            assert await service.positions() == before
            assert (await service.http.get("/readyz")).status_code == 503
        await until_ready(service.http)
        await assert_equal_to_the_log(service, kafka_broker, topic)


@contextmanager
def read_only(pid: int, database: Path, calls: Path) -> Iterator[Callable[[], int]]:
    """Fail the process's writes to the database with EROFS, as a file system does that became read-only.

    Gives how many were until now; they are noted in the file `calls`. (A real file system becomes read-only underneath
    open files only by an error, and does not become writable again then.)
    """
    strace = shutil.which("strace")
    if strace is None and os.environ.get("KVS_REQUIRE_KAFKA") == "1":
        pytest.fail("KVS_REQUIRE_KAFKA=1, but there is no strace", pytrace=False)
    if strace is None:
        pytest.skip("strace is not on the PATH")
    writes = "write,pwrite64,pwritev,ftruncate,fallocate"
    files = [f"--trace-path={database}{suffix}" for suffix in ("", "-wal", "-shm", "-journal")]
    answers = [f"--trace={writes}", f"--inject={writes}:error=EROFS", f"--output={calls}", *files]
    command = [strace, "--follow-forks", *answers, f"--attach={pid}"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as tracer:
        try:
            assert tracer.stderr is not None
            first = tracer.stderr.readline()
            assert "attached" in first, first
            yield lambda: calls.read_text().count("EROFS")
        finally:
            tracer.terminate()


async def until_ready(http: httpx.AsyncClient) -> None:
    await _until(http, 200)


async def until_not_ready(http: httpx.AsyncClient) -> dict[str, Any]:
    return await _until(http, 503)


async def until_failed(logged: Callable[[], Sequence[Mapping[str, Any]]], sessions: int) -> None:
    """Return once so many sessions are logged as failed."""
    async with asyncio.timeout(SECONDS_MAX):
        while sum(line["event"] == "session failed" for line in logged()) < sessions:  # noqa: ASYNC110 - a log has no event
            await asyncio.sleep(0.05)


async def _until(http: httpx.AsyncClient, status: int) -> dict[str, Any]:
    async with asyncio.timeout(SECONDS_MAX):
        while (answer := await http.get("/readyz")).status_code != status:  # noqa: ASYNC110 - nothing to await over HTTP
            await asyncio.sleep(0.05)
    found: dict[str, Any] = answer.json()
    return found
