"""Operations and errors are counted once each, whatever way they come and go."""

import re
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.metrics import Metrics
from tests.runtime.servers import Receive, Scope, Send, client_of, refused, server
from tests.serving import Served, serving_topic
from tests.transports import MULTIPART, MULTIPART_ACCEPT, SINGLE_CONNECTION, SSE, WEBSOCKET, Transport, open_socket

pytestmark = pytest.mark.asyncio(loop_scope="module")

COMPILED = "query ($key: String!) { value(key: $key) { id } }"
NOT_COMPILED = (
    "query ($key: String!) { value(key: $key) { ... on Node @include(if: true) { id } } __schema { __typename } }"
)
MUTATION = "mutation ($key: String!) { delete(key: $key) { offset } }"
UPDATES = "subscription ($key: String!) { updates(keys: [$key], progress: true) { kind } }"
SAMPLE = re.compile(r"^kvs_(errors|operations)_total\{(.*)\} (\S+)$", re.MULTILINE)
LABEL = re.compile(r'"([^"]*)"')


def counts(rendered: str) -> Counter[tuple[str, ...]]:
    """What is counted of operations and errors, by the metric and its labels."""
    found = Counter[tuple[str, ...]]()
    for metric, labels, value in SAMPLE.findall(rendered):
        found[metric, *LABEL.findall(labels)] = round(float(value))
    return found


async def counted(http: httpx.AsyncClient) -> Counter[tuple[str, ...]]:
    return counts((await http.get("/metrics")).text)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    limits: dict[str, Any] = {"key_bytes_max": 10, "request_bytes_max": 5_000, "enable_writes": True}
    async with serving_topic(embedded_broker, tmp_path_factory.mktemp("counts"), (b"a", b"1"), **limits) as topic:
        yield topic.served


async def first_result(served: Served, way: Transport | str, document: str, key: str) -> dict[str, Any]:
    if isinstance(way, Transport):
        async with way(served, document, key=key) as results:
            return await anext(results)
    if way == "GET":
        parameters = {"query": document, "variables": f'{{"key": "{key}"}}'}
        answer: dict[str, Any] = (await served.http.get("/graphql", params=parameters)).json()
        return answer
    return await served.query(document, key=key)


WAYS: dict[str, Transport | str] = {
    "POST": "POST",
    "GET": "GET",
    "SSE": SSE,
    "single connection": SINGLE_CONNECTION,
    "multipart": MULTIPART,
    "WebSocket": WEBSOCKET,
}
# Each document with what it counts as, and the transports that execute it.
OPERATIONS = {
    COMPILED: (("compiled", "query"), ("POST", "GET", "multipart", "single connection", "WebSocket")),
    NOT_COMPILED: (("graphql-core", "query"), ("POST", "GET", "multipart", "single connection", "WebSocket")),
    MUTATION: (("graphql-core", "mutation"), ("POST", "multipart", "single connection", "WebSocket")),
    UPDATES: (("compiled", "subscription"), ("SSE", "multipart", "single connection", "WebSocket")),
}


@pytest.mark.parametrize(
    ("way", "document", "labels"),
    [
        pytest.param(WAYS[way], document, labels, id="-".join((way, *labels)))
        for document, (labels, ways) in OPERATIONS.items()
        for way in ways
    ],
)
async def test_an_operation_and_its_error_are_counted_once_on_every_transport(
    served: Served, way: Transport | str, document: str, labels: tuple[str, str]
) -> None:
    before = await counted(served.http)
    assert "errors" not in await first_result(served, way, document, "a")
    assert await counted(served.http) - before == Counter({("operations", *labels): 1})
    assert (await first_result(served, way, document, "x" * 11))["errors"]
    assert await counted(served.http) - before == Counter({("operations", *labels): 2, ("errors", "BAD_KEY"): 1})


