"""Answers in one body: media types and status codes."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from kvs_graphql.demo.broker import EmbeddedBroker
from tests.serving import Served, serving_topic
from tests.transports import MULTIPART_ACCEPT
from tests.web.posting import GRAPHQL_RESPONSE, JSON, codes, post

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    async with serving_topic(
        embedded_broker, tmp_path_factory.mktemp("responses"), (b"a", b"1"), url_bytes_max=50_000
    ) as topic:
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


@pytest.mark.parametrize(
    ("method", "path", "accept", "status"),
    [
        ("GET", "/graphql?query={__typename}", JSON, 200),
        ("GET", "/graphql?query={", GRAPHQL_RESPONSE, 400),
        ("GET", "/graphql?query={__typename}", "text/event-stream", 200),
        ("GET", "/graphql?query=subscription{updates(keys:[]){kind}}", MULTIPART_ACCEPT, 200),
        ("GET", "/graphql?query={__typename}", "image/png", 406),
        ("PATCH", "/graphql", JSON, 405),
        ("PUT", "/graphql", "*/*", 201),
        ("DELETE", "/graphql", "*/*", 404),
        ("GET", "/graphql", "text/html", 200),
        ("GET", "/", "text/html", 200),
        ("GET", "/nothing", JSON, 404),
        ("GET", "/assets/nothing", JSON, 404),
        ("GET", "/healthz", "*/*", 200),
        ("GET", "/readyz", "*/*", 200),
        ("GET", "/metrics", "*/*", 200),
        ("GET", "/schema.graphql", "*/*", 200),
        ("GET", "/" + "l" * 60_000, JSON, 414),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_browser_guesses_the_type_of_no_answer(
    served: Served, method: str, path: str, accept: str, status: int
) -> None:
    answer = await served.http.request(method, path, headers={"accept": accept})
    assert answer.status_code in {status, 307}, "the front page redirects where the pages are not built"
    assert answer.headers.get_list("x-content-type-options") == ["nosniff"]


@pytest.mark.parametrize(
    ("document", "variables", "message"),
    [
        ("query($k: String!) { value(key: $k) { key } }", {"k": None}, "not to be null"),
        ("{ value(key: null) { key } }", {}, "not to be null"),
        ("query($k: Int) { entries(first: $k) { edges { cursor } } }", {"k": True}, "non-integer value: true"),
        ("query($k: String!) { value(key: $k) { key } }", {"k": {"None": None}}, "{'None': null}"),
        ('query($k: Encoding) { value(key: "a") { key(encoding: $k) } }', {"k": "None"}, "Value 'None' does not"),
    ],
)
async def test_message_has_the_words_of_graphql_and_not_of_python(
    served: Served, document: str, variables: dict[str, object], message: str
) -> None:
    (error,) = (await served.query(document, **variables))["errors"]
    assert message in error["message"]


LONG = "x" * 500_000


@pytest.mark.parametrize(
    ("document", "variables"),
    [
        ('query($k: Encoding!) { value(key: "a") { key(encoding: $k) } }', {"k": LONG}),
        ("query($k: Int) { entries(first: $k) { edges { cursor } } }", {"k": LONG}),
        ('query($k: String!) { value(key: "a") { json(pointer: $k) } }', {"k": LONG}),
        ('query($k: Cursor) { value(key: "a", atLeast: $k) { key } }', {"k": LONG}),
        (f"{{ {LONG[:60_000]} }}", {}),
        (f'{{ value(key: "a") {{ key(encoding: {LONG[:60_000]}) }} }}', {}),
    ],
    ids=["enum", "number", "pointer", "cursor", "name", "literal"],
)
async def test_error_does_not_repeat_what_is_long(served: Served, document: str, variables: dict[str, object]) -> None:
    (error,) = (await served.query(document, **variables))["errors"]
    assert len(error["message"]) <= 1_000
