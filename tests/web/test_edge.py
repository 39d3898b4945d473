"""What a hostile page makes a browser send is refused on every path and transport."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from structlog.testing import capture_logs
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from kvs_graphql.demo.broker import EmbeddedBroker
from tests.deadline import SECONDS_MAX
from tests.runtime.servers import client_of
from tests.serving import Served, serving_topic
from tests.transports import MULTIPART_ACCEPT, TRANSPORT_WS
from tests.web.posting import JSON, codes

pytestmark = pytest.mark.asyncio(loop_scope="module")

REBOUND = "rebound.example"
KNOWN = "kvs.example"
QUERY = {"query": "{ __typename }"}
SUBSCRIPTION = {"query": "subscription { updates(progress: true) { kind } }"}
PROTECTION = {"x-content-type-options", "content-security-policy", "cross-origin-resource-policy"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    directory = tmp_path_factory.mktemp("edge")
    settings: dict[str, Any] = {"allowed_hosts": (KNOWN,), "enable_writes": True, "url_bytes_max": 50_000}
    async with serving_topic(embedded_broker, directory, (b"a", b"1"), **settings) as topic:
        yield topic.served


async def handshake(served: Served, **headers: str) -> int:
    """Open a WebSocket with these headers; return the status of the answer to its handshake."""
    url = served.run.url.replace("http", "ws", 1) + "/graphql"
    try:
        async with connect(
            url,
            subprotocols=[Subprotocol(TRANSPORT_WS)],
            additional_headers=headers,
            proxy=None,
            open_timeout=SECONDS_MAX,
        ) as socket:
            assert socket.response is not None
            return socket.response.status_code
    except InvalidStatus as refused:
        return refused.response.status_code


@pytest.mark.parametrize(
    "path", ["/", "/graphql", "/metrics", "/schema.graphql", "/healthz", "/readyz", "/assets/x", "/x"]
)
async def test_name_that_is_not_the_services_is_refused_on_every_path(served: Served, path: str) -> None:
    with capture_logs() as logged:
        answers = [
            await served.http.request(method, path, headers={"host": host, "accept": JSON})
            for method in ("GET", "POST", "PUT", "OPTIONS")
            for host in (REBOUND, f"{REBOUND}:8000", f"{KNOWN}.{REBOUND}", "")
        ]
    assert {answer.status_code for answer in answers} == {421}
    assert codes(answers[0]) == ["FORBIDDEN"]
    assert len(logged) <= 1


async def test_preflight_for_another_name_is_refused(embedded_broker: EmbeddedBroker, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"allowed_hosts": (KNOWN,), "cors_origins": "https://pages.example"}
    preflight = {"origin": "https://pages.example", "access-control-request-method": "POST"}
    async with serving_topic(embedded_broker, tmp_path, **settings) as topic:
        for host, status in ((REBOUND, 421), (KNOWN, 200)):
            answer = await topic.served.http.options("/graphql", headers={"host": host, **preflight})
            assert answer.status_code == status
            assert ("access-control-allow-origin" in answer.headers) is (host == KNOWN)
            assert answer.headers.keys() >= PROTECTION


async def test_rebound_name_gets_no_stream_no_write_and_no_socket(served: Served) -> None:
    host = {"host": REBOUND}
    write = {"query": 'mutation { set(key: "rebound", value: "1") { offset } }'}
    for body, accept in ((SUBSCRIPTION, "text/event-stream"), (SUBSCRIPTION, MULTIPART_ACCEPT), (write, JSON)):
        answer = await served.http.post("/graphql", json=body, headers=host | {"accept": accept})
        assert (answer.status_code, codes(answer)) == (421, ["FORBIDDEN"])
    assert (await served.data('{ value(key: "rebound") { value } }'))["value"] is None


@pytest.mark.parametrize("host", [KNOWN, f"{KNOWN}:8000", "localhost", "127.0.0.1", "kvs.localhost:1"])
async def test_names_of_the_service_are_answered(served: Served, host: str) -> None:
    answer = await served.http.post("/graphql", json=QUERY, headers={"host": host})
    assert answer.json() == {"data": {"__typename": "Query"}}


async def test_second_host_header_does_not_hide_the_first(served: Served) -> None:
    port = int(served.run.url.rpartition(":")[2])
    for hosts in ((KNOWN, REBOUND), (REBOUND, KNOWN)):
        head = "".join(f"host: {host}\r\n" for host in hosts)
        async with asyncio.timeout(SECONDS_MAX), client_of(port) as (reader, writer):
            writer.write(f"GET /metrics HTTP/1.1\r\n{head}\r\n".encode())
            assert (await reader.readline()).startswith(b"HTTP/1.1 421 ")


async def test_probe_by_address_is_answered_and_nothing_else_by_it(served: Served) -> None:
    host = {"host": "10.1.2.3:8000"}
    assert (await served.http.get("/healthz", headers=host)).status_code == 200
    assert (await served.http.get("/readyz", headers=host)).status_code == 200
    assert (await served.http.get("/metrics", headers=host)).status_code == 421


@pytest.mark.parametrize(
    ("body", "accept"), [(QUERY, JSON), (SUBSCRIPTION, "text/event-stream"), (SUBSCRIPTION, MULTIPART_ACCEPT)]
)
@pytest.mark.parametrize("headers", [{"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}])
async def test_get_of_another_sites_page_is_refused(
    served: Served, body: dict[str, str], accept: str, headers: dict[str, str]
) -> None:
    answer = await served.http.get("/graphql", params=body, headers=headers | {"accept": accept})
    assert (answer.status_code, codes(answer)) == (403, ["FORBIDDEN"])
    own = {"sec-fetch-site": "same-origin", "accept": accept}
    async with served.http.stream("GET", "/graphql", params=body, headers=own) as allowed:
        assert allowed.status_code == 200


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
async def test_post_that_a_form_could_send_writes_nothing(served: Served, content_type: str) -> None:
    body = b'{"query": "mutation { set(key: \\"form\\", value: \\"1\\") { offset } }"}'
    headers = {"accept": JSON} | ({"content-type": content_type} if content_type else {})
    answer = await served.http.post("/graphql", content=body, headers=headers)
    assert (answer.status_code, codes(answer)) == (415, ["BAD_INPUT"])
    assert (await served.data('{ value(key: "form") { value } }'))["value"] is None


async def test_handshake_for_another_name_is_refused(served: Served) -> None:
    url = served.run.url.removeprefix("http://")
    host, port = url.split(":")
    uri = f"ws://{REBOUND}:{port}/graphql"
    with pytest.raises(InvalidStatus) as refused:
        await connect(uri, host=host, port=int(port), subprotocols=[Subprotocol(TRANSPORT_WS)], proxy=None)
    assert refused.value.response.status_code == 421
    assert await handshake(served) == 101


@pytest.mark.parametrize(
    ("method", "path", "accept"),
    [
        ("POST", "/graphql", JSON),
        ("POST", "/graphql", "text/event-stream"),
        ("POST", "/graphql", "image/png"),
        ("GET", "/graphql?query={__typename}", JSON),
        ("GET", "/graphql?query={__typename}", MULTIPART_ACCEPT),
        ("GET", "/graphql", "text/html"),
        ("PUT", "/graphql", JSON),
        *(("GET", path, "*/*") for path in ("/", "/nothing", "/assets/nothing", "/healthz", "/readyz", "/metrics")),
        ("GET", "/schema.graphql", "*/*"),
        ("GET", "/" + "l" * 60_000, JSON),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_every_answer_has_the_headers_that_protect_it(
    served: Served, method: str, path: str, accept: str
) -> None:
    body = QUERY if method == "POST" else None
    check_protection(await served.http.request(method, path, headers={"accept": accept}, json=body))


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("accept", "last_event_id", "status"),
    [("text/event-stream", "", 200), ("text/event-stream", "end", 204), (MULTIPART_ACCEPT, "", 200)],
)
async def test_every_stream_has_the_headers_that_protect_it(
    served: Served, method: str, accept: str, last_event_id: str, status: int
) -> None:
    sent: dict[str, Any] = {"params": SUBSCRIPTION} if method == "GET" else {"json": SUBSCRIPTION}
    headers = {"accept": accept, "last-event-id": last_event_id}
    async with served.http.stream(method, "/graphql", headers=headers, **sent) as answer:
        assert answer.status_code == status
        check_protection(answer)


async def test_every_answer_of_the_single_connection_mode_has_the_headers_that_protect_it(served: Served) -> None:
    reserved = await served.http.put("/graphql")
    token = {"x-graphql-event-stream-token": reserved.text}
    asked = QUERY | {"extensions": {"operationId": "1"}}
    accepted = await served.http.post("/graphql", json=asked, headers=token)
    ended = await served.http.delete("/graphql", params={"operationId": "1"}, headers=token)
    unknown = await served.http.post("/graphql", json=asked, headers=dict.fromkeys(token, "x"))
    async with served.http.stream("GET", "/graphql", headers={"accept": "text/event-stream", **token}) as opened:
        answers = [reserved, accepted, ended, unknown, opened]
        assert [answer.status_code for answer in answers] == [201, 202, 200, 404, 200]
        for answer in answers:
            check_protection(answer)


def check_protection(answer: httpx.Response) -> None:
    assert answer.headers.keys() >= PROTECTION
    assert all(len(answer.headers.get_list(name)) == 1 for name in PROTECTION)
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
