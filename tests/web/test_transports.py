"""Subscriptions, the same over every transport and with the npm clients."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from kvs_graphql.cursor import NO_TOPIC_ID, Cursor, decode_cursor
from kvs_graphql.demo.broker import EmbeddedBroker
from tests.api.test_values import Holding, holding
from tests.transports import MULTIPART, SSE, UPDATES, WEBSOCKET, Transport, npm_transport, take, until_active

pytestmark = pytest.mark.asyncio(loop_scope="module")

OURS = {"websocket": WEBSOCKET, "sse": SSE, "multipart": MULTIPART}
NPM = ["graphql-ws", "graphql-sse"]


@pytest.fixture(params=[*OURS, *NPM])
def transport(request: pytest.FixtureRequest) -> Transport:
    name: str = request.param
    return OURS[name] if name in OURS else npm_transport(request.getfixturevalue("node"), name)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def held(embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Holding]:
    directory = tmp_path_factory.mktemp("subscriptions")
    records = [(b"a", b"0"), (b"a", b"1"), (b"b/1", b"1"), (b"b/2", b"1"), (b"b/2", None), (b"c", b"1")]
    async with holding(embedded_broker, directory, *records, progress_seconds=0.1, keys_per_request_max=3) as held:
        yield held


def short(updates: list[dict[str, Any]]) -> list[tuple[str, str | None, str | None]]:
    """Kind, key and value."""
    return [(update["kind"], update["key"], (update["entry"] or {}).get("value")) for update in updates]


async def now(held: Holding) -> str:
    cursor: str = (await held.served.data("{ status { cursor } }"))["status"]["cursor"]
    return cursor


async def test_a_plain_subscription_tells_changes_from_now_on(held: Holding, transport: Transport) -> None:
    async with transport(held.served, UPDATES) as results:
        await until_active(held.served.http, 1)
        (position,) = await held.write((b"new", b"1"), (b"new", None))
        updates = await take(results, 2)
    assert short(updates) == [("SET", "new", "1"), ("DELETE", "new", None)]
    assert [(u["partition"], u["offset"]) for u in updates] == [(0, position - 2), (0, position - 1)]
    assert updates[0]["entry"] == {"key": "new", "value": "1", "offset": position - 2}
    assert [decode_cursor(u["cursor"]).positions for u in updates] == [(position - 1,), (position,)]
    assert updates[1]["timestamp"].endswith("+00:00")
    await until_active(held.served.http, 0)


async def test_a_snapshot_comes_first_then_live_then_changes(held: Holding, transport: Transport) -> None:
    async with transport(held.served, UPDATES, keys=["a", "b/1", "b/2"], snapshot=True) as results:
        assert short(await take(results, 2)) == [("SNAPSHOT", "a", "1"), ("SNAPSHOT", "b/1", "1")]
        (live,) = await take(results, 1)
        assert live["kind"] == "LIVE"
        assert {name: live[name] for name in live if name not in ("kind", "cursor")} == dict.fromkeys(
            ("key", "partition", "offset", "timestamp", "entry")
        )
        assert decode_cursor(live["cursor"]).positions == held.served.run.feed.positions
        await held.write((b"b/2", b"2"), (b"c", b"1"), (b"b/2", None))
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
async def test_keys_and_prefix_tell_what_is_watched_and_either_suffices(
    held: Holding, transport: Transport, wanted: dict[str, Any], keys: list[str]
) -> None:
    from_second_record = Cursor(held.served.run.feed.topic_id, (1,)).encode()
    async with transport(held.served, UPDATES, after=from_second_record, **wanted) as results:
        told = await take(results, len(keys))
    assert [update["key"] for update in told] == keys


async def test_a_subscription_goes_on_where_another_stopped_without_gap_or_repeat(
    held: Holding, transport: Transport
) -> None:
    start = await now(held)
    await held.write(*((b"n", b"%d" % number) for number in range(6)))
    told, place = [], start
    for _ in range(3):
        async with transport(held.served, UPDATES, keys=["n"], after=place) as results:
            updates = await take(results, 2)
        told += [update["entry"]["value"] for update in updates]
        place = updates[-1]["cursor"]
    assert told == ["0", "1", "2", "3", "4", "5"]
    async with transport(held.served, UPDATES, keys=["n"], after=place) as results:
        assert short(await take(results, 1)) == [("LIVE", None, None)]


async def test_a_subscription_after_the_cursor_of_a_query_misses_and_repeats_nothing(
    held: Holding, transport: Transport
) -> None:
    answer = await held.served.query('{ value(key: "q") { value } }')
    await held.write((b"q", b"after the query"))
    async with transport(held.served, UPDATES, after=answer["extensions"]["cursor"]) as results:
        assert short(await take(results, 2)) == [("SET", "q", "after the query"), ("LIVE", None, None)]


async def test_after_a_cursor_of_another_topic_everything_is_told_anew(held: Holding, transport: Transport) -> None:
    other = Cursor(NO_TOPIC_ID, (1,)).encode()
    async with transport(held.served, UPDATES, keys=["a", "gone"], after=other) as results:
        assert short(await take(results, 3)) == [("RESET", None, None), ("SNAPSHOT", "a", "1"), ("LIVE", None, None)]


async def test_after_a_cursor_past_the_end_of_the_topic_everything_is_told_anew(
    held: Holding, transport: Transport
) -> None:
    feed = held.served.run.feed
    past = Cursor(feed.topic_id, (feed.positions[0] + 1,)).encode()
    async with transport(held.served, UPDATES, keys=["a", "gone"], after=past) as results:
        assert short(await take(results, 3)) == [("RESET", None, None), ("SNAPSHOT", "a", "1"), ("LIVE", None, None)]


async def test_progress_tells_when_it_starts_and_how_far_it_is_while_nothing_matches(
    held: Holding, transport: Transport
) -> None:
    async with transport(held.served, UPDATES, keys=["never"], progress=True) as results:
        (live,) = await take(results, 1)
        positions = await held.write((b"other", b"1"))
        (progress,) = await take(results, 1)
    assert short([live, progress]) == [("LIVE", None, None), ("PROGRESS", None, None)]
    assert decode_cursor(progress["cursor"]).positions == positions


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
async def test_arguments_that_are_not_allowed_end_a_subscription_with_a_code(
    held: Holding, transport: Transport, variables: dict[str, Any], code: str
) -> None:
    assert await codes(held, transport, UPDATES, **variables) == [code]


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
async def test_a_document_that_is_not_allowed_ends_with_a_code(
    held: Holding, transport: Transport, document: str, code: str
) -> None:
    assert await codes(held, transport, document) == [code]


async def codes(held: Holding, transport: Transport, document: str, **variables: Any) -> list[str]:
    """The codes of a subscription that ends by itself with errors, and nothing else."""
    async with transport(held.served, document, **variables) as results:
        told = [result async for result in results]
    assert [result.get("data") for result in told] == [None]
    return [error["extensions"]["code"] for result in told for error in result["errors"]]


async def test_a_query_over_a_stream_gives_one_result_with_its_cursor(held: Holding, transport: Transport) -> None:
    document, cursor = '{ value(key: "a") { value } }', await now(held)
    async with transport(held.served, document) as results:
        told = [result async for result in results]
    assert told == [{"data": {"value": {"value": "1"}}, "extensions": {"cursor": cursor}}]


async def test_a_document_of_several_operations_is_run_by_name(held: Holding, transport: Transport) -> None:
    document = "subscription One { one: status { topic } } subscription Two { two: status { topic } }"
    async with transport(held.served, document, operation="Two") as results:
        assert await anext(results) == {"data": {"two": {"topic": held.topic}}}
    for unknown in ("Three", ""):
        assert await codes(held, transport, document, operation=unknown) == ["BAD_INPUT"]
    assert await codes(held, transport, document) == ["BAD_INPUT"]


async def test_a_live_query_tells_the_latest_now_and_whenever_it_changed(held: Holding, transport: Transport) -> None:
    document = 'subscription { value(key: "live") { value } }'
    await held.write((b"live", None))
    async with transport(held.served, document) as results:
        assert await anext(results) == {"data": {"value": None}}
        await held.write((b"live", b"1"))
        assert await anext(results) == {"data": {"value": {"value": "1"}}}
        await held.write((b"other", b"1"), (b"live", None))
        assert await anext(results) == {"data": {"value": None}}


async def test_two_subscriptions_of_a_client_each_get_their_own(held: Holding, transport: Transport) -> None:
    start = await now(held)
    async with (
        transport.linked(held.served) as link,
        link.subscribed(UPDATES, keys=["x"], after=start) as of_x,
        link.subscribed(UPDATES, keys=["y"], after=start) as of_y,
    ):
        for results in (of_x, of_y):
            assert short(await take(results, 1)) == [("LIVE", None, None)]
        await held.write((b"y", b"1"), (b"x", b"2"))
        assert short(await take(of_y, 1)) == [("SET", "y", "1")]
        assert short(await take(of_x, 1)) == [("SET", "x", "2")]


async def test_a_subscription_counts_for_its_transport_until_it_is_unsubscribed(
    held: Holding, transport: Transport
) -> None:
    start = await now(held)
    async with transport.linked(held.served) as link:
        async with link.subscribed(UPDATES, after=start) as stays:
            await take(stays, 1)
            async with link.subscribed(UPDATES, after=start) as goes:
                await take(goes, 1)
                await until_active(held.served.http, 2, transport.metric)
                assert await held.served.data("{ status { subscribers } }") == {"status": {"subscribers": 2}}
            await until_active(held.served.http, 1, transport.metric)
            await held.write((b"still", b"told"))
            assert short(await take(stays, 1)) == [("SET", "still", "told")]
        await until_active(held.served.http, 0)


async def test_a_connection_that_is_dropped_ends_its_subscription(held: Holding, transport: Transport) -> None:
    async with transport(held.served, UPDATES):
        await until_active(held.served.http, 1)
    await until_active(held.served.http, 0)


async def test_an_update_that_cannot_be_shown_whole_ends_nothing(held: Holding, transport: Transport) -> None:
    document = 'subscription($after: Cursor) { updates(prefix: "odd/", after: $after) { key entry { json value } } }'
    start = await now(held)
    await held.write((b"odd/deep", b"[" * 300 + b"]" * 300), (b"odd/raw", b"\xff"), (b"odd/fine", b"1"))
    async with transport(held.served, document, after=start) as results:
        told = [await anext(results) for _ in range(3)]
    assert [result["data"]["updates"]["key"] for result in told] == ["odd/deep", "odd/raw", "odd/fine"]
    assert [[error["extensions"]["code"] for error in result.get("errors", [])] for result in told] == [
        ["NOT_JSON"],
        ["NOT_JSON", "NOT_UTF8"],
        [],
    ]
