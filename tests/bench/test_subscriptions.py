"""The subscribers of the benchmark: each of their subscriptions receives its updates."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.environment import wait_until_listening
from bench.load.deliveries import Wanted
from bench.load.transports import BARE_WEBSOCKET
from bench.processes import Server, flags
from bench.sources import BareSource
from bench.subscriptions import open_subscriptions
from tests.ports import free_port


@pytest.fixture
def floor(tmp_path: Path) -> Iterator[Server]:
    """The bare application of fan-out."""
    port = free_port()
    command = ["-m", "bench.floors.sends", *flags({"port": port, "payload_bytes": 300})]
    with Server(command, port, tmp_path / "log", os.sched_getaffinity(0)) as server:
        wait_until_listening(server)
        yield server


@pytest.mark.parametrize(
    ("wanted", "per_connection"), [(Wanted(25, 5, 1, same=False), 10), (Wanted(5, 5, 3, same=True), 1)]
)
def test_every_subscription_at_the_floor_receives_its_updates(
    floor: Server, wanted: Wanted, per_connection: int
) -> None:
    with open_subscriptions(
        floor, BareSource(floor), wanted, transport=BARE_WEBSOCKET, per_connection=per_connection
    ) as subscriptions:
        # Raises where some receive nothing.
        subscriptions.warm_up()
