"""The environment of a benchmark: a broker, its topics, and the subjects that run on them."""

import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from bench.data import PARTITIONS, records
from bench.machine import Processors
from bench.measure import BASE, BASELINE, FLOOR, OURS
from bench.processes import ROOT, Server, Worker, flags
from tests.kafka.broker import KafkaBroker
from tests.kafka.produce import produce
from tests.ports import free_port

# Topics stay as they were written: the broker cleans nothing, and does not look for anything to clean.
_BROKER = {
    "log.cleaner.enable": "false",
    "log.retention.check.interval.ms": "300000",
    "log.flush.start.offset.checkpoint.interval.ms": "60000",
}
_HEAP_MEGABYTES = 1024
# The collector of Kafka's own start script. On so few processors Java would choose one that pauses for tens of
# milliseconds, and every client of the broker would wait for it.
_JAVA_OPTIONS = ("-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:InitiatingHeapOccupancyPercent=35")
READY_SECONDS_MAX = 300.0
# A poll costs the baseline several milliseconds.
_BASELINE_POLL_SECONDS = 0.2
_NUMBERS = count(1)
_BEGAN = time.monotonic()


@dataclass(frozen=True, slots=True)
class Environment:
    """A running broker, a temporary directory, the processors for each part, and the root of each tree served."""

    broker: KafkaBroker
    directory: Path
    processors: Processors
    base: Path = ROOT
    """The tree of the commit that this tree is compared with."""

    def topic(self, name: str, count: int, keys: int, seed: int = 1) -> str:
        """Create a topic with this many records."""
        return self.topic_of(name, records(count, keys, seed))

    def topic_of(self, name: str, written: Iterable[tuple[bytes, bytes]]) -> str:
        """Create a topic with these records."""
        self.broker.create_topic(name, PARTITIONS, cleanup_policy="compact")
        produce(self.broker.bootstrap_servers, name, written)
        return name

    def add(self, topic: str, count: int, keys: int, seed: int) -> None:
        """Add records to a topic."""
        produce(self.broker.bootstrap_servers, topic, records(count, keys, seed))

    def number(self) -> int:
        """Return a number that nothing else in this process has."""
        return next(_NUMBERS)

    def fresh(self, name: str) -> Path:
        """Create a directory."""
        directory = self.directory / f"{self.number():03d}-{name}"
        directory.mkdir()
        return directory

    def discard(self, directory: Path) -> None:
        """Remove a directory."""
        shutil.rmtree(directory)

    def service(
        self,
        topic: str,
        database: Path,
        *,
        subject: str = OURS,
        all_processors: bool = False,
        configuration: str = "",
        **others: object,
    ) -> Server:
        """Start the service of a subject, OURS or BASE; return at once.

        It has its default settings, besides those in the text of a configuration file, and `others` by their names.
        """
        port = free_port()
        settings = {
            "bootstrap_servers": self.broker.bootstrap_servers,
            "topic": topic,
            "database": database,
            "port": port,
            **others,
        }
        command = ["-m", "kvs_graphql", "serve", *flags(settings)]
        root = self.base if subject == BASE else ROOT
        directory = self.fresh(subject)
        (directory / "kvs.toml").write_text(configuration)
        return self._server(directory, command, port, all_processors=all_processors, root=root)

    def baseline(self, topic: str, database: Path, group: str | None = None) -> Server:
        """Start the baseline; return at once. A new consumer group reads the topic from its start."""
        port = free_port()
        settings = {
            "port": port,
            "bootstrap_servers": self.broker.bootstrap_servers,
            "topic": topic,
            "database": database,
            "group": group or f"baseline-{self.number()}",
        }
        return self._server(self.fresh(BASELINE), ["-m", "bench.baseline", *flags(settings)], port)

    def floor(self, module: str, **settings: object) -> Server:
        """Start a bare application of `bench.floors`; return at once."""
        port = free_port()
        command = ["-m", f"bench.floors.{module}", *flags({"port": port, **settings})]
        return self._server(self.fresh(FLOOR), command, port)

    def floor_worker(self, module: str, **specification: object) -> Worker:
        """Start a floor that is no server, on the processors of the servers under measurement."""
        return Worker(f"bench.floors.{module}", processors=self.processors.server, **specification)

    def _server(
        self, directory: Path, command: list[str], port: int, *, all_processors: bool = False, root: Path = ROOT
    ) -> Server:
        """Start a server with this working directory."""
        processors = self.processors.all if all_processors else self.processors.server
        return Server(command, port, directory / "log", processors, root)


@contextmanager
def open_environment(processors: Processors, base: Path = ROOT) -> Iterator[Environment]:
    """Run a broker in a temporary directory for as long as the context is open."""
    with tempfile.TemporaryDirectory(prefix="kvs-graphql-bench-") as directory:
        broker = KafkaBroker(Path(directory, "kafka"), _BROKER, _HEAP_MEGABYTES, java_options=_JAVA_OPTIONS)
        broker.start()
        try:
            yield Environment(broker, Path(directory), processors, base)
        finally:
            broker.stop()


def wait_until_ready(server: Server) -> None:
    """Return once the service reports that it is ready."""

    def ready() -> bool:
        answer = server.get("/readyz")
        return answer is not None and answer.status_code == 200

    server.wait_until(ready, "the service's readiness", READY_SECONDS_MAX)


def wait_until_applied(server: Server, records: int) -> None:
    """Return once the baseline has applied this many records."""

    def applied() -> bool:
        answer = server.query("{ applied }")
        return answer is not None and answer["data"]["applied"] >= records

    server.wait_until(applied, f"{records} records applied by the baseline", READY_SECONDS_MAX, _BASELINE_POLL_SECONDS)


def wait_until_listening(server: Server) -> None:
    """Return once a bare application answers."""
    server.wait_until(lambda: server.get("/listening") is not None, "a bare application")


def say(text: str) -> None:
    """Print what is going on, with the seconds since this process started."""
    print(f"{time.monotonic() - _BEGAN:6.1f} s  {text}", file=sys.stderr, flush=True)
