"""Answers in one body: media types and status codes."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from kvs_graphql.demo.broker import EmbeddedBroker
from tests.serving import Served, serving_topic
from tests.web.posting import GRAPHQL_RESPONSE, JSON, codes, post

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    async with serving_topic(embedded_broker, tmp_path_factory.mktemp("responses"), (b"a", b"1")) as topic:
        yield topic.served


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (GRAPHQL_RESPONSE, GRAPHQL_RESPONSE),
        (JSON, JSON),
        ("*/*", JSON),
        (f"{GRAPHQL_RESPONSE}; charset=utf-8, {JSON};q=0.9", GRAPHQL_RESPONSE),
        ("text/html, */*;q=0.1", JSON),
    ],
)
async def test_answer_has_the_media_type_that_the_client_accepts(served: Served, accept: str, media_type: str) -> None:
    answer = await post(served, b'{"query": "{ __typename }"}', accept)
    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
    assert answer.content == b'{"data":{"__typename":"Query"}}'


@pytest.mark.parametrize(
    ("request_body", "status", "code"),
    [
        (b'{"query": "{"}', 400, "GRAPHQL_PARSE_FAILED"),
        (b'{"query": "{ nothing }"}', 400, "GRAPHQL_VALIDATION_FAILED"),
        (b'{"query": "query($n: Int!) { entries(first: $n) { __typename } }"}', 400, "BAD_INPUT"),
        (b'{"query": "{ value(key: \\"a\\") { json(pointer: \\"x\\") } }"}', 200, "BAD_INPUT"),
        (b'{"query": "{ status { lag } entries(first: -1) { __typename } }"}', 200, "BAD_INPUT"),
    ],
)
async def test_request_that_is_not_executed_is_400_only_as_a_graphql_response(
    served: Served, request_body: bytes, status: int, code: str
) -> None:
    old, new = await post(served, request_body, JSON), await post(served, request_body, GRAPHQL_RESPONSE)
    assert (old.status_code, new.status_code) == (200, status)
    assert old.json() == new.json()
    assert codes(new) == [code]
    assert ("data" in new.json()) == (status == 200)
