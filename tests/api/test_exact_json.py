"""JSON as it was written, in the text of responses: clients' parsers would round numbers."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from kvs_graphql.demo.broker import EmbeddedBroker
from tests.deadline import SECONDS_MAX
from tests.serving import Pair, Served, ServedTopic, serving_topic

pytestmark = pytest.mark.asyncio(loop_scope="module")

NUMBERS = b"[963019363229999955968,-9223372036854775809,3.14159265358979323846264338327950288,1.50,-0,1e400]"
# Larger texts may not be as deep.
DEEP = b"[" * 15_000 + b"0.10" + b"]" * 15_000
RECORDS: list[Pair] = [
    (b"numbers", b'{"n":' + NUMBERS + b"}"),
    (b"lines", b'{\r\n  "n": [\n    1.50\n  ]\n}\n'),
    (b"deep", b'{"n":' + DEEP + b"}"),
]
EXPECTED = {"numbers": NUMBERS, "lines": b"[1.50]", "deep": DEEP}
NOT_JSON = {
    "mark": (b"\xef\xbb\xbf{}", "byte order mark"),
    "surrogate": (b'{"n":"\\ud800"}', "half of a surrogate pair"),
    "latin": (b'"caf\xe9"', "not UTF-8, at byte 5"),
    "constant": (b"[NaN]", "NaN"),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def topic(
    embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory, table: str
) -> AsyncIterator[ServedTopic]:
    records = RECORDS + [(key.encode(), value) for key, (value, _) in NOT_JSON.items()]
    async with serving_topic(embedded_broker, tmp_path_factory.mktemp("exact"), *records, table=table) as topic:
        yield topic


@pytest.fixture
def served(topic: ServedTopic) -> Served:
    return topic.served


async def text_of(served: Served, document: str, key: str) -> bytes:
    """The response to a query, or the first event of a subscription, as text."""
    body = {"query": served.named(document), "variables": {"key": key}}
    accept = "text/event-stream" if document.startswith("subscription") else "application/json"
    async with served.http.stream("POST", "/graphql", json=body, headers={"accept": accept}) as response:
        if accept == "application/json":
            return await response.aread()
        async for line in response.aiter_lines():
            if line.startswith("data: "):
                return line.encode()
    raise AssertionError(f"no event within {SECONDS_MAX} s")


@pytest.mark.parametrize("key", EXPECTED)
async def test_query_subscription_and_graphql_core_show_json_as_it_was_written(served: Served, key: str) -> None:
    expected = b'{"n":%s}' % EXPECTED[key]
    for document in (
        "query ($key: String!) { value(key: $key) { json } }",
        "query ($key: String!) { value(key: $key) { json @skip(if: false) } }",
        "query ($key: String!) { value(key: $key) { history { json } } }",
        "subscription ($key: String!) { value(key: $key) { json } }",
        "subscription ($key: String!) { updates(keys: [$key], snapshot: true) { entry { json } } }",
    ):
        assert b'"json":' + expected in await text_of(served, document, key), document


@pytest.mark.parametrize("key", EXPECTED)
async def test_json_pointer_shows_a_part_as_it_was_written(served: Served, key: str) -> None:
    for document in (
        'query ($key: String!) { value(key: $key) { json(pointer: "/n") } }',
        'subscription ($key: String!) { updates(keys: [$key], snapshot: true) { entry { json(pointer: "/n") } } }',
    ):
        assert b'"json":' + EXPECTED[key] in await text_of(served, document, key), document


@pytest.mark.parametrize("key", NOT_JSON)
async def test_value_that_is_almost_json_is_not_json_for_the_reason_named(served: Served, key: str) -> None:
    answer = await served.query("query ($key: String!) { value(key: $key) { json size } }", key=key)
    assert answer["data"]["value"] == {"json": None, "size": len(NOT_JSON[key][0])}
    (error,) = answer["errors"]
    assert (error["extensions"], error["path"]) == ({"code": "NOT_JSON"}, ["value", "json"])
    assert NOT_JSON[key][1] in error["message"]
