"""What an attack needs around it: a broker with the table, the service, the control, the canary and attackers."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any

from bench.environment import wait_until_listening, wait_until_ready
from bench.machine import Processors
from bench.processes import Server, Worker, flags
from kvs_graphql.demo.broker import EmbeddedBroker
from tests.attacks.data import Table
from tests.kafka.produce import produce
from tests.ports import free_port

_PARTITIONS = 4
_START_SECONDS_MAX = 60.0
_NUMBERS = count(1)
_WARM = (
    "{ status { state } }",
    "{ entries(first: 100) { edges { node { id key value json history { kind } } } } }",
    'query($k: [String!] = ["canary"]) { values(keys: $k) { value } }',
)


@dataclass(frozen=True, slots=True)
class Stand:
    """A broker whose topic has the table, and the control."""

    bootstrap_servers: str
    topic: str
    table: Table
    directory: Path
    control_port: int

    def service(self, descriptors: int | None = None) -> Server:
        """Start a service with default settings; return when it has caught up and answered some requests."""
        port = free_port()
        settings = {
            "bootstrap_servers": self.bootstrap_servers,
            "topic": self.topic,
            "database": self.directory / "kvs.db",
            "port": port,
        }
        limit = [] if descriptors is None else ["-m", "tests.attacks.descriptors", str(descriptors)]
        command = [*limit, "-m", "kvs_graphql", "serve", *flags(settings)]
        server = Server(command, port, self._log("service"), everything().all)
        wait_until_ready(server)
        for document in _WARM:
            server.query(document)
        return server

    @contextmanager
    def canary(self, service: Server) -> Iterator[Worker]:
        """A canary of a service and of the control."""
        ports = {"service": service.port, "control": self.control_port}
        with self._worker("canary", ports) as worker:
            worker.receive(_START_SECONDS_MAX)
            yield worker

    @contextmanager
    def attackers(self, service: Server, processes: int = 1) -> Iterator[list[Worker]]:
        """Processes of attackers on a service."""
        seen = {"port": service.port, "table": asdict(self.table)}
        with ExitStack() as stack:
            workers = [stack.enter_context(self._worker("attacker", seen)) for _ in range(processes)]
            for worker in workers:
                worker.receive(_START_SECONDS_MAX)
            yield workers

    def _worker(self, module: str, specification: dict[str, Any]) -> Worker:
        specification |= {"bootstrap_servers": self.bootstrap_servers, "topic": self.topic}
        return Worker(f"tests.attacks.{module}", **specification)

    def _log(self, name: str) -> Path:
        directory = self.directory / f"{next(_NUMBERS):03d}-{name}"
        directory.mkdir()
        return directory / "log"


@contextmanager
def open_stand(directory: Path, table: Table) -> Iterator[Stand]:
    """Run a broker with the table and the control for as long as the context is open."""
    port = free_port()
    command = ["-m", "tests.attacks.control", "--port", str(port)]
    control_log = directory / "control" / "log"
    control_log.parent.mkdir()
    with EmbeddedBroker() as broker, Server(command, port, control_log, everything().all) as control:
        broker.create_topic("attacked", _PARTITIONS)
        produce(broker.bootstrap_servers, "attacked", table.records(), compression="zstd")
        wait_until_listening(control)
        yield Stand(broker.bootstrap_servers, "attacked", table, directory, port)


def everything() -> Processors:
    """All processors of this process: service, control, canary and attackers share them."""
    processors = frozenset(os.sched_getaffinity(0))
    return Processors(processors, processors)
