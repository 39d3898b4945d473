"""TLS towards clients: every transport works over it, and handshakes are bounded."""

import asyncio
import re
import socket
import ssl
import sys
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from structlog.testing import capture_logs
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from kvs_graphql.auth import hash_of, new_token
from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.runtime.tls import RenewedTls
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
    certificate, key = tmp_path / "server.pem", tmp_path / "server-key.pem"
    for file, content in zip((certificate, key), issued(authority), strict=True):
        file.write_bytes(content)
    return {"tls_certificate_file": certificate, "tls_key_file": key}


def issued(authority: trustme.CA) -> tuple[bytes, bytes]:
    """A new certificate with its chain, and its key."""
    made = authority.issue_cert("127.0.0.1", "localhost")
    return b"".join(blob.bytes() for blob in made.cert_chain_pems), made.private_key_pem.bytes()


def replace(file: Path, content: bytes) -> None:
    """Replace a file as tools that renew certificates do: at once."""
    new = file.with_suffix(".new")
    new.write_bytes(content)
    new.replace(file)


def shown(served: Served, trusting: ssl.SSLContext) -> bytes:
    """The certificate that a new connection is shown. Blocks."""
    host, _, port = served.run.url.removeprefix("https://").partition(":")
    with (
        socket.create_connection((host, int(port)), SECONDS_MAX) as connection,
        trusting.wrap_socket(connection, server_hostname=host) as secure,
    ):
        return secure.getpeercert(binary_form=True) or b""


async def new_certificate(served: Served, trusting: ssl.SSLContext) -> bytes:
    return await asyncio.to_thread(shown, served, trusting)


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


async def test_cookie_is_sent_over_tls_only_where_the_service_speaks_it(
    embedded_broker: EmbeddedBroker, tmp_path: Path, trusting: ssl.SSLContext, files: dict[str, Any]
) -> None:
    token = new_token()
    async with serving_topic(embedded_broker, tmp_path, tokens=f"page:{hash_of(token)}", **files) as topic:
        url = topic.served.run.url
        async with httpx.AsyncClient(base_url=url, verify=trusting, timeout=SECONDS_MAX) as http:
            # What a header says of the scheme changes nothing: nobody stands between.
            for said in ({}, {"x-forwarded-proto": "http"}):
                headers = {"authorization": f"Bearer {token}", **said}
                begun = await http.post("/graphql/session", headers=headers)
                cookie, *attributes = begun.headers["set-cookie"].split("; ")
                assert (begun.status_code, cookie) == (204, f"kvs_token={token}")
                assert {"Secure", "HttpOnly", "SameSite=Strict"} <= set(attributes)
                ended = await http.delete("/graphql/session", headers=said)
                assert "Secure" in ended.headers["set-cookie"].split("; ")


@pytest.mark.parametrize("says_tls", [True, False])
async def test_image_asks_for_its_health_by_the_scheme_of_its_settings(
    served: Served, files: dict[str, Any], says_tls: bool
) -> None:
    dockerfile = (Path(__file__).parent.parent.parent / "Dockerfile").read_text()
    (command,) = re.findall(r"^HEALTHCHECK .* CMD (\[.*\])$", dockerfile, re.MULTILINE)
    tls = {"KVS_TLS_CERTIFICATE_FILE": str(files["tls_certificate_file"])} if says_tls else {}
    settings = {**tls, "KVS_PORT": served.run.url.rpartition(":")[2]}
    probe = await asyncio.create_subprocess_exec(
        sys.executable, *orjson.loads(command)[1:], env=settings, stderr=DEVNULL
    )
    assert (await probe.wait() == 0) is says_tls


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
        ) as websocket,
    ):
        await websocket.send('{"type": "connection_init"}')
        assert orjson.loads(await websocket.recv()) == {"type": "connection_ack"}
        await websocket.send(orjson.dumps({"type": "subscribe", "id": "1", "payload": SUBSCRIPTION}).decode())
        assert orjson.loads(await websocket.recv())["payload"] == {"data": {"updates": {"kind": "LIVE"}}}


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


async def test_certificate_that_is_replaced_is_shown_to_new_connections_and_open_ones_go_on(
    served: Served, authority: trustme.CA, trusting: ssl.SSLContext, files: dict[str, Any]
) -> None:
    async with httpx.AsyncClient(base_url=served.run.url, verify=trusting, timeout=SECONDS_MAX) as http:
        assert (await http.get("/metrics")).status_code == 200
        before = await new_certificate(served, trusting)
        assert await new_certificate(served, trusting) == before
        certificate, key = issued(authority)
        replace(files["tls_key_file"], key)
        replace(files["tls_certificate_file"], certificate)
        after = await new_certificate(served, trusting)
        assert after == ssl.PEM_cert_to_DER_cert(
            certificate.decode().partition("-----END")[0] + "-----END CERTIFICATE-----"
        )
        assert after != before
        assert (await http.get("/metrics")).status_code == 200


@pytest.mark.parametrize("broken", [b"", b"no certificate", None], ids=["empty", "no certificate", "of another key"])
async def test_files_that_do_not_fit_together_change_nothing_until_they_do(
    served: Served, authority: trustme.CA, trusting: ssl.SSLContext, files: dict[str, Any], broken: bytes | None
) -> None:
    before = await new_certificate(served, trusting)
    certificate, key = issued(authority)
    replace(files["tls_certificate_file"], certificate if broken is None else broken)
    with capture_logs() as logged:
        assert {await new_certificate(served, trusting) for _ in range(3)} == {before}
    (line,) = (line for line in logged if "certificate" in line["event"])
    assert "KVS_TLS_CERTIFICATE_FILE" in line["reason"]
    files["tls_certificate_file"].unlink()
    assert await new_certificate(served, trusting) == before
    replace(files["tls_certificate_file"], certificate)
    replace(files["tls_key_file"], key)
    assert await new_certificate(served, trusting) != before


def test_file_that_was_changed_is_read_once(files: dict[str, Any]) -> None:
    reads: list[ssl.SSLContext] = []

    def read() -> ssl.SSLContext:
        reads.append(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
        return reads[-1]

    tls = RenewedTls([files["tls_certificate_file"], files["tls_key_file"]], read)
    assert {tls.current() for _ in range(9)} == {reads[0]}
    replace(files["tls_key_file"], b"another")
    assert {tls.current() for _ in range(9)} == {reads[1]}
    assert len(reads) == 2


async def test_password_of_a_key_is_read_again_with_it(
    embedded_broker: EmbeddedBroker,
    tmp_path: Path,
    authority: trustme.CA,
    trusting: ssl.SSLContext,
    files: dict[str, Any],
) -> None:
    password = tmp_path / "password"

    def encrypted(pem: bytes, secret: str) -> bytes:
        key = load_pem_private_key(pem, None)
        return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(secret.encode()))

    password.write_text("one\n")
    replace(files["tls_key_file"], encrypted(files["tls_key_file"].read_bytes(), "one"))
    settings: dict[str, Any] = {**files, "tls_key_password_file": password}
    async with serving_topic(embedded_broker, tmp_path, **settings) as topic:
        before = await new_certificate(topic.served, trusting)
        certificate, key = issued(authority)
        replace(files["tls_certificate_file"], certificate)
        replace(files["tls_key_file"], encrypted(key, "two"))
        assert await new_certificate(topic.served, trusting) == before
        replace(password, b"two")
        assert await new_certificate(topic.served, trusting) != before
