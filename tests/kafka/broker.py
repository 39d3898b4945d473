"""Real Apache Kafka brokers (KRaft) for tests and benchmarks. Each is a process with its own directory."""

import os
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from confluent_kafka.admin import AdminClient

from tests.kafka.classes import archive_option
from tests.kafka.jars import KafkaMissing, jars, java
from tests.kafka.process import GuardedProcess
from tests.kafka.produce import produce
from tests.kafka.topics import Topics, wait_until
from tests.ports import HOST, free_ports

__all__ = ["COMPACTING", "KafkaBroker", "KafkaBrokerError", "KafkaMissing", "jars"]

CLUSTER_ID = "a3ZzLWdyYXBocWwta3Zzcw"
LOG_CONFIGURATION = Path(__file__).with_name("log4j2.xml")
FORMAT_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 30.0
COMPACT_SECONDS_MAX = 30.0
LOG_TAIL_CHARACTERS = 4_000

# Java options for a broker that starts often and does little. A start then needs two thirds of the CPU time.
QUICK_START = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")

# A topic with these settings is compacted within a second of `KafkaBroker.compact`, and continuously while it is
# written to. The cleaner never touches the active segment, so segments are small. They have to hold a record of 1 MB,
# and Kafka 4 allows no less than 1 MB (internal.segment.bytes does, but refuses larger batches).
COMPACTING: Mapping[str, str] = {
    "cleanup.policy": "compact",
    "segment.bytes": str(2 * 1024 * 1024),
    "segment.ms": "200",
    "min.cleanable.dirty.ratio": "0.0",
    "min.compaction.lag.ms": "0",
    "max.compaction.lag.ms": "200",
    "file.delete.delay.ms": "100",
}
# The most that a batch adds to the value of its only record, which has no key and no headers.
BATCH_OVERHEAD_BYTES = 80


class KafkaBrokerError(Exception):
    """The broker did not start; the message ends with the last lines of its log."""


class KafkaBroker(Topics):
    """A real broker in `directory`, which keeps its data, its settings and its log (`broker.log`).

    It is node 1 and controller of its own cluster, or with `joins` node 2 of that broker's cluster. Its address stays
    the same over restarts. `settings`, by Kafka's names, override the defaults. The process never outlives this one.
    Every call blocks: in asynchronous code use `asyncio.to_thread`. Not thread-safe.
    """

    def __init__(
        self,
        directory: Path,
        settings: Mapping[str, str] | None = None,
        heap_megabytes: int = 512,
        *,
        java_options: Sequence[str] = (),
        joins: "KafkaBroker | None" = None,
    ) -> None:
        self._directory = directory
        self._port, unused_port = free_ports(2)
        self._controller_port: int = unused_port if joins is None else joins._controller_port
        roles = _controlling(self._port, unused_port) if joins is None else _controlled(self._port)
        self.node = int(roles["node.id"])
        chosen = _settings(directory / "data", self._controller_port) | roles
        self._settings = {**chosen, **(settings or {})}
        self._java_options = [f"-Xmx{heap_megabytes}m", *java_options]
        self._process: GuardedProcess | None = None
        super().__init__(f"{HOST}:{self._port}")

    @property
    def log(self) -> Path:
        """The broker's log and standard output, over all its starts."""
        return self._directory / "broker.log"

    @property
    def running(self) -> bool:
        """Whether the process exists; it may be paused."""
        return self._process is not None and self._process.exit_status() is None

    def start(self, timeout_seconds: float = 60) -> None:
        """Start the broker; return once it has joined its cluster and every partition has a leader.

        Raises KafkaMissing without Java or the jars, KafkaBrokerError if it ends or is not ready in time.
        """
        assert not self.running, "the broker runs already"
        runtime = self._java()
        deadline = time.monotonic() + timeout_seconds
        self._prepare(runtime)
        self._process = GuardedProcess([*runtime, "kafka.Kafka", str(self._properties)], self.log)
        try:
            self._wait_until_ready(deadline)
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Stop the broker in order (SIGTERM), even if it is paused. Do nothing if it does not run."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate(STOP_SECONDS_MAX)

    def kill(self) -> None:
        """Kill the broker (SIGKILL), as a crash would. Do nothing if it does not run.

        Acknowledged records survive, because the kernel has them; a `delete_records` of the last half second may not.
        """
        process, self._process = self._process, None
        if process is not None:
            process.kill()

    def restart(self, timeout_seconds: float = 60) -> None:
        """Stop the broker in order and start it with the same data and address."""
        self.stop()
        self.start(timeout_seconds)

    def pause(self) -> None:
        """Make the broker hang (SIGSTOP): connections stay open and get no answers until `resume`."""
        self._running_process().pause()

    def resume(self) -> None:
        """Let a paused broker continue.

        After a pause of more than two seconds it leads no partition until its controller has heard from it.
        """
        self._running_process().resume()

    def compacting_topic(self, name: str, partitions: int = 1, **config: str) -> None:
        """Create a topic that `compact` compacts at once, with the settings COMPACTING and `config`.

        With `delete_retention_ms="0"`, the second `compact` after a tombstone removes it.
        """
        own = {key.replace("_", "."): value for key, value in config.items()}
        self.create_topic(name, partitions, **{**COMPACTING, **own})

    def compact(self, name: str) -> None:
        """Compact everything that is in a compacting topic now; return when that is done.

        Writes an aborted record to each partition, which read_committed readers skip. Raises TimeoutError after
        COMPACT_SECONDS_MAX, for example while a transaction is open, because the cleaner never passes it.
        """
        # As large as a segment, so that a new segment begins. segment.ms depends on the timestamps of records.
        large = bytes(int(self.settings_of(name)["segment.bytes"]) - BATCH_OVERHEAD_BYTES)
        ends = self.end_offsets(name)
        for partition in ends:
            produce(
                self.bootstrap_servers,
                name,
                [(b"", large)],
                partition=partition,
                transactional_id=f"compact-{name}-{partition}",
                abort=True,
            )
        wait_until(lambda: self._cleaned_up_to(name, ends), f"topic {name} compacted", COMPACT_SECONDS_MAX)

    def _cleaned_up_to(self, topic: str, offsets: Mapping[int, int]) -> bool:
        """Whether the log cleaner's checkpoint file has reached these offsets."""
        checkpoint = self._directory / "data" / "cleaner-offset-checkpoint"
        lines = checkpoint.read_text().splitlines() if checkpoint.exists() else []
        rows = (line.rsplit(" ", 2) for line in lines if line.startswith(f"{topic} "))
        cleaned = {int(partition): int(offset) for _, partition, offset in rows}
        return all(cleaned.get(partition, 0) >= offset for partition, offset in offsets.items())

    @property
    def _properties(self) -> Path:
        return self._directory / "server.properties"

    def _java(self) -> list[str]:
        return [
            java(),
            *self._archive(),
            *self._java_options,
            "-Djava.net.preferIPv4Stack=true",
            f"-Dlog4j2.configurationFile={LOG_CONFIGURATION}",
            "-cp",
            f"{jars()}{os.sep}*",
        ]

    def _archive(self) -> list[str]:
        return [archive_option(jars(), _record)]

    def _prepare(self, runtime: list[str]) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        self._properties.write_text("".join(f"{name}={value}\n" for name, value in self._settings.items()))
        if (self._directory / "data" / "meta.properties").exists():
            return
        tool = ["kafka.tools.StorageTool", "format", "--cluster-id", CLUSTER_ID, "--config", str(self._properties)]
        with self.log.open("ab") as log:
            run = subprocess.run(
                [*runtime, *tool],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                timeout=FORMAT_SECONDS_MAX,
                check=False,
            )
        if run.returncode != 0:
            raise KafkaBrokerError(f"the data directory could not be formatted\n{self._log_tail()}")

    def _wait_until_ready(self, deadline: float) -> None:
        try:
            wait_until(self._ready, "the broker's readiness", deadline - time.monotonic())
        except TimeoutError as timeout:
            raise KafkaBrokerError(f"the broker was not ready in time\n{self._log_tail()}") from timeout

    def _ready(self) -> bool:
        if not self.running:
            raise KafkaBrokerError(f"the broker ended\n{self._log_tail()}")
        # Checked first, because librdkafka waits longer after each refused connection.
        if not _listens(self._port):
            return False
        with AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0}) as admin:
            metadata = admin.list_topics(timeout=5)
        partitions = [partition for topic in metadata.topics.values() for partition in topic.partitions.values()]
        return self.node in metadata.brokers and all(partition.leader in metadata.brokers for partition in partitions)

    def _running_process(self) -> GuardedProcess:
        assert self._process is not None, "the broker does not run"
        return self._process

    def _log_tail(self) -> str:
        return self.log.read_text(errors="replace")[-LOG_TAIL_CHARACTERS:]


