"""Live queries and statuses: the latest state now, and whenever it changes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kvs_graphql.access import ANYONE
from kvs_graphql.client import connect
from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.errors import RemoteError, Unavailable
from kvs_graphql.records import Record
from kvs_graphql.service import Latest
from kvs_graphql.store import Query, Snapshot, Store
from tests.applications import LIMITS, open_application
from tests.deadline import SECONDS_MAX
from tests.serving import ServedTopic, serving_topic


@pytest.fixture
async def topic(embedded_broker: EmbeddedBroker, tmp_path: Path, table: str) -> AsyncIterator[ServedTopic]:
    async with serving_topic(embedded_broker, tmp_path, table=table) as topic:
        yield topic


@asynccontextmanager
async def subscribed(topic: ServedTopic, document: str) -> AsyncIterator[AsyncIterator[Any]]:
    async with (
        asyncio.timeout(SECONDS_MAX),
        connect(topic.served.run.url) as client,
        aclosing(client.subscribe(topic.served.named(document))) as events,
    ):
        yield events


def values_of(latest: Latest) -> list[bytes | None]:
    return [record and record.value for record in latest.records]


async def test_live_value_is_delivered_now_and_whenever_it_changes(topic: ServedTopic) -> None:
    async with subscribed(topic, 'subscription { value(key: "a") { value } }') as events:
        assert await anext(events) == {"value": None}
        await topic.write((b"a", b"1"))
        assert await anext(events) == {"value": {"value": "1"}}
        await topic.write((b"b", b"another key"), (b"a", None))
        assert await anext(events) == {"value": None}


async def test_live_values_keep_the_order_of_their_keys(topic: ServedTopic) -> None:
    await topic.write((b"a", b"1"), (b"b", b"1"))
    async with subscribed(topic, 'subscription { values(keys: ["b", "none", "a"]) { value } }') as events:
        assert await anext(events) == {"values": [{"value": "1"}, None, {"value": "1"}]}
        await topic.write((b"a", b"2"))
        assert await anext(events) == {"values": [{"value": "1"}, None, {"value": "2"}]}


async def test_live_query_shows_only_the_latest_of_many_changes(tmp_path: Path) -> None:
    async with open_application(tmp_path) as application:
        table = application.table
        async with asyncio.timeout(SECONDS_MAX), aclosing(table.served.latest(ANYONE, [b"a", b"b"])) as latest:
            assert values_of(await anext(latest)) == [None, None]
            for number in range(300):
                await table.change((b"a", b"%d" % number))
            shown = await anext(latest)
            assert values_of(shown) == [b"299", None]
            assert shown.cursor.positions == table.feed.positions


async def test_live_query_is_silent_where_nothing_changed_in_the_end(tmp_path: Path) -> None:
    async with open_application(tmp_path, [Record(b"a", b"1", 0, 0, None, None)]) as application:
        table = application.table
        async with asyncio.timeout(SECONDS_MAX), aclosing(table.served.latest(ANYONE, [b"missing"])) as latest:
            assert values_of(await anext(latest)) == [None]
            await table.change((b"missing", b"for a moment"), (b"missing", None))
            await table.change((b"missing", b"here"))
            assert values_of(await anext(latest)) == [b"here"]


async def test_closing_feed_ends_a_live_query(tmp_path: Path) -> None:
    async with open_application(tmp_path) as application:
        table = application.table
        async with asyncio.timeout(SECONDS_MAX), aclosing(table.served.latest(ANYONE, [b"a"])) as latest:
            await anext(latest)
            table.feed.close()
            with pytest.raises(Unavailable):
                await anext(latest)
        assert table.feed.closed


async def test_interval_shorter_than_allowed_is_bad_input(topic: ServedTopic) -> None:
    for field in ('values(keys: ["a"], interval: 0.01) { value }', "status(interval: 0.01) { lag }"):
        async with subscribed(topic, f"subscription {{ {field} }}") as events:
            with pytest.raises(RemoteError) as refused:
                await anext(events)
            assert refused.value.remote_code == "BAD_INPUT"


async def test_status_is_delivered_again_and_again(topic: ServedTopic) -> None:
    document = "subscription { status(interval: 0.1) { tables { name state entries } } }"
    of_table = {"name": topic.served.table or None, "state": "LIVE"}
    async with subscribed(topic, document) as events:
        assert {**of_table, "entries": 0} in (await anext(events))["status"]["tables"]
        await topic.write((b"a", b"1"))
        while {**of_table, "entries": 1} not in (await anext(events))["status"]["tables"]:
            pass


async def test_live_query_keeps_no_entries_that_it_has_shown(tmp_path: Path) -> None:
    async with open_application(tmp_path, [Record(b"a", b"1", 0, 0, None, None)]) as application:
        table = application.table
        async with asyncio.timeout(SECONDS_MAX), aclosing(table.served.latest(ANYONE, [b"a"])) as latest:
            shown = await anext(latest)
            assert values_of(shown) == [b"1"]
            waiting = asyncio.create_task(anext(latest))
            await asyncio.sleep(0)
            assert shown.records == []
            await table.change((b"a", b"2"))
            assert values_of(await waiting) == [b"2"]


async def shows(latest: AsyncIterator[Latest], value: bytes) -> None:
    """Wait until a live query of one key shows that value; it may skip those before."""
    while values_of(await anext(latest)) != [value]:
        pass


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """One of each read of a store."""
    counted, read = list[None](), Store.read

    async def counting(store: Store, *queries: Query[Any], **options: Any) -> Snapshot:
        counted.append(None)
        return await read(store, *queries, **options)

    monkeypatch.setattr(Store, "read", counting)
    return counted


async def test_burst_of_changes_costs_live_queries_of_its_keys_one_read_together(
    tmp_path: Path, reads: list[None]
) -> None:
    changes = 20
    async with open_application(tmp_path) as application, AsyncExitStack() as stack, asyncio.timeout(SECONDS_MAX):
        table = application.table
        queries = [await stack.enter_async_context(aclosing(table.served.latest(ANYONE, [b"a"]))) for _ in range(50)]
        await asyncio.gather(*(anext(latest) for latest in queries))
        reads.clear()
        waiting = [asyncio.ensure_future(shows(latest, b"%d" % (changes - 1))) for latest in queries]
        for number in range(changes):
            await table.change((b"a", b"%d" % number))
        await asyncio.gather(*waiting)
    # At most one of all queries for each change; apart, each query would read.
    assert len(reads) <= changes < len(queries)


@pytest.mark.parametrize("size", [10_000, 700_000])
async def test_large_entry_of_one_live_query_has_no_other_one_read_anew(
    tmp_path: Path, reads: list[None], size: int
) -> None:
    small = [b"%d" % number for number in range(50)]
    large = [b"large-1", b"large-2"]
    limits = replace(LIMITS, read_bytes_max=2_000_000)
    async with (
        open_application(tmp_path, limits=limits) as application,
        AsyncExitStack() as stack,
        asyncio.timeout(SECONDS_MAX),
    ):
        table = application.table
        asked = [large, *([key] for key in small)]
        queries = [await stack.enter_async_context(aclosing(table.served.latest(ANYONE, keys))) for keys in asked]
        await asyncio.gather(*(anext(latest) for latest in queries))
        reads.clear()
        waiting = [asyncio.ensure_future(anext(latest)) for latest in queries]
        await table.change(*((key, b"1") for key in small), *((key, bytes(size)) for key in large))
        shown = await asyncio.gather(*waiting)
    assert [values_of(latest) for latest in shown] == [[bytes(size)] * 2, *([b"1"] for _ in small)]
    # Those of all together, which may not wake at once, one for what is larger, and one alone.
    assert len(reads) <= 6 < len(small)
