"""What ends the reading of a topic is what the table's state names."""

import asyncio
from pathlib import Path
from random import Random

import pytest

from kvs_graphql.state import State
from kvs_graphql.store import WindowLimits
from tests.simulation.cluster import Cluster
from tests.simulation.replicas import Replica
from tests.simulation.world import in_virtual_time


@in_virtual_time
async def test_connection_that_is_lost_while_records_are_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Cluster(Random(1))
    monkeypatch.setattr("kvs_graphql.kafka.consumer.open_session", cluster.open_session)
    replica = Replica(Random(1), cluster, tmp_path / "kvs.db", WindowLimits(10, 1_000, 10))
    await replica.start()
    entered = {state: asyncio.Event() for state in State}
    replica.lifecycle.listen(lambda moment: entered[moment.state].set())
    await entered[State.LIVE].wait()
    cluster.reachable = False
    await entered[State.WAITING_FOR_BROKER].wait()
    assert replica.lifecycle.moment.reason == "kvs: the brokers are away"
    await replica.stop()
