"""Subscriptions are the same over every transport, and with the npm clients."""

from collections.abc import AsyncIterator
from itertools import product
from typing import Any

import pytest
import pytest_asyncio

from kvs_graphql.cursor import NO_TOPIC_ID, Cursor, decode_cursor
from kvs_graphql.demo.broker import EmbeddedBroker
from tests.serving import ServedTopic, serving_topic
from tests.transports import (
    MULTIPART,
    SINGLE_CONNECTION,
    SSE,
    UPDATES,
    WEBSOCKET,
    Transport,
    npm_transport,
    take,
    until_active,
)

OWN_CLIENTS = {"websocket": WEBSOCKET, "sse": SSE, "multipart": MULTIPART, "single connection": SINGLE_CONNECTION}
NPM_CLIENTS = ["graphql-ws", "graphql-sse", "graphql-sse on one connection"]
PAIRS = [*product([""], [*OWN_CLIENTS, *NPM_CLIENTS]), *product(["orders"], OWN_CLIENTS)]

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.parametrize(("table", "transport"), PAIRS, indirect=True, scope="module"),
]


@pytest.fixture
def transport(request: pytest.FixtureRequest) -> Transport:
    name: str = request.param
    return OWN_CLIENTS[name] if name in OWN_CLIENTS else npm_transport(request.getfixturevalue("node"), name)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def topic(
    embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory, table: str
) -> AsyncIterator[ServedTopic]:
    directory = tmp_path_factory.mktemp("subscriptions")
    records = [(b"a", b"0"), (b"a", b"1"), (b"b/1", b"1"), (b"b/2", b"1"), (b"b/2", None), (b"c", b"1")]
    async with serving_topic(
        embedded_broker, directory, *records, table=table, progress_seconds=0.1, keys_per_request_max=3
    ) as topic:
        yield topic


def short(updates: list[dict[str, Any]]) -> list[tuple[str, str | None, str | None]]:
    """Return kind, key and value of each update."""
    return [(update["kind"], update["key"], (update["entry"] or {}).get("value")) for update in updates]


async def current_cursor(topic: ServedTopic) -> str:
    answer = await topic.served.query('{ value(key: "a") { key } }')
    cursor: str = answer["extensions"]["cursor"]
    return cursor


async def test_plain_subscription_delivers_changes_from_now_on(topic: ServedTopic, transport: Transport) -> None:
    async with transport(topic.served, UPDATES) as results:
        await until_active(topic.served.http, 1)
        (position,) = await topic.write((b"new", b"1"), (b"new", None))
        updates = await take(results, 2)
    assert short(updates) == [("SET", "new", "1"), ("DELETE", "new", None)]
    assert [(u["partition"], u["offset"]) for u in updates] == [(0, position - 2), (0, position - 1)]
    assert updates[0]["entry"] == {"key": "new", "value": "1", "offset": position - 2}
    assert [decode_cursor(u["cursor"], topic.served.table).positions for u in updates] == [(position - 1,), (position,)]
    assert updates[1]["timestamp"].endswith("+00:00")
    await until_active(topic.served.http, 0)


async def test_snapshot_is_followed_by_live_and_then_changes(topic: ServedTopic, transport: Transport) -> None:
    async with transport(topic.served, UPDATES, keys=["a", "b/1", "b/2"], snapshot=True) as results:
        assert short(await take(results, 2)) == [("SNAPSHOT", "a", "1"), ("SNAPSHOT", "b/1", "1")]
        (live,) = await take(results, 1)
        assert live["kind"] == "LIVE"
        assert {name: live[name] for name in live if name not in ("kind", "cursor")} == dict.fromkeys(
            ("key", "partition", "offset", "timestamp", "entry")
        )
        assert decode_cursor(live["cursor"], topic.served.table).positions == topic.at_end.positions
        await topic.write((b"b/2", b"2"), (b"c", b"1"), (b"b/2", None))
        assert short(await take(results, 2)) == [("SET", "b/2", "2"), ("DELETE", "b/2", None)]


