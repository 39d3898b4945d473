"""All fields of one request show the same moment; the history of a key is what led to it."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from aiokafka import AIOKafkaProducer

from kvs_graphql.access import ANYONE
from kvs_graphql.client import connect
from kvs_graphql.cursor import decode_cursor
from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.records import Record
from kvs_graphql.service import PageRequest, Usage
from kvs_graphql.store import Query
from tests.applications import open_application
from tests.serving import ServedTopic, serving_topic

HISTORY = """
query History($last: Int! = 10) {
  values(keys: ["a", "b"]) { history(last: $last) { kind value partition offset } }
}
"""


@pytest.fixture
async def topic(embedded_broker: EmbeddedBroker, tmp_path: Path, table: str) -> AsyncIterator[ServedTopic]:
    async with serving_topic(embedded_broker, tmp_path, table=table) as topic:
        yield topic


async def test_all_fields_of_a_request_show_the_snapshot_at_its_cursor(topic: ServedTopic) -> None:
    document = """query($id: ID!) {
      a: value(key: "key") { offset }
      b: values(keys: ["key"]) { offset }
      c: entries(prefix: "key") { edges { node { offset } } }
      d: node(id: $id) { ... on Entry { offset } }
      status { cursor tables { name entries partitions { position } } }
    }"""
    table = topic.served.table
    await topic.write((b"key", b"value"))
    seen: set[int] = set()
    async with writing_continuously(topic, b"value"):
        while len(seen) < 20:
            answer = await topic.served.query(document, id=topic.served.id_of(b"key"))
            data, cursor = answer["data"], answer["extensions"]["cursor"]
            offset = data["a"]["offset"]
            seen.add(offset)
            assert data["b"] == [{"offset": offset}]
            assert data["c"]["edges"] == [{"node": {"offset": offset}}]
            assert data["d"] == {"offset": offset}
            assert decode_cursor(data["status"]["cursor"], table) == decode_cursor(cursor, table)
            at = {"name": table or None, "entries": 1, "partitions": [{"position": offset + 1}]}
            assert at in data["status"]["tables"]
            assert decode_cursor(cursor, table).positions == (offset + 1,)


async def test_all_fields_of_a_request_share_a_snapshot_in_a_busy_event_loop(tmp_path: Path) -> None:
    """Some ask a round of the event loop after the others."""
    pages = "entries { edges { node { key } } } status { entries }"
    document = f'{{ a: value(key: "a") {{ key }} b: values(keys: ["b"]) {{ key }} {pages} }}'

    async def be_busy() -> None:
        while True:
            time.sleep(0.01)  # noqa: ASYNC251 - every round is to be long
            await asyncio.sleep(0)

    async with open_application(tmp_path) as application:
        store, reads = application.table.store, 0
        read = store.read

        async def counted(*queries: Query[Any], **options: Any) -> Any:
            nonlocal reads
            reads += 1
            return await read(*queries, **options)

        busy = asyncio.create_task(be_busy())
        with mock.patch.object(store, "read", counted):
            answer = await application.query(document)
        busy.cancel()
    assert "errors" not in answer
    assert reads == 1


@pytest.mark.parametrize(
    "fields",
    [
        'a: value(key: "key") { value }',
        'a: value(key: "key") { value } b: values(keys: ["key"]) { value }',
        "entries { edges { node { value } } }",
        'a: value(key: "key") { history { value } }',
        'a: value(key: "key") { value history { value } } status { entries }',
    ],
)
@pytest.mark.parametrize("backend", ["", " __typename @include(if: false)"], ids=["compiled", "graphql-core"])
async def test_commit_while_an_answer_is_made_moves_neither_what_it_shows_nor_its_cursor(
    tmp_path: Path, table: str, fields: str, backend: str
) -> None:
    async with open_application(tmp_path, [Record(b"key", b"1", 0, 0, 0, None)], name=table) as application:
        live, read = application.table, application.table.store.read

        async def overtaken(*queries: Query[Any], is_queued: bool = True, **_: object) -> Any:
            snapshot = await read(*queries, is_queued=is_queued)
            await live.change((b"key", b"2"))
            return snapshot

        with mock.patch.object(live.store, "read", overtaken):
            answer = await application.query(f"{{ {fields}{backend} }}")
        assert decode_cursor(answer["extensions"]["cursor"], table).positions == (1,)
        shown = re.findall(r"'value': '(.)'", str(answer["data"]))
        assert shown == ["1"] * fields.count("{ value")


@pytest.mark.parametrize("backend", ["", " @include(if: true)"], ids=["compiled", "graphql-core"])
async def test_total_count_is_of_the_same_snapshot_as_the_page(topic: ServedTopic, backend: str) -> None:
    document = f"{{ entries {{ edges {{ cursor }} totalCount{backend} }} }}"
    seen: set[int] = set()
    async with writing_continuously(topic, b"value", None):
        while len(seen) < 2:
            entries = (await topic.served.data(document))["entries"]
            assert entries["totalCount"] == len(entries["edges"])
            seen.add(entries["totalCount"])


@asynccontextmanager
async def writing_continuously(topic: ServedTopic, *values: bytes | None) -> AsyncIterator[None]:
    """Write these values to a key, one after the other and again from the first."""
    ended, turn = asyncio.Event(), cycle(values)

    async def write_until_ended() -> None:
        async with AIOKafkaProducer(bootstrap_servers=topic.bootstrap_servers) as producer:
            while not ended.is_set():
                await producer.send_and_wait(topic.name, next(turn), b"key")

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(write_until_ended())
        try:
            yield
        finally:
            ended.set()


async def test_record_that_several_fields_name_is_held_once(tmp_path: Path) -> None:
    records = [Record(b"%d" % n, b"value", 0, n, None, None) for n in range(3)]
    async with open_application(tmp_path, records) as application:
        reads = application.table.served.reads(ANYONE, Usage())
        both, none, one = await asyncio.gather(
            reads.get_many([b"0", b"absent", b"2"]), reads.get_many([]), reads.get_many([b"2", b"1"])
        )
    assert [record and record.key for record in both] == [b"0", None, b"2"]
    assert [record and record.key for record in one] == [b"2", b"1"]
    assert none == []
    assert both[2] is one[0]


async def test_page_that_several_fields_ask_for_is_read_once(tmp_path: Path) -> None:
    records = [Record(b"%d" % n, b"value", 0, n, None, None) for n in range(3)]
    usage = Usage()
    async with open_application(tmp_path, records) as application:
        reads = application.table.served.reads(ANYONE, usage)
        asked = PageRequest(first=2, counted=True)
        one, same, other = await asyncio.gather(
            reads.page(asked), reads.page(replace(asked)), reads.page(PageRequest(first=2, after=b"0"))
        )
    assert [[record.key for record in page.records] for page in (one, same, other)] == [
        [b"0", b"1"],
        [b"0", b"1"],
        [b"1", b"2"],
    ]
    assert [page.total_count for page in (one, same, other)] == [3, 3, None]
    assert all(record is again for record, again in zip(one.records, same.records, strict=True))
    assert usage.size_bytes == sum(record.size_bytes for record in (*one.records, *other.records))


async def test_answer_that_read_nothing_has_no_cursor(topic: ServedTopic) -> None:
    assert await topic.served.query("{ __typename }") == {"data": {"__typename": "Query"}}


async def test_history_shows_recent_changes_oldest_first_with_deletes(topic: ServedTopic) -> None:
    await topic.write((b"a", b"1"), (b"b", b"x"), (b"a", None), (b"a", b"3"))
    a, b = (await topic.served.data(HISTORY))["values"]
    assert [(past["kind"], past["value"]) for past in a["history"]] == [
        ("SET", "1"),
        ("DELETE", None),
        ("SET", "3"),
    ]
    assert [past["value"] for past in b["history"]] == ["x"]
    a, b = (await topic.served.data(HISTORY, last=1))["values"]
    assert [past["value"] for past in a["history"]] == ["3"]
    a, b = (await topic.served.data(HISTORY, last=0))["values"]
    assert (a["history"], b["history"]) == ([], [])


async def test_more_history_than_allowed_is_bad_input(topic: ServedTopic) -> None:
    await topic.write((b"a", b"1"))
    assert await topic.served.code('{ value(key: "a") { history(last: 1001) { kind } } }') == "BAD_INPUT"
    assert await topic.served.code('{ value(key: "a") { history(last: -1) { kind } } }') == "BAD_INPUT"


async def test_history_reaches_back_as_far_as_the_window(embedded_broker: EmbeddedBroker, tmp_path: Path) -> None:
    async with serving_topic(embedded_broker, tmp_path, window_changes_max=4) as topic:
        await topic.write(*((b"a", b"%d" % n) for n in range(9)))
        (a, _) = (await topic.served.data(HISTORY))["values"]
        kept = [past["value"] for past in a["history"]]
        assert 1 <= len(kept) <= 4
        assert kept == [str(n) for n in range(9)][-len(kept) :]


async def test_subscription_after_a_past_change_delivers_the_later_ones(topic: ServedTopic) -> None:
    await topic.write((b"a", b"1"), (b"a", b"2"), (b"a", b"3"))
    document = '{ value(key: "a") { history { cursor } } }'
    first = (await topic.served.data(document))["value"]["history"][0]["cursor"]
    subscription = f'subscription {{ updates(keys: ["a"], after: "{first}") {{ kind entry {{ value }} }} }}'
    async with connect(topic.served.run.url) as client:
        events = client.subscribe(topic.served.named(subscription))
        updates = [(await anext(events))["updates"] for _ in range(3)]
        await events.aclose()
    assert [(update["kind"], update["entry"] and update["entry"]["value"]) for update in updates] == [
        ("SET", "2"),
        ("SET", "3"),
        ("LIVE", None),
    ]
