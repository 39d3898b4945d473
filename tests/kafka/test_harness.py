"""The test harness itself, against a real broker."""

import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from confluent_kafka import KafkaException

from tests.kafka import jars as jars_module
from tests.kafka.broker import KafkaBroker, KafkaBrokerError, KafkaMissing
from tests.kafka.process import GuardedProcess
from tests.kafka.produce import Compression, open_transaction, produce
from tests.kafka.topics import wait_until
from tests.kafka.truth import read_truth

COMPACTED_SECONDS_MAX = 20.0
WATCHDOG_SECONDS_MAX = 10.0

# Starts a guarded child, prints its process id, and waits to be killed.
OWNER = """
import sys, time
from pathlib import Path
from tests.kafka.process import GuardedProcess
print(GuardedProcess(["sleep", "600"], Path(sys.argv[1])).pid, flush=True)
time.sleep(600)
"""


@pytest.mark.kafka
@pytest.mark.parametrize("compression", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_truth_reads_every_compression(kafka_broker: KafkaBroker, topic: str, compression: Compression) -> None:
    kafka_broker.create_topic(topic, partitions=3)
    records = [(b"key-%d" % (number % 100), b"value-%d" % number) for number in range(1_000)]
    assert produce(kafka_broker.bootstrap_servers, topic, records, compression=compression) == 1_000

    truth = read_truth(kafka_broker.bootstrap_servers, topic)
    assert truth.live == dict(records)
    assert sum(truth.end_offsets.values()) == 1_000
    assert {record.partition for record in truth.table.values()} == {0, 1, 2}


@pytest.mark.kafka
def test_truth_distinguishes_null_from_empty_and_keeps_headers_and_timestamps(
    kafka_broker: KafkaBroker, topic: str
) -> None:
    kafka_broker.create_topic(topic)
    headers = [("kind", b"x"), ("kind", b""), ("none", None)]
    records = [(b"", b"empty key"), (None, b"no key"), (b"empty", b""), (b"gone", b"1"), (b"gone", None)]
    produce(kafka_broker.bootstrap_servers, topic, records, headers=headers, timestamp=1_234)

    truth = read_truth(kafka_broker.bootstrap_servers, topic)
    assert truth.live == {b"": b"empty key", b"empty": b""}
    assert truth.table[b"gone"].value is None
    assert truth.table[b"gone"].offset == 4
    assert truth.table[b"gone"].timestamp == 1_234
    assert truth.table[b"gone"].headers == tuple(headers)
    assert truth.keyless == 1


@pytest.mark.kafka
def test_truth_orders_a_key_in_two_partitions_by_timestamp_then_partition(
    kafka_broker: KafkaBroker, topic: str
) -> None:
    kafka_broker.create_topic(topic, partitions=2)
    servers = kafka_broker.bootstrap_servers
    produce(servers, topic, [(b"late", b"0"), (b"same", b"0")], partition=0, timestamp=2_000)
    produce(servers, topic, [(b"late", None)], partition=1, timestamp=1_000)
    produce(servers, topic, [(b"same", None)], partition=1, timestamp=2_000)

    assert read_truth(servers, topic).live == {b"late": b"0"}


@pytest.mark.kafka
def test_truth_contains_only_committed_transactions(kafka_broker: KafkaBroker, topic: str) -> None:
    kafka_broker.create_topic(topic)
    servers = kafka_broker.bootstrap_servers
    produce(servers, topic, [(b"k", b"committed")], transactional_id=topic)
    produce(servers, topic, [(b"k", b"aborted"), (b"other", b"aborted")], transactional_id=topic, abort=True)

    truth = read_truth(servers, topic)
    assert truth.live == {b"k": b"committed"}
    assert truth.end_offsets == {0: 5}, "three records and two markers"


@pytest.mark.kafka
def test_truth_ends_before_an_open_transaction(kafka_broker: KafkaBroker, topic: str) -> None:
    kafka_broker.create_topic(topic)
    servers = kafka_broker.bootstrap_servers
    produce(servers, topic, [(b"k", b"before")])
    with open_transaction(servers, topic, [(b"k", b"inside")], transactional_id=topic) as count:
        assert count == 1
        produce(servers, topic, [(b"k", b"after")])
        assert read_truth(servers, topic).live == {b"k": b"before"}
        assert read_truth(servers, topic).end_offsets == {0: 1}
        assert kafka_broker.end_offsets(topic) == {0: 3}

    # A broker answers a commit before it has marked the end of the transaction in the log.
    while (truth := read_truth(servers, topic)).end_offsets == {0: 1}:
        pass
    assert truth.live == {b"k": b"after"}


@pytest.mark.kafka
def test_failed_delivery_raises(kafka_broker: KafkaBroker, topic: str) -> None:
    kafka_broker.create_topic(topic, max_message_bytes="1000")
    with pytest.raises(KafkaException, match="MSG_SIZE_TOO_LARGE"):
        produce(kafka_broker.bootstrap_servers, topic, [(b"k", bytes(2_000))])
    with pytest.raises(KafkaException, match="UNKNOWN_PARTITION"):
        produce(kafka_broker.bootstrap_servers, topic, [(b"k", b"v")], partition=7)


@pytest.mark.kafka
def test_value_of_one_megabyte_fits(kafka_broker: KafkaBroker, topic: str) -> None:
    kafka_broker.create_topic(topic)
    produce(kafka_broker.bootstrap_servers, topic, [(b"large", bytes(1024 * 1024))])
    assert len(read_truth(kafka_broker.bootstrap_servers, topic).live[b"large"]) == 1024 * 1024


@pytest.mark.kafka
def test_reading_a_missing_topic_does_not_create_it(kafka_broker: KafkaBroker, topic: str) -> None:
    with pytest.raises(KafkaException, match="UNKNOWN_TOPIC_OR_PART"):
        read_truth(kafka_broker.bootstrap_servers, topic)


@pytest.mark.kafka
def test_restart_keeps_data_and_address(kafka_broker: KafkaBroker, topic: str) -> None:
    kafka_broker.create_topic(topic)
    address = kafka_broker.bootstrap_servers
    produce(address, topic, [(b"k", b"v")])
    kafka_broker.restart()
    assert kafka_broker.bootstrap_servers == address
    assert read_truth(address, topic).live == {b"k": b"v"}


@pytest.mark.kafka
def test_killed_broker_comes_back_with_its_data(kafka_broker: KafkaBroker, topic: str) -> None:
    kafka_broker.create_topic(topic)
    servers = kafka_broker.bootstrap_servers
    produce(servers, topic, [(b"k", b"v")])
    kafka_broker.kill()
    try:
        assert not kafka_broker.running
    finally:
        kafka_broker.start()
    produce(servers, topic, [(b"k", b"w")])
    assert read_truth(servers, topic).live == {b"k": b"w"}


@pytest.mark.kafka
def test_paused_broker_answers_nothing_until_it_resumes(kafka_broker: KafkaBroker, topic: str) -> None:
    kafka_broker.create_topic(topic)
    servers = kafka_broker.bootstrap_servers
    produce(servers, topic, [(b"k", b"v")])
    kafka_broker.pause()
    try:
        assert kafka_broker.running
        with pytest.raises(KafkaException):
            produce(servers, topic, [(b"k", b"lost")], seconds_max=2)
    finally:
        kafka_broker.resume()
    produce(servers, topic, [(b"k", b"w")])
    assert read_truth(servers, topic).live == {b"k": b"w"}


@pytest.mark.kafka
def test_recreated_topic_has_another_id(kafka_broker: KafkaBroker, topic: str) -> None:
    kafka_broker.create_topic(topic)
    produce(kafka_broker.bootstrap_servers, topic, [(b"k", b"v")])
    first = kafka_broker.topic_id(topic)
    assert kafka_broker.topic_id(topic) == first
    kafka_broker.delete_topic(topic)
    kafka_broker.create_topic(topic)
    assert kafka_broker.topic_id(topic) != first
    assert read_truth(kafka_broker.bootstrap_servers, topic).table == {}


@pytest.mark.kafka
def test_deleting_records_moves_the_start_of_the_log(kafka_broker: KafkaBroker, topic: str) -> None:
    kafka_broker.create_topic(topic, partitions=2)
    servers = kafka_broker.bootstrap_servers
    for partition in (0, 1):
        produce(servers, topic, [(b"%d-%d" % (partition, n), b"v") for n in range(10)], partition=partition)
    kafka_broker.delete_records(topic, {0: 4, 1: -1})
    assert kafka_broker.start_offsets(topic) == {0: 4, 1: 10}
    assert sorted(read_truth(servers, topic).live) == [b"0-%d" % n for n in range(4, 10)]


@pytest.mark.kafka
def test_retention_drops_old_records(kafka_broker: KafkaBroker, topic: str) -> None:
    kafka_broker.create_topic(topic)
    produce(kafka_broker.bootstrap_servers, topic, [(b"k", b"v")], timestamp=1_000)
    kafka_broker.alter_topic(topic, retention_ms="60000")
    wait_until(lambda: kafka_broker.start_offsets(topic) == {0: 1}, "retention")


@pytest.mark.kafka
def test_partitions_can_be_added(kafka_broker: KafkaBroker, topic: str) -> None:
    kafka_broker.create_topic(topic)
    kafka_broker.add_partitions(topic, 3)
    produce(kafka_broker.bootstrap_servers, topic, [(b"k", b"v")], partition=2)
    assert read_truth(kafka_broker.bootstrap_servers, topic).end_offsets == {0: 0, 1: 0, 2: 1}


@pytest.mark.kafka
def test_altering_one_setting_keeps_the_others(kafka_broker: KafkaBroker, topic: str) -> None:
    kafka_broker.create_topic(topic, 1, cleanup_policy="compact", **{"segment.ms": "5000"})
    kafka_broker.alter_topic(topic, min_cleanable_dirty_ratio="0", delete_retention_ms="7")
    settings = kafka_broker.settings_of(topic)
    assert settings["cleanup.policy"] == "compact"
    assert settings["segment.ms"] == "5000"
    assert settings["delete.retention.ms"] == "7"


@pytest.mark.kafka
def test_compaction_removes_overwritten_records_and_old_tombstones(kafka_broker: KafkaBroker, topic: str) -> None:
    kafka_broker.compacting_topic(topic, partitions=2, delete_retention_ms="0")
    servers = kafka_broker.bootstrap_servers
    for partition in (0, 1):
        produce(servers, topic, [(b"k", b"old"), (b"gone", b"1"), (b"gone", None), (b"k", b"new")], partition=partition)
    before = read_truth(servers, topic)
    assert before.records == 8

    started = time.monotonic()
    kafka_broker.compact(topic)
    kafka_broker.compact(topic)
    assert time.monotonic() < started + COMPACTED_SECONDS_MAX

    after = read_truth(servers, topic)
    assert after.records == 2
    assert after.live == before.live == {b"k": b"new"}
    assert after.table == {b"k": before.table[b"k"]}


@pytest.mark.kafka
def test_compaction_ignores_timestamps(kafka_broker: KafkaBroker, topic: str) -> None:
    kafka_broker.compacting_topic(topic, message_timestamp_after_max_ms=str(2**62))
    future = 9_000_000_000_000
    produce(kafka_broker.bootstrap_servers, topic, [(b"k", b"old"), (b"k", b"new")], timestamp=future)
    kafka_broker.compact(topic)
    assert read_truth(kafka_broker.bootstrap_servers, topic).records == 1


@pytest.mark.kafka
def test_failed_start_shows_the_log(tmp_path: Path, kafka_broker: KafkaBroker) -> None:
    assert kafka_broker.running
    broker = KafkaBroker(tmp_path)
    host, port = broker.bootstrap_servers.split(":")
    with socket.socket() as taken:
        taken.bind((host, int(port)))
        with pytest.raises(KafkaBrokerError, match=r"(?s)ended.*Address already in use"):
            broker.start()
    assert not broker.running


@pytest.mark.kafka
def test_wrong_setting_is_shown(tmp_path: Path, kafka_broker: KafkaBroker) -> None:
    assert kafka_broker.running
    with pytest.raises(KafkaBrokerError, match=r"(?s)formatted.*num.partitions"):
        KafkaBroker(tmp_path, {"num.partitions": "many"}).start()


def test_missing_maven_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("KVS_KAFKA_JARS", str(tmp_path / "jars"))
    with pytest.raises(KafkaMissing, match="mvn"):
        jars_module.jars()
    with pytest.raises(KafkaMissing, match="java"):
        jars_module.java()


def test_existing_jars_need_no_maven(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "kafka_2.13-4.1.0.jar").touch()
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("KVS_KAFKA_JARS", str(tmp_path))
    assert jars_module.jars() == tmp_path


def test_child_ends_when_its_owner_is_killed(tmp_path: Path) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path / "log")],
        stdout=subprocess.PIPE,
        text=True,
        cwd=jars_module.REPOSITORY,
    )
    with owner:
        assert owner.stdout is not None
        child = int(owner.stdout.readline())
        assert _alive(child)
        owner.kill()
    wait_until(lambda: not _alive(child), f"the end of process {child}", WATCHDOG_SECONDS_MAX)


def test_paused_child_can_be_terminated(tmp_path: Path) -> None:
    child = GuardedProcess(["sleep", "600"], tmp_path / "log")
    child.pause()
    assert child.exit_status() is None
    assert child.terminate(wait_seconds=10) == -15
    assert child.exit_status() == -15


def _alive(pid: int) -> bool:
    """Whether a process runs. A zombie does not."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return state.strip() != "" and not state.startswith("Z")
