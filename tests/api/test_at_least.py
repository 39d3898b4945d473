"""Reads that wait for a cursor, and what all fields of one request have in common: one snapshot."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer

from kvs_graphql.cursor import NO_TOPIC_ID, Cursor, decode_cursor
from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.records import advance
from tests.api.test_values import Holding, holding

pytestmark = pytest.mark.asyncio(loop_scope="module")

WAIT_SECONDS_MAX = 1.5
READ = 'query($c: Cursor, $w: Float) { value(key: "key", atLeast: $c, maxWait: $w) { value } }'
FIELDS = {
    "value": 'value(key: "key", atLeast: $c, maxWait: $w) { offset }',
    "values": 'values(keys: ["key"], atLeast: $c, maxWait: $w) { offset }',
    "entries": "entries(first: 1, atLeast: $c, maxWait: $w) { edges { cursor } }",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def held(embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Holding]:
    directory = tmp_path_factory.mktemp("at-least")
    record, seconds = (b"key", b"0"), WAIT_SECONDS_MAX
    async with holding(
        embedded_broker, directory, record, wait_seconds_max=seconds, metadata_refresh_seconds=0.2
    ) as held:
        yield held


def ahead(held: Holding, records: int = 1) -> str:
    """The cursor after so many more records."""
    feed = held.served.run.feed
    return Cursor(feed.topic_id, advance(feed.positions, 0, feed.positions[0] + records)).encode()


async def not_caught_up(held: Holding, **variables: Any) -> tuple[dict[str, Any], float]:
    """What the error of a read of a cursor ahead of the table says, and the seconds until it came."""
    began = monotonic()
    answer = await held.served.query(READ, c=ahead(held), **variables)
    (error,) = answer["errors"]
    assert (answer["data"], error["extensions"]["code"]) == ({"value": None}, "NOT_CAUGHT_UP")
    return error["extensions"], monotonic() - began


async def test_a_read_at_a_cursor_that_is_applied_answers_at_once(held: Holding) -> None:
    cursor = (await held.served.query("{ status { cursor } }"))["extensions"]["cursor"]
    began = monotonic()
    await held.served.data(READ, c=cursor)
    assert monotonic() - began < WAIT_SECONDS_MAX


async def test_a_read_at_a_cursor_waits_until_it_is_applied(held: Holding) -> None:
    reading = asyncio.create_task(held.served.data(READ, c=ahead(held, 2)))
    await held.write((b"key", b"first"))
    assert not reading.done()
    await held.write((b"key", b"second"))
    assert await reading == {"value": {"value": "second"}}


async def test_a_read_that_waits_in_vain_is_told_how_far_the_table_is_and_why(held: Holding) -> None:
    told, seconds = await not_caught_up(held, w=0.2)
    feed = held.served.run.feed
    assert decode_cursor(told.pop("reached")) == Cursor(feed.topic_id, feed.positions)
    reason = f"following topic '{held.topic}'"
    assert told == {"code": "NOT_CAUGHT_UP", "behind": 1, "state": "LIVE", "reason": reason}
    assert 0.2 <= seconds < 0.2 + WAIT_SECONDS_MAX


async def test_no_read_waits_longer_than_the_service_allows(held: Holding) -> None:
    waits = (not_caught_up(held, **variables) for variables in ({}, {"w": None}, {"w": 3600}))
    for _, seconds in await asyncio.gather(*waits):
        assert WAIT_SECONDS_MAX <= seconds < WAIT_SECONDS_MAX + 1


async def test_a_read_that_will_not_wait_is_answered_at_once(held: Holding) -> None:
    _, seconds = await not_caught_up(held, w=0)
    assert seconds < WAIT_SECONDS_MAX


async def test_a_field_that_need_not_wait_is_answered_beside_one_that_waited_in_vain(held: Holding) -> None:
    document = f'query($c: Cursor!) {{ now: value(key: "key") {{ size }} {FIELDS["value"].replace("$w", "0.1")} }}'
    answer = await held.served.query(document, c=ahead(held))
    assert answer["data"]["now"]["size"] > 0
    assert answer["data"]["value"] is None
    assert [(error["path"], error["extensions"]["code"]) for error in answer["errors"]] == [
        (["value"], "NOT_CAUGHT_UP")
    ]


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize(
    ("cursor", "seconds", "code"),
    [
        ("garbled", None, "BAD_CURSOR"),
        ("", None, "BAD_CURSOR"),
        (Cursor(NO_TOPIC_ID, (1,)).encode(), None, "BAD_CURSOR"),
        (Cursor(bytes(range(16)), (1,)).encode(), None, "BAD_CURSOR"),
        (Cursor(bytes(range(16)), (1,)).encode(), 0.0, "NOT_CAUGHT_UP"),
        (None, -0.1, "BAD_INPUT"),
    ],
)
async def test_a_cursor_or_wait_that_is_not_allowed_is_refused(
    held: Holding, field: str, cursor: str | None, seconds: float | None, code: str
) -> None:
    document = f"query($c: Cursor, $w: Float) {{ {FIELDS[field]} }}"
    assert await held.served.code(document, c=cursor, w=seconds) == code


@pytest.mark.parametrize("literal", ["5", "true", "[1]"])
async def test_a_cursor_that_is_no_string_is_refused_by_validation(held: Holding, literal: str) -> None:
    document = f'{{ value(key: "key", atLeast: {literal}) {{ size }} }}'
    assert await held.served.code(document) == "GRAPHQL_VALIDATION_FAILED"


async def test_all_fields_of_a_request_show_one_moment_and_the_answer_its_cursor(held: Holding) -> None:
    document = """{
      a: value(key: "key") { offset }
      b: values(keys: ["key"]) { offset }
      c: entries(prefix: "key") { edges { node { offset } } }
      d: node(id: "a2V5") { ... on Entry { offset } }
      status { cursor entries partitions { position } }
    }"""
    seen: set[int] = set()
    async with writing_all_the_time(held):
        while len(seen) < 20:
            answer = await held.served.query(document)
            data, cursor = answer["data"], answer["extensions"]["cursor"]
            offset = data["a"]["offset"]
            seen.add(offset)
            assert data["b"] == [{"offset": offset}]
            assert data["c"]["edges"] == [{"node": {"offset": offset}}]
            assert data["d"] == {"offset": offset}
            assert data["status"] == {"cursor": cursor, "entries": 1, "partitions": [{"position": offset + 1}]}
            assert decode_cursor(cursor).positions == (offset + 1,)


@asynccontextmanager
async def writing_all_the_time(held: Holding) -> AsyncIterator[None]:
    ended = asyncio.Event()

    async def write_until_ended() -> None:
        async with AIOKafkaProducer(bootstrap_servers=held.bootstrap_servers) as producer:
            while not ended.is_set():
                await producer.send_and_wait(held.topic, b"value", b"key")

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(write_until_ended())
        try:
            yield
        finally:
            ended.set()


async def test_an_answer_that_read_nothing_has_no_cursor(held: Holding) -> None:
    assert await held.served.query("{ __typename }") == {"data": {"__typename": "Query"}}