@pytest.mark.parametrize(
    ("wanted", "keys"),
    [
        ({"keys": ["a", "b/1"]}, ["a", "b/1"]),
        ({"prefix": "b/"}, ["b/1", "b/2", "b/2"]),
        ({"keys": ["a"], "prefix": "b/"}, ["a", "b/1", "b/2", "b/2"]),
        ({"prefix": ""}, ["a", "b/1", "b/2", "b/2", "c"]),
        ({"keys": ["622f31", "ff"], "encoding": "HEX"}, ["b/1"]),
        ({"prefix": "Yi8=", "encoding": "BASE64"}, ["b/1", "b/2", "b/2"]),
        ({"keys": None, "prefix": None}, ["a", "b/1", "b/2", "b/2", "c"]),
    ],
)
async def test_keys_that_match_keys_or_prefix_are_watched(
    topic: ServedTopic, transport: Transport, wanted: dict[str, Any], keys: list[str]
) -> None:
    from_second_record = topic.at_end._replace(positions=(1,)).encode()
    async with transport(topic.served, UPDATES, after=from_second_record, **wanted) as results:
        updates = await take(results, len(keys))
    assert [update["key"] for update in updates] == keys


async def test_subscription_resumes_without_gap_or_repeat(topic: ServedTopic, transport: Transport) -> None:
    start = await current_cursor(topic)
    await topic.write(*((b"n", b"%d" % number) for number in range(6)))
    values, cursor = [], start
    for _ in range(3):
        async with transport(topic.served, UPDATES, keys=["n"], after=cursor) as results:
            updates = await take(results, 2)
        values += [update["entry"]["value"] for update in updates]
        cursor = updates[-1]["cursor"]
    assert values == ["0", "1", "2", "3", "4", "5"]
    async with transport(topic.served, UPDATES, keys=["n"], after=cursor) as results:
        assert short(await take(results, 1)) == [("LIVE", None, None)]


async def test_subscription_after_the_cursor_of_a_query_misses_and_repeats_nothing(
    topic: ServedTopic, transport: Transport
) -> None:
    answer = await topic.served.query('{ value(key: "q") { value } }')
    await topic.write((b"q", b"after the query"))
    async with transport(topic.served, UPDATES, after=answer["extensions"]["cursor"]) as results:
        assert short(await take(results, 2)) == [("SET", "q", "after the query"), ("LIVE", None, None)]


async def test_cursor_of_another_topic_is_answered_by_a_reset(topic: ServedTopic, transport: Transport) -> None:
    other = Cursor(NO_TOPIC_ID, (1,), table=topic.served.table).encode()
    async with transport(topic.served, UPDATES, keys=["a", "gone"], after=other) as results:
        assert short(await take(results, 3)) == [("RESET", None, None), ("SNAPSHOT", "a", "1"), ("LIVE", None, None)]


async def test_cursor_past_the_end_of_the_topic_is_answered_by_a_reset(
    topic: ServedTopic, transport: Transport
) -> None:
    (end,) = topic.at_end.positions
    past = topic.at_end._replace(positions=(end + 1,)).encode()
    async with transport(topic.served, UPDATES, keys=["a", "gone"], after=past) as results:
        assert short(await take(results, 3)) == [("RESET", None, None), ("SNAPSHOT", "a", "1"), ("LIVE", None, None)]


async def test_progress_is_delivered_at_the_start_and_while_nothing_matches(
    topic: ServedTopic, transport: Transport
) -> None:
    async with transport(topic.served, UPDATES, keys=["never"], progress=True) as results:
        (live,) = await take(results, 1)
        positions = await topic.write((b"other", b"1"))
        (progress,) = await take(results, 1)
    assert short([live, progress]) == [("LIVE", None, None), ("PROGRESS", None, None)]
    assert decode_cursor(progress["cursor"], topic.served.table).positions == positions


@pytest.mark.parametrize(
    ("variables", "code"),
    [
        ({"keys": []}, "BAD_INPUT"),
        ({"after": Cursor(NO_TOPIC_ID, (0,)).encode(), "snapshot": True}, "BAD_INPUT"),
        ({"after": "garbled"}, "BAD_CURSOR"),
        ({"after": ""}, "BAD_CURSOR"),
        ({"keys": ["6"], "encoding": "HEX"}, "BAD_KEY"),
        ({"prefix": "YQ", "encoding": "BASE64"}, "BAD_KEY"),
        ({"keys": ["1", "2", "3", "4"]}, "TOO_MANY_KEYS"),
        ({"keys": 5}, "BAD_INPUT"),
        ({"after": 5}, "BAD_INPUT"),
    ],
)
async def test_invalid_arguments_end_a_subscription_with_a_code(
    topic: ServedTopic, transport: Transport, variables: dict[str, Any], code: str
) -> None:
    assert await codes(topic, transport, UPDATES, **variables) == [code]


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ("subscription {", "GRAPHQL_PARSE_FAILED"),
        ("subscription { updates { nothing } }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { updates { kind } a: updates { kind } }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { updates(after: 5) { kind } }", "GRAPHQL_VALIDATION_FAILED"),
        ("fragment F on Query { __typename }", "BAD_INPUT"),
        ("", "BAD_INPUT"),
    ],
)
async def test_invalid_document_ends_with_a_code(
    topic: ServedTopic, transport: Transport, document: str, code: str
) -> None:
    assert await codes(topic, transport, document) == [code]