class _Recorded(KafkaBroker):
    """A broker that reads no archive of classes, since its options have Java write one."""

    def _archive(self) -> list[str]:
        return []


def _record(option: str) -> None:
    with TemporaryDirectory() as directory:
        broker = _Recorded(Path(directory), java_options=[*QUICK_START, option])
        broker.start()
        broker.stop()


def _controlling(port: int, controller_port: int) -> dict[str, str]:
    """The settings of a node that is broker and controller, on the loopback only."""
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}",
    }


def _controlled(port: int) -> dict[str, str]:
    """The settings of a node that is only a broker."""
    return {"process.roles": "broker", "node.id": "2", "listeners": f"PLAINTEXT://{HOST}:{port}"}


def _settings(data: Path, controller_port: int) -> dict[str, str]:
    """The settings of a node that does everything without delay."""
    return {
        "controller.quorum.voters": f"1@{HOST}:{controller_port}",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": str(data),
        "auto.create.topics.enable": "false",
        "message.max.bytes": str(5 * 1024 * 1024),
        # One replica and few internal partitions, so that the first transaction starts quickly.
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "share.coordinator.state.topic.num.partitions": "1",
        "group.initial.rebalance.delay.ms": "0",
        # Leaders move only when a test elects them or a broker ends.
        "auto.leader.rebalance.enable": "false",
        # The controller admits a killed broker again only after its old session has expired.
        "broker.heartbeat.interval.ms": "400",
        "broker.session.timeout.ms": "2000",
        # Records with old timestamps stay, unless the topic has its own retention.
        "log.retention.ms": "-1",
        # Retention, compaction and the checkpoint of log starts run several times a second.
        "log.cleaner.backoff.ms": "100",
        "log.cleaner.dedupe.buffer.size": str(32 * 1024 * 1024),
        "log.retention.check.interval.ms": "300",
        "log.initial.task.delay.ms": "300",
        "log.flush.start.offset.checkpoint.interval.ms": "300",
    }


def _listens(port: int) -> bool:
    with socket.socket() as attempt:
        attempt.settimeout(1)
        return attempt.connect_ex((HOST, port)) == 0
