"""Cursors over several tables, on a real broker under load."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from kvs_graphql.compat.aiokafka_requests import topic_metadata
from kvs_graphql.cursor import NO_TOPIC_ID, Cursor, decode_cursor
from kvs_graphql.feed import Kind, Update
from kvs_graphql.records import Interest, Record, covers
from kvs_graphql.state import State
from tests.checkers import ClientView, Table
from tests.deadline import SECONDS_MAX
from tests.kafka.broker import KafkaBroker
from tests.kafka.live_client import log_of
from tests.kafka.load import loading
from tests.kafka.produce import produce
from tests.serving import Served, serving_tables
from tests.tables.served import assert_equal_to_the_logs, watching

pytestmark = pytest.mark.kafka

TABLES = ("orders", "customers", "invoices")
KEYS = 50
EVERYTHING = Interest()
FIELDS = "edges { node { key value } }"


async def read_all(served: Served) -> tuple[dict[str, Table], str]:
    """Read three whole tables in one request; return them and the request's cursor."""
    document = " ".join(f"{table}Entries(first: {KEYS}) {{ {FIELDS} }}" for table in TABLES)
    answer = await served.query(f"{{ {document} }}")
    read = {
        table: {
            edge["node"]["key"].encode(): edge["node"]["value"].encode()
            for edge in answer["data"][f"{table}Entries"]["edges"]
        }
        for table in TABLES
    }
    return read, answer["extensions"]["cursor"]


async def collected(served: Served, table: str, after: str, until: Cursor) -> list[Update]:
    """The updates of a table after a cursor, until they cover another one."""
    seen = list[Update]()
    async with watching(served, table, after) as events, asyncio.timeout(SECONDS_MAX):
        async for event in events:
            cursor, record = decode_cursor(event["cursor"], table), None
            if event["key"] is not None:
                value = None if event["entry"] is None else event["entry"]["value"].encode()
                record = Record(event["key"].encode(), value, event["partition"], event["offset"], None, None)
            seen.append(Update(Kind(event["kind"]), cursor, record))
            if covers(cursor.positions, until.positions) and any(update.kind is Kind.LIVE for update in seen):
                break
    return seen


async def test_three_tables_read_in_one_request_and_watched_after_its_cursor_skip_and_repeat_nothing(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    servers = kafka_broker.bootstrap_servers
    topics = {table: f"{topic}-{table}" for table in TABLES}
    for name in topics.values():
        await asyncio.to_thread(kafka_broker.create_topic, name, 3)
    tables = {table: {"topic": name} for table, name in topics.items()}
    async with serving_tables(servers, tables, tmp_path) as served:
        async with asyncio.timeout(SECONDS_MAX):
            for table in TABLES:
                await served.state(State.LIVE, table)
        begun = list[tuple[dict[str, Table], str]]()
        async with AsyncExitStack() as stack:
            loads = [
                await stack.enter_async_context(loading(servers, name, seed, KEYS))
                for seed, name in enumerate(topics.values())
            ]
            for _ in range(5):
                await loads[0].more(100, SECONDS_MAX)
                begun.append(await read_all(served))
        ends = await asyncio.to_thread(lambda: {table: log_of(servers, name) for table, name in topics.items()})
        for table, log in ends.items():
            await served.applied(log.end, table)
            end = Cursor(served.run.unit(table).feed.topic_id, log.end)
            for read, token in begun:
                cursor = decode_cursor(token, table)
                assert read[table] == log.table(cursor.positions, EVERYTHING)
                view = ClientView(log, EVERYTHING)
                view.begin(cursor.positions)
                for update in await collected(served, table, token, end):
                    assert update.kind in (Kind.SET, Kind.DELETE, Kind.LIVE)
                    view.see(update)
                view.check_complete()
                assert view.cursor == log.end


async def test_part_of_a_topic_created_again_is_reset_where_topics_have_no_id(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_id(response: Any) -> Any:
        return {name: value for name, value in topic_metadata(response).items() if name != "topic_id"}

    # As brokers before 2.8 answer.
    monkeypatch.setattr("kvs_graphql.kafka.topic.topic_metadata", without_id)
    servers = kafka_broker.bootstrap_servers
    topics = {table: f"{topic}-{table}" for table in TABLES[:2]}
    for name in topics.values():
        await asyncio.to_thread(kafka_broker.create_topic, name, 1)
        produce(servers, name, [(b"a", b"1"), (b"b", b"1")])
    tables = {table: {"topic": name} for table, name in topics.items()}
    async with (
        serving_tables(servers, tables, tmp_path) as served,
        AsyncExitStack() as stack,
        asyncio.timeout(SECONDS_MAX),
    ):
        for table in tables:
            await served.state(State.LIVE, table)
        await assert_equal_to_the_logs(served, kafka_broker, topics)
        token = (await served.query("{ status { entries } }"))["extensions"]["cursor"]
        assert decode_cursor(token, "orders").topic_id == NO_TOPIC_ID
        opened = await stack.enter_async_context(watching(served, "orders", token))
        assert (await anext(opened))["kind"] == "LIVE"
        await asyncio.to_thread(kafka_broker.delete_topic, topics["orders"])
        await served.state(State.WAITING_FOR_TOPIC, "orders")
        await asyncio.to_thread(kafka_broker.create_topic, topics["orders"], 1)
        # Fewer than before: only that tells the topics apart.
        produce(servers, topics["orders"], [(b"a", b"2")])
        await served.state(State.LIVE, "orders")
        await assert_equal_to_the_logs(served, kafka_broker, topics)
        read = 'query($at: Cursor) { found: %sValue(key: "a", atLeast: $at, maxWait: 0) { value } }'
        assert await served.code(read % "orders", at=token) == "NOT_CAUGHT_UP"
        assert await served.data(read % "customers", at=token) == {"found": {"value": "1"}}
        for table, kind in (("orders", "RESET"), ("customers", "LIVE")):
            async with watching(served, table, token) as events:
                assert (await anext(events))["kind"] == kind
        assert [(await anext(opened))["kind"] for _ in range(3)] == ["RESET", "SNAPSHOT", "LIVE"]
