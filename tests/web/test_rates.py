"""Requests per second of one client, over every transport; and documents that are trusted, or tell of the schema."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from websockets.exceptions import InvalidStatus

from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.errors import BadSetting, LimitExceeded
from kvs_graphql.web import rates
from kvs_graphql.web.rates import RequestRates
from tests.serving import Served, serving_topic
from tests.transports import MULTIPART_ACCEPT, open_socket, receive, send
from tests.web.posting import JSON, codes

QUERY = {"query": "{ __typename }"}
SUBSCRIPTION = {"query": "subscription { updates(progress: true) { kind } }"}
TRUSTED = "subscription { updates(progress: true) { kind } }"
HASH = hashlib.sha256(TRUSTED.encode()).hexdigest()
OVER = {"code": "LIMIT_EXCEEDED", "limit": 1, "setting": "KVS_REQUESTS_PER_SECOND_MAX"}


class Clock:
    """A second that lasts until the test ends it."""

    seconds = 5.0

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    stopped = Clock()
    monkeypatch.setattr(rates, "time", stopped)
    return stopped


def test_each_client_has_its_own_limit_which_is_new_in_the_next_second(clock: Clock) -> None:
    limit = RequestRates(2)
    for client in ("a", "a", "b", "b"):
        limit.check(client)
    for client in ("a", "b"):
        with pytest.raises(LimitExceeded):
            limit.check(client)
    clock.seconds += 1
    limit.check("a")


@pytest.fixture
async def served(embedded_broker: EmbeddedBroker, tmp_path: Path, clock: Clock) -> AsyncIterator[Served]:
    async with serving_topic(embedded_broker, tmp_path, requests_per_second_max=1) as topic:
        clock.seconds += 1
        yield topic.served


@pytest.mark.parametrize(
    ("method", "body", "accept"),
    [
        ("POST", QUERY, JSON),
        ("GET", QUERY, JSON),
        ("POST", SUBSCRIPTION, "text/event-stream"),
        ("GET", SUBSCRIPTION, "text/event-stream"),
        ("POST", SUBSCRIPTION, MULTIPART_ACCEPT),
    ],
)
async def test_one_request_more_within_a_second_is_refused_with_the_time_to_wait(
    served: Served, clock: Clock, method: str, body: dict[str, str], accept: str
) -> None:
    asked: dict[str, Any] = {"params": body} if method == "GET" else {"json": body}
    async with served.http.stream(method, "/graphql", headers={"accept": accept}, **asked) as first:
        assert first.status_code == 200
        # No proxy is trusted here, so an invented address is nobody's.
        headers = {"accept": accept, "x-forwarded-for": "192.0.2.1", "forwarded": "for=192.0.2.1"}
        async with served.http.stream(method, "/graphql", headers=headers, **asked) as refused:
            assert (refused.status_code, refused.headers.get("retry-after")) == (429, "1")
            answer = orjson.loads(await refused.aread())
        assert [error["extensions"] for error in answer["errors"]] == [OVER]
        assert (await served.http.get("/metrics")).status_code == 429
        assert (await served.http.get("/healthz")).status_code == 200
        clock.seconds += 1
        assert (await served.http.get("/metrics")).status_code == 200


async def test_operations_on_a_websocket_count_as_requests(served: Served, clock: Clock) -> None:
    async with open_socket(served) as socket:
        clock.seconds += 1
        for identity in ("1", "2"):
            await send(socket, type="subscribe", id=identity, payload=QUERY)
        messages = [await receive(socket) for _ in range(3)]
        (refused,) = [message for message in messages if message["id"] == "2"]
        assert [error["extensions"] for error in refused["payload"]] == [OVER]
        clock.seconds += 1
        await send(socket, type="subscribe", id="2", payload=QUERY)
        assert (await receive(socket))["type"] == "next"


async def test_handshakes_of_websockets_count_as_requests(served: Served, clock: Clock) -> None:
    async with open_socket(served):
        with pytest.raises(InvalidStatus) as refused:
            async with open_socket(served):
                pass
        answer = refused.value.response
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
        assert [error["extensions"] for error in orjson.loads(answer.body)["errors"]] == [OVER]
        clock.seconds += 1
        async with open_socket(served):
            pass


async def test_each_client_behind_a_proxy_has_its_own_limit_however_long_its_header(
    embedded_broker: EmbeddedBroker, tmp_path: Path, clock: Clock
) -> None:
    settings: dict[str, Any] = {"requests_per_second_max": 1, "forwarded_allow_ips": ("127.0.0.1",)}
    async with serving_topic(embedded_broker, tmp_path, **settings) as topic:
        clock.seconds += 1
        for headers, status in (
            ({"x-forwarded-for": "192.0.2.1"}, 200),
            ({"x-forwarded-for": "192.0.2.2"}, 200),
            ({"x-forwarded-for": "198.51.100.7, 192.0.2.1"}, 429),
            ({"x-forwarded-for": ", ".join([*(f"198.51.100.{number}" for number in range(200)), "192.0.2.1"])}, 429),
            ({"x-forwarded-for": "192.0.2.1, 127.0.0.1"}, 429),
            ({"forwarded": "for=192.0.2.3"}, 200),
            ({"x-real-ip": "192.0.2.4"}, 429),
        ):
            answer = await topic.served.http.post("/graphql", json=QUERY, headers=headers)
            assert answer.status_code == status, headers


async def test_only_trusted_documents_are_executed_on_every_transport(
    embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    file = tmp_path / "documents.json"
    file.write_bytes(orjson.dumps({HASH: TRUSTED}))
    settings: dict[str, Any] = {"trusted_documents_file": file, "trusted_documents_only": True, "introspection": False}
    async with serving_topic(embedded_broker, tmp_path, **settings) as topic:
        http = topic.served.http
        for accept in ("text/event-stream", MULTIPART_ACCEPT):
            for named in ({"documentId": f"sha256:{HASH}"}, {"extensions": {"persistedQuery": {"sha256Hash": HASH}}}):
                async with http.stream("POST", "/graphql", json=named, headers={"accept": accept}) as stream:
                    lines = stream.aiter_lines()
                    while "LIVE" not in await anext(lines):
                        pass
        for method, sent in (("POST", {"json": QUERY}), ("GET", {"params": QUERY})):
            for accept in (JSON, "text/event-stream", MULTIPART_ACCEPT):
                arguments: dict[str, Any] = sent
                answer = await http.request(method, "/graphql", headers={"accept": accept}, **arguments)
                assert b'"FORBIDDEN"' in answer.content
        async with open_socket(topic.served) as socket:
            await send(socket, type="subscribe", id="1", payload=QUERY)
            assert (await receive(socket))["payload"][0]["extensions"] == {"code": "FORBIDDEN"}
            await send(socket, type="subscribe", id="2", payload={"documentId": HASH})
            assert (await receive(socket))["payload"] == {"data": {"updates": {"kind": "LIVE"}}}
        hidden = await http.get("/schema.graphql")
        assert (hidden.status_code, codes(hidden)) == (404, ["BAD_INPUT"])


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (None, "No such file or directory"),
        (b"{", "is not JSON"),
        (b"[]", "must hold a JSON object of documents by their ids"),
        (b'{"a": 1}', "must hold a JSON object of documents by their ids"),
        (b'{"sha256:00": "{ a }"}', "sha256:00 is not the SHA-256 hash of its document"),
    ],
)
async def test_file_of_trusted_documents_that_cannot_be_used_stops_the_start(
    embedded_broker: EmbeddedBroker, tmp_path: Path, content: bytes | None, cause: str
) -> None:
    file = tmp_path / "documents.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(BadSetting) as refused:
        async with serving_topic(embedded_broker, tmp_path, trusted_documents_file=file):
            pass
    assert str(refused.value).startswith(f"KVS_TRUSTED_DOCUMENTS_FILE={file}")
    assert cause in str(refused.value)