async def codes(topic: ServedTopic, transport: Transport, document: str, **variables: Any) -> list[str]:
    """Return the codes of a subscription whose only result has errors."""
    async with transport(topic.served, document, **variables) as results:
        received = [result async for result in results]
    assert [result.get("data") for result in received] == [None]
    return [error["extensions"]["code"] for result in received for error in result["errors"]]


async def test_query_over_a_stream_has_one_result_with_its_cursor(topic: ServedTopic, transport: Transport) -> None:
    document, cursor = '{ value(key: "a") { value } }', await current_cursor(topic)
    async with transport(topic.served, document) as results:
        received = [result async for result in results]
    assert received == [{"data": {"value": {"value": "1"}}, "extensions": {"cursor": cursor}}]


async def test_operation_of_a_document_is_chosen_by_its_name(topic: ServedTopic, transport: Transport) -> None:
    document = "subscription One { one: status { state } } subscription Two { two: status { state } }"
    async with transport(topic.served, document, operation="Two") as results:
        assert await anext(results) == {"data": {"two": {"state": "LIVE"}}}
    for unknown in ("Three", ""):
        assert await codes(topic, transport, document, operation=unknown) == ["BAD_INPUT"]
    assert await codes(topic, transport, document) == ["BAD_INPUT"]


async def test_live_query_delivers_the_latest_state_whenever_it_changes(
    topic: ServedTopic, transport: Transport
) -> None:
    document = 'subscription { value(key: "live") { value } }'
    await topic.write((b"live", None))
    async with transport(topic.served, document) as results:
        assert await anext(results) == {"data": {"value": None}}
        await topic.write((b"live", b"1"))
        assert await anext(results) == {"data": {"value": {"value": "1"}}}
        await topic.write((b"other", b"1"), (b"live", None))
        assert await anext(results) == {"data": {"value": None}}


async def test_subscriptions_of_one_client_get_their_own_updates(topic: ServedTopic, transport: Transport) -> None:
    start = await current_cursor(topic)
    async with (
        transport.linked(topic.served) as link,
        link.subscribed(UPDATES, keys=["x"], after=start) as of_x,
        link.subscribed(UPDATES, keys=["y"], after=start) as of_y,
    ):
        for results in (of_x, of_y):
            assert short(await take(results, 1)) == [("LIVE", None, None)]
        await topic.write((b"y", b"1"), (b"x", b"2"))
        assert short(await take(of_y, 1)) == [("SET", "y", "1")]
        assert short(await take(of_x, 1)) == [("SET", "x", "2")]


async def test_subscription_is_counted_until_it_ends(topic: ServedTopic, transport: Transport) -> None:
    start = await current_cursor(topic)
    async with transport.linked(topic.served) as link:
        async with link.subscribed(UPDATES, after=start) as stays:
            await take(stays, 1)
            async with link.subscribed(UPDATES, after=start) as goes:
                await take(goes, 1)
                await until_active(topic.served.http, 2, transport.metric)
                assert await topic.served.data("{ status { subscribers } }") == {"status": {"subscribers": 2}}
            await until_active(topic.served.http, 1, transport.metric)
            await topic.write((b"still", b"open"))
            assert short(await take(stays, 1)) == [("SET", "still", "open")]
        await until_active(topic.served.http, 0)


async def test_dropped_connection_ends_its_subscription(topic: ServedTopic, transport: Transport) -> None:
    async with transport(topic.served, UPDATES):
        await until_active(topic.served.http, 1)
    await until_active(topic.served.http, 0)


async def test_update_with_errors_does_not_end_its_subscription(topic: ServedTopic, transport: Transport) -> None:
    document = 'subscription($after: Cursor) { updates(prefix: "odd/", after: $after) { key entry { json value } } }'
    start = await current_cursor(topic)
    await topic.write((b"odd/text", b"no JSON"), (b"odd/raw", b"\xff"), (b"odd/fine", b"1"))
    async with transport(topic.served, document, after=start) as results:
        received = [await anext(results) for _ in range(3)]
    assert [result["data"]["updates"]["key"] for result in received] == ["odd/text", "odd/raw", "odd/fine"]
    assert [[error["extensions"]["code"] for error in result.get("errors", [])] for result in received] == [
        ["NOT_JSON"],
        ["NOT_JSON", "NOT_UTF8"],
        [],
    ]
