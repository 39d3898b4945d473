"""The canary, in its process, beside servers that answer and one that does not."""

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bench.environment import wait_until_listening
from bench.processes import Server, Worker
from kvs_graphql.demo.broker import EmbeddedBroker
from tests.attacks.stand import everything
from tests.ports import free_port

SECONDS_MAX = 60.0


@pytest.fixture
def control(tmp_path: Path) -> Iterator[Server]:
    """A running control."""
    port = free_port()
    command = ["-m", "tests.attacks.control", "--port", str(port)]
    with Server(command, port, tmp_path / "log", everything().all) as server:
        wait_until_listening(server)
        yield server


def test_requests_without_an_answer_failed_and_count_as_long_as_they_wait(
    control: Server, embedded_broker: EmbeddedBroker, embedded_topic: str
) -> None:
    kafka = {"bootstrap_servers": embedded_broker.bootstrap_servers, "topic": embedded_topic}
    # Connections are made by the kernel; nobody accepts them.
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        ports = {"service": silent.getsockname()[1], "control": control.port}
        with Worker("tests.attacks.canary", processors=None, **ports, **kafka) as canary:
            canary.receive(SECONDS_MAX)
            canary.send(event="start")
            canary.receive(SECONDS_MAX)
            canary.send(seconds_max=1.0)
            seen = canary.receive(SECONDS_MAX)
    assert seen["service"]["failed"] > 0
    # Clocks differ by less than a millisecond.
    assert seen["service"]["worst_ms"] >= 999
    assert seen["control"]["failed"] == 0
    assert seen["control"]["worst_ms"] > 0
