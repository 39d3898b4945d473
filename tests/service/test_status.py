"""The status of a table, at one snapshot of it."""

from pathlib import Path

from kvs_graphql.access import ANYONE
from kvs_graphql.records import Record
from kvs_graphql.state import State
from tests.applications import open_application

RECORDS = [Record(b"a", b"1", 0, 0, None, None), Record(b"b", b"2", 0, 1, None, None)]


async def test_status_shows_lag_and_what_open_transactions_hold_back(tmp_path: Path) -> None:
    async with open_application(tmp_path, RECORDS) as application:
        lifecycle = application.table.lifecycle
        lifecycle.end_offsets, lifecycle.held_back, lifecycle.compacted = (5,), (2,), True
        lifecycle.move(State.CATCHING_UP, "reading the topic")
        status = await application.table.service.reads(ANYONE).status()
    assert (status.topic, status.compacted, status.ready, status.entries) == ("topic", True, False, 2)
    assert (status.moment.state, status.moment.reason) == (State.CATCHING_UP, "reading the topic")
    assert (status.lag, status.cursor.positions) == (3, (2,))
    (partition,) = status.partitions
    assert (partition.position, partition.end_offset, partition.lag, partition.held_back) == (2, 5, 3, 2)


async def test_readiness_needs_a_table_that_caught_up(tmp_path: Path) -> None:
    async with open_application(tmp_path, RECORDS) as application:
        service, lifecycle = application.table.service, application.table.lifecycle
        assert not service.readiness().ready
        lifecycle.move(State.CATCHING_UP, "reading")
        lifecycle.move(State.LIVE, "following")
        lifecycle.move(State.WAITING_FOR_BROKER, "away")
        lifecycle.end_offsets = (9,)
        readiness = service.readiness()
    assert (readiness.ready, readiness.lag, readiness.moment.state) == (True, 7, State.WAITING_FOR_BROKER)