@pytest.mark.parametrize(
    ("status", "code", "request_"),
    [
        (400, "BAD_INPUT", {"method": "POST", "json": 5}),
        (400, "BAD_INPUT", {"method": "GET", "params": {"variables": "["}}),
        (200, "BAD_INPUT", {"method": "POST", "json": [{"query": "{ __typename }"}] * 3}),
        (404, "BAD_INPUT", {"method": "GET", "url": "/nothing"}),
        (405, "BAD_INPUT", {"method": "PATCH"}),
        (404, "BAD_INPUT", {"method": "DELETE"}),
        (405, "BAD_INPUT", {"method": "GET", "params": {"query": MUTATION}}),
        (406, "BAD_INPUT", {"method": "POST", "json": {"query": "{ __typename }"}, "headers": {"accept": "text/css"}}),
        (
            413,
            "LIMIT_EXCEEDED",
            {"method": "POST", "content": b" " * 5_001, "headers": {"content-type": "application/json"}},
        ),
        (415, "BAD_INPUT", {"method": "POST", "content": b"{}", "headers": {"content-type": "text/plain"}}),
        (200, "GRAPHQL_PARSE_FAILED", {"method": "POST", "json": {"query": "{"}}),
    ],
)
async def test_a_request_that_is_refused_is_counted_as_an_error_and_as_no_operation(
    served: Served, status: int, code: str, request_: dict[str, Any]
) -> None:
    before = await counted(served.http)
    answer = await served.http.request(**{"url": "/graphql", **request_})
    assert (answer.status_code, await counted(served.http) - before) == (status, Counter({("errors", code): 1}))


@pytest.mark.parametrize("accept", ["text/event-stream", MULTIPART_ACCEPT])
async def test_a_request_for_a_stream_that_is_refused_is_counted_as_well(served: Served, accept: str) -> None:
    before = await counted(served.http)
    await served.http.post("/graphql", json={"query": "subscription { nothing }"}, headers={"accept": accept})
    await served.http.post("/graphql", json=5, headers={"accept": accept})
    expected = Counter({("errors", "GRAPHQL_VALIDATION_FAILED"): 1, ("errors", "BAD_INPUT"): 1})
    assert await counted(served.http) - before == expected


HEAD = b"POST / HTTP/1.1\r\nhost: localhost\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"


async def read_all(_: Scope, receive: Receive, send: Send) -> None:
    """Answer a request once all of it is there."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@pytest.mark.parametrize(
    ("status", "code", "sent", "limits"),
    [
        (400, "BAD_INPUT", b"\x16\x03\x01 no HTTP\r\n\r\n", {}),
        (408, "LIMIT_EXCEEDED", HEAD, {"head_seconds_max": 0.1}),
        (408, "LIMIT_EXCEEDED", CHUNKED + b"1\r\n ", {"body_seconds_max": 0.1}),
        (
            413,
            "LIMIT_EXCEEDED",
            CHUNKED + b"2000\r\n" + b" " * 8192,
            {"message_bytes_max": 100, "head_bytes_max": 1000},
        ),
        (414, "LIMIT_EXCEEDED", b"GET /" + b"x" * 200 + b" HTTP/1.1\r\n\r\n", {"url_bytes_max": 100}),
        (431, "LIMIT_EXCEEDED", HEAD + b"x: " + b"x" * 2000 + b"\r\n\r\n", {"head_bytes_max": 1000}),
        (503, "LIMIT_EXCEEDED", HEAD + b"\r\n", {"connections_max": 0}),
    ],
)
async def test_what_the_application_never_gets_is_counted_by_its_code(
    status: int, code: str, sent: bytes, limits: dict[str, Any]
) -> None:
    metrics = Metrics()
    async with server(read_all, metrics=metrics, **limits) as running, client_of(running.port) as (reader, writer):
        writer.write(sent)
        assert refused(await reader.read())[0] == status
    assert counts(metrics.render().decode()) == Counter({("errors", code): 1})


async def test_a_body_that_is_too_slow_for_a_response_that_has_begun_is_no_error_sent() -> None:
    async def answer_early(_: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"early", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass

    metrics = Metrics()
    async with (
        server(answer_early, metrics=metrics, body_seconds_max=0.1) as running,
        client_of(running.port) as (reader, writer),
    ):
        writer.write(CHUNKED + b"1\r\n ")
        assert b"early" in await reader.read()
    assert counts(metrics.render().decode()) == Counter()


async def test_a_websocket_over_the_limit_is_counted(embedded_broker: EmbeddedBroker, tmp_path: Any) -> None:
    async with serving_topic(embedded_broker, tmp_path, websockets_max=1) as topic, open_socket(topic.served):
        with pytest.raises(Exception, match="503"):
            async with open_socket(topic.served):
                pass
        assert await counted(topic.served.http) == Counter({("errors", "LIMIT_EXCEEDED"): 1})
