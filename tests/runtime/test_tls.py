"""TLS towards clients: every transport works over it, and handshakes are bounded."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import trustme
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from kvs_graphql.demo.broker import EmbeddedBroker
from tests.deadline import NEVER_SECONDS, SECONDS_MAX
from tests.runtime.servers import client_of
from tests.serving import Served, serving_topic
from tests.transports import MULTIPART_ACCEPT, TRANSPORT_WS

SUBSCRIPTION = {"query": "subscription { updates(progress: true) { kind } }"}


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def files(authority: trustme.CA, tmp_path: Path) -> dict[str, Any]:
    issued = authority.issue_cert("127.0.0.1", "localhost")
    certificate, key = tmp_path / "server.pem", tmp_path / "server-key.pem"
    certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    return {"tls_certificate_file": certificate, "tls_key_file": key}


@pytest.fixture
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture
async def served(embedded_broker: EmbeddedBroker, tmp_path: Path, files: dict[str, Any]) -> AsyncIterator[Served]:
    limits: dict[str, Any] = {"connections_max": 2, "request_head_seconds_max": NEVER_SECONDS}
    async with serving_topic(embedded_broker, tmp_path, (b"a", b"1"), **files, **limits) as topic:
        yield topic.served


async def test_every_transport_works_over_tls(served: Served, trusting: ssl.SSLContext) -> None:
    url = served.run.url
    assert url.startswith("https://")
    async with httpx.AsyncClient(base_url=url, verify=trusting, timeout=SECONDS_MAX) as http:
        answer = await http.post("/graphql", json={"query": '{ value(key: "a") { value } }'})
        assert answer.json()["data"] == {"value": {"value": "1"}}
        page = await http.get("/schema.graphql")
        assert len(page.content) > 10_000
        for accept in ("text/event-stream", MULTIPART_ACCEPT):
            async with http.stream("POST", "/graphql", json=SUBSCRIPTION, headers={"accept": accept}) as stream:
                lines = stream.aiter_lines()
                while "LIVE" not in await anext(lines):
                    pass
    async with (
        asyncio.timeout(SECONDS_MAX),
        connect(
            url.replace("https", "wss") + "/graphql", ssl=trusting, subprotocols=[Subprotocol(TRANSPORT_WS)], proxy=None
        ) as socket,
    ):
        await socket.send('{"type": "connection_init"}')
        assert orjson.loads(await socket.recv()) == {"type": "connection_ack"}
        await socket.send(orjson.dumps({"type": "subscribe", "id": "1", "payload": SUBSCRIPTION}).decode())
        assert orjson.loads(await socket.recv())["payload"] == {"data": {"updates": {"kind": "LIVE"}}}


async def test_handshake_that_does_not_end_is_ended(
    embedded_broker: EmbeddedBroker, tmp_path: Path, files: dict[str, Any]
) -> None:
    limits: dict[str, Any] = {"connections_max": 2, "request_head_seconds_max": 0.2}
    async with serving_topic(embedded_broker, tmp_path, **files, **limits) as topic:
        port = int(topic.served.run.url.rpartition(":")[2])
        async with asyncio.timeout(SECONDS_MAX), client_of(port) as (silent, _), client_of(port) as (halfway, writer):
            writer.write(b"\x16\x03\x01\x02\x00\x01")
            assert await silent.read() == await halfway.read() == b""


async def test_connections_in_their_handshake_count_as_connections(served: Served, trusting: ssl.SSLContext) -> None:
    port = int(served.run.url.rpartition(":")[2])
    async with (
        asyncio.timeout(SECONDS_MAX),
        client_of(port),
        client_of(port),
        httpx.AsyncClient(base_url=served.run.url, verify=trusting, timeout=SECONDS_MAX) as http,
    ):
        assert (await http.get("/metrics")).status_code == 503
        assert (await http.get("/healthz")).status_code == 200


async def test_client_that_does_not_speak_tls_is_disconnected_and_frees_its_slot(
    served: Served, trusting: ssl.SSLContext
) -> None:
    port = int(served.run.url.rpartition(":")[2])
    for sent in (b"GET / HTTP/1.1\r\n\r\n", b"\x00" * 100, b"not TLS, either"):
        async with asyncio.timeout(SECONDS_MAX), client_of(port) as (reader, writer):
            writer.write(sent)
            with suppress(ConnectionResetError):
                await reader.read()
    async with httpx.AsyncClient(base_url=served.run.url, verify=trusting, timeout=SECONDS_MAX) as http:
        assert (await http.get("/metrics")).status_code == 200
