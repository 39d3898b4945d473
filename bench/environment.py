"""The environment that every benchmark stands on: a broker, topics, and the subjects that are measured on them."""

import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from bench.data import PARTITIONS, records
from bench.machine import Processors
from bench.measure import BASELINE, FLOOR, OURS
from bench.processes import Server, Worker, flags, free_port
from tests.kafka.broker import KafkaBroker
from tests.kafka.produce import produce

# A topic stays as it was written: nothing is cleaned, and nothing looks for something to clean.
_BROKER = {
    "log.cleaner.enable": "false",
    "log.retention.check.interval.ms": "300000",
    "log.flush.start.offset.checkpoint.interval.ms": "60000",
}
_HEAP_MEGABYTES = 1024
# What Kafka's own start script asks for. On so few processors Java would choose a collector whose pauses, of tens of
# milliseconds, are told of whatever hangs on the broker.
_JAVA_OPTIONS = ("-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:InitiatingHeapOccupancyPercent=35")
READY_SECONDS_MAX = 300.0
# A look costs the baseline several milliseconds.
_BASELINE_POLL_SECONDS = 0.2
_LISTENING = "listening"
_NUMBERS = count(1)
_BEGAN = time.monotonic()


@dataclass(frozen=True, slots=True)
class Environment:
    """A running broker, a directory that is gone afterwards, and where processes run."""

    broker: KafkaBroker
    directory: Path
    processors: Processors

    def topic(self, name: str, count: int, keys: int, seed: int = 1) -> str:
        """A new topic with so many records."""
        self.broker.create_topic(name, PARTITIONS, cleanup_policy="compact")
        self.add(name, count, keys, seed)
        return name

    def add(self, topic: str, count: int, keys: int, seed: int) -> None:
        """More records for a topic."""
        produce(self.broker.bootstrap_servers, topic, records(count, keys, seed))

    def worker(self, module: str, **specification: object) -> Worker:
        """A bare floor without a server, where servers run that are measured."""
        return Worker(f"bench.floors.{module}", processors=self.processors.server, **specification)

    def number(self) -> int:
        """A number that nothing else has."""
        return next(_NUMBERS)

    def fresh(self, name: str) -> Path:
        """A new directory."""
        directory = self.directory / f"{self.number():03d}-{name}"
        directory.mkdir()
        return directory

    def discard(self, directory: Path) -> None:
        """Remove a directory."""
        shutil.rmtree(directory)

    def ours(self, topic: str, database: Path, *, all_processors: bool = False) -> Server:
        """The service as it is installed, with its own defaults; returns at once."""
        port = free_port()
        settings = {
            "bootstrap_servers": self.broker.bootstrap_servers,
            "topic": topic,
            "database": database,
            "port": port,
        }
        command = ["-m", "kvs_graphql", "serve", *flags(settings)]
        return self._server(OURS, command, port, all_processors=all_processors)

    def baseline(self, topic: str, database: Path, group: str | None = None) -> Server:
        """The plain version; returns at once. It goes by its group's offsets: of a group of its own, from the start."""
        port = free_port()
        settings = {
            "port": port,
            "bootstrap_servers": self.broker.bootstrap_servers,
            "topic": topic,
            "database": database,
            "group": group or f"baseline-{self.number()}",
        }
        return self._server(BASELINE, ["-m", "bench.baseline", *flags(settings)], port)

    def floor(self, module: str, **settings: object) -> Server:
        """A bare application of `bench.floors`; returns at once."""
        port = free_port()
        return self._server(FLOOR, ["-m", f"bench.floors.{module}", *flags({"port": port, **settings})], port)

    def _server(self, name: str, command: list[str], port: int, *, all_processors: bool = False) -> Server:
        processors = self.processors.all if all_processors else self.processors.server
        return Server(command, port, self.fresh(name) / "log", processors)


@contextmanager
def open_environment(processors: Processors) -> Iterator[Environment]:
    """A environment, for as long as the context is open. Its files go where temporary files go."""
    with tempfile.TemporaryDirectory(prefix="kvs-graphql-bench-") as directory:
        broker = KafkaBroker(Path(directory, "kafka"), _BROKER, _HEAP_MEGABYTES, java_options=_JAVA_OPTIONS)
        broker.start()
        try:
            yield Environment(broker, Path(directory), processors)
        finally:
            broker.stop()


def wait_until_ready(server: Server) -> None:
    """Return once the service says that it is ready."""

    def ready() -> bool:
        answer = server.get("/readyz")
        return answer is not None and answer.status_code == 200

    server.wait_until(ready, "the service's readiness", READY_SECONDS_MAX)


def wait_until_applied(server: Server, records: int) -> None:
    """Return once the baseline has applied so many records."""

    def applied() -> bool:
        answer = server.ask("{ applied }")
        return answer is not None and answer["data"]["applied"] >= records

    server.wait_until(applied, f"{records} records applied by the baseline", READY_SECONDS_MAX, _BASELINE_POLL_SECONDS)


def wait_until_listening(server: Server) -> None:
    """Return once a bare application answers anything at all."""
    server.wait_until(lambda: server.get(f"/{_LISTENING}") is not None, "a bare application")


def say(text: str) -> None:
    """Tell what is going on, and since when this process runs."""
    print(f"{time.monotonic() - _BEGAN:6.1f} s  {text}", file=sys.stderr, flush=True)
