"""The status of a table, at one snapshot of it."""

import asyncio
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kvs_graphql.access import ANYONE, Access, Grant, Grants, Verb
from kvs_graphql.records import Positions, Record
from kvs_graphql.service import Status, Usage
from kvs_graphql.service import status as status_module
from kvs_graphql.state import State
from kvs_graphql.store import Query, Snapshot, Store
from tests.applications import LIMITS, open_application

RECORDS = [Record(b"a", b"1", 0, 0, None, None), Record(b"b", b"2", 0, 1, None, None)]


def positions_of(status: Status) -> Positions:
    """Return where the only table stood."""
    (table,) = status.tables
    return table.cursor.positions


async def test_status_shows_lag_and_what_open_transactions_hold_back(tmp_path: Path) -> None:
    async with open_application(tmp_path, RECORDS) as application:
        lifecycle = application.table.lifecycle
        lifecycle.end_offsets, lifecycle.held_back, lifecycle.compacted = (5,), (2,), True
        lifecycle.move(State.CATCHING_UP, "reading the topic")
        status = await application.table.served.reads(ANYONE, Usage()).status()
    assert (status.topic, status.compacted, status.ready, status.entries) == ("topic", True, False, 2)
    assert (status.moment.state, status.moment.reason) == (State.CATCHING_UP, "reading the topic")
    assert (status.lag, status.cursor.positions) == (3, (2,))
    (partition,) = status.partitions
    assert (partition.position, partition.end_offset, partition.lag, partition.held_back) == (2, 5, 3, 2)


async def test_readiness_needs_a_table_that_caught_up(tmp_path: Path) -> None:
    async with open_application(tmp_path, RECORDS) as application:
        catalog, lifecycle = application.table.catalog, application.table.lifecycle
        assert not catalog.readiness().ready
        lifecycle.move(State.CATCHING_UP, "reading")
        lifecycle.move(State.LIVE, "following")
        lifecycle.move(State.WAITING_FOR_BROKER, "away")
        lifecycle.end_offsets = (9,)
        readiness = catalog.readiness().of_all
    assert (readiness.ready, readiness.lag, readiness.moment.state) == (True, 7, State.WAITING_FOR_BROKER)


async def test_status_subscriptions_share_a_reading_but_not_across_fingerprints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = replace(LIMITS, interval_seconds_min=3600.0)
    async with open_application(tmp_path, RECORDS, limits=limits) as application, AsyncExitStack() as stack:
        catalog, reads, read = application.table.catalog, [], Store.read

        async def counted(store: Store, *queries: Query[Any], **options: Any) -> Snapshot:
            reads.append(queries)
            return await read(store, *queries, **options)

        monkeypatch.setattr(Store, "read", counted)
        other = Access(ANYONE.principal, Grants(frozenset({Grant(Verb.STATUS)})))
        for number in range(3):
            statuses = [
                await stack.enter_async_context(aclosing(catalog.statuses(access, 3600.0)))
                for access in (ANYONE, Access("another name"), other)
            ]
            found = await asyncio.gather(*(anext(one) for one in statuses))
            assert [positions_of(status) for status in found] == [(2,)] * 3, number
            assert [status.entries for status in found] == [2, 2, 0], "a name decides nothing, rights do"
            assert len(reads) == 2


async def test_entries_that_were_just_counted_for_others_are_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status_module, "monotonic", lambda: 5.0)
    async with open_application(tmp_path, RECORDS) as application:
        for prefixes, expected in (([b"a"], 1), ([], 0), ([b"c"], 0), ([b"a", b"b"], 2), ([b""], 2), ([b"b"], 1)):
            granted = {Grant(Verb.STATUS), *(Grant(Verb.READ, prefix=prefix) for prefix in prefixes)}
            reads = application.table.served.reads(Access("ann", Grants(frozenset(granted))), Usage())
            assert (await reads.status()).entries == expected, prefixes


async def test_status_that_is_queried_is_never_an_older_one(tmp_path: Path) -> None:
    async with open_application(tmp_path, RECORDS) as application:
        table = application.table
        async with aclosing(table.catalog.statuses(ANYONE, 1.0)) as statuses:
            assert positions_of(await anext(statuses)) == (2,)
        await application.table.change((b"c", b"3"))
        assert (await table.served.reads(ANYONE, Usage()).status()).cursor.positions == (3,)
