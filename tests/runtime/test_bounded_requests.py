"""Requests whose heads, bodies or numbers have no end are refused, and hold nothing."""

import asyncio
import re
from asyncio import StreamWriter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import chain, repeat
from typing import Any

import pytest

from kvs_graphql.errors import BadSetting
from kvs_graphql.settings import load_settings
from tests.deadline import SECONDS_MAX
from tests.runtime.servers import Receive, Scope, Send, client_of, refused, server

GET = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"
BEGUN = b"GET / HTTP/1.1\r\nhost: localhost\r\n"
UPGRADE = (
    b"GET /%s HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n%s\r\n"
)
CHUNKED = b"POST / HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n"
BLOCK = 1000 * b"x"
HEAD_BYTES_MAX = 4_000
URL_BYTES_MAX = 2_000
LIMITS: dict[str, Any] = {
    "head_bytes_max": HEAD_BYTES_MAX,
    "url_bytes_max": URL_BYTES_MAX,
    "message_bytes_max": 10_000,
}
FIELDS = (431, {"code": "LIMIT_EXCEEDED", "limit": HEAD_BYTES_MAX, "setting": "KVS_REQUEST_HEAD_BYTES_MAX"})
URL = (414, {"code": "LIMIT_EXCEEDED", "limit": URL_BYTES_MAX, "setting": "KVS_URL_BYTES_MAX"})
BODY = (413, {"code": "LIMIT_EXCEEDED", "limit": 10_000, "setting": "KVS_REQUEST_BYTES_MAX"})


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the path, once the whole request has come."""
    while scope["path"] != "/early" and (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})
    await send({"type": "http.response.body", "body": b"a"})


async def test_every_url_within_the_default_limit_can_be_parsed_and_a_longer_one_is_named() -> None:
    limit = load_settings(bootstrap_servers="unused:9092", topic="unused").url_bytes_max
    async with server(echo, url_bytes_max=limit) as served:
        for size, status in ((limit, 200), (limit + 1, 414), (limit + 5_000, 414)):
            request = GET.replace(b" / ", b" /%b " % (b"x" * (size - 1))).replace(
                b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"
            )
            assert int((await answer_to(served.port, [request])).split()[1]) == status
    with pytest.raises(BadSetting):
        load_settings(bootstrap_servers="unused:9092", topic="unused", url_bytes_max=limit + 1)


async def write_until_closed(client: StreamWriter, blocks: Iterable[bytes]) -> None:
    """Write as fast as the server takes it; an endless iterator ends when the server has closed."""
    with suppress(ConnectionError):
        for block in blocks:
            client.write(block)
            await client.drain()
            # Each block is a read of its own.
            await asyncio.sleep(0)


async def answer_to(port: int, blocks: Iterable[bytes]) -> bytes:
    async with asyncio.timeout(SECONDS_MAX), client_of(port) as (reader, client):
        writing = asyncio.create_task(write_until_closed(client, blocks))
        answer = bytearray()
        # The end of a connection whose input was not all read may be an error.
        with suppress(ConnectionError):
            while part := await reader.read(2**16):
                answer += part
        writing.cancel()
        return bytes(answer)


def endless_fields() -> Iterator[bytes]:
    return chain([BEGUN], repeat(b"a: b\r\n" * 20))


ENDLESS: dict[str, tuple[Callable[[], Iterable[bytes]], tuple[int, dict[str, Any]]]] = {
    "one field": (lambda: chain([BEGUN, b"a: "], repeat(BLOCK)), FIELDS),
    "one name": (lambda: chain([BEGUN], repeat(BLOCK)), FIELDS),
    "fields": (endless_fields, FIELDS),
    "URL": (lambda: chain([b"GET /"], repeat(BLOCK)), URL),
    "query": (lambda: chain([b"GET /?"], repeat(BLOCK)), URL),
    "fields of an upgrade": (lambda: chain([(UPGRADE % (b"", b""))[:-2]], repeat(b"a: b\r\n" * 20)), FIELDS),
    "extension of a chunk": (lambda: chain([CHUNKED, b"1;"], repeat(BLOCK)), BODY),
    "trailer": (lambda: chain([CHUNKED, b"1\r\nx\r\n0\r\n"], repeat(b"a: b\r\n" * 20)), FIELDS),
    "field of a trailer": (lambda: chain([CHUNKED, b"1\r\nx\r\n0\r\na: "], repeat(BLOCK)), BODY),
    "tiny chunks": (lambda: chain([CHUNKED], repeat(b"1\r\nx\r\n" * 100)), BODY),
}


@pytest.mark.parametrize("before", [b"", GET], ids=["first request", "later request"])
@pytest.mark.parametrize("kind", ENDLESS)
async def test_endless_part_of_a_request_is_refused(kind: str, before: bytes) -> None:
    blocks, expected = ENDLESS[kind]
    async with server(echo, **LIMITS) as served:
        answer = await answer_to(served.port, chain([before] if before else [], blocks()))
    before_it, _, refusal = answer.rpartition(b"HTTP/1.1 ")
    assert refused(b"HTTP/1.1 " + refusal) == expected
    assert before_it.count(b"HTTP/1.1 200 ") == bool(before)


@pytest.mark.parametrize("before", [b"", GET], ids=["first request", "pipelined request"])
@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (BEGUN + b"a: %b\r\n\r\n" % (4 * BLOCK), FIELDS),
        (BEGUN + b"a: b\r\n" * 700 + b"\r\n", FIELDS),
        (b"GET /%b HTTP/1.1\r\n\r\n" % (2 * BLOCK), URL),
        (UPGRADE % (b"", b"a: %b\r\n" % (4 * BLOCK)), FIELDS),
        (UPGRADE % (2 * BLOCK, b""), URL),
    ],
    ids=["field", "fields", "URL", "field of an upgrade", "URL of an upgrade"],
)
async def test_head_over_its_limit_is_refused_although_it_comes_at_once(
    head: bytes, expected: tuple[int, dict[str, Any]], before: bytes
) -> None:
    paths: list[str] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        paths.append(scope["path"])
        await echo(scope, receive, send)

    async with server(application, **LIMITS) as served:
        answer = await answer_to(served.port, [before + head])
    assert refused(answer[answer.rindex(b"HTTP/1.1 ") :]) == expected
    assert paths == (["/"] if before else [])


@pytest.mark.parametrize("size", [2**20, 7_001, 1_000, 37])
async def test_requests_within_the_limits_are_served_however_they_arrive(size: int) -> None:
    largest = b"GET /%b HTTP/1.1\r\na: %b\r\n\r\n" % (1_999 * b"u", (4_000 - 33) * b"v")
    body = b"POST / HTTP/1.1\r\ncontent-length: 10000\r\n\r\n" + 10 * BLOCK
    chunks = CHUNKED + b"10\r\n%b\r\n" % (16 * b"x") * 625 + b"0\r\n\r\n"
    async with server(echo, **LIMITS) as served, client_of(served.port) as (reader, client):
        for request in (largest, body, chunks, GET) * 2:
            await write_until_closed(client, (request[at : at + size] for at in range(0, len(request), size)))
            answer = await reader.readuntil(b"\r\n\r\na")
            assert answer.startswith(b"HTTP/1.1 200 ")


async def test_pipelined_requests_wait_in_the_network_and_are_answered_in_order() -> None:
    """As objects, those of one read alone would take dozens of megabytes."""
    waiting: list[int] = []

    async def application(scope: Scope, _: Receive, send: Send) -> None:
        (connection,) = served.server.server_state.connections
        waiting.append(len(connection.pipeline))  # type: ignore[union-attr]
        path = scope["path"].encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(path))]})
        await send({"type": "http.response.body", "body": path})

    paths = [b"/%d" % number for number in range(5_000)]
    requests = b"".join(b"GET %b HTTP/1.1\r\n\r\n" % path for path in paths)
    async with server(application) as served:
        answer = await answer_to(served.port, [requests, b"GET /last HTTP/1.1\r\nconnection: close\r\n\r\n"])
    assert re.findall(rb"\r\n\r\n(/[a-z0-9]+)", answer) == [*paths, b"/last"]
    assert max(waiting) < 200


async def test_rest_of_a_body_is_dropped_once_its_request_is_answered_and_the_next_request_is_served() -> None:
    early = b"POST /early HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000000\r\n\r\n"
    async with server(echo, **LIMITS) as served, client_of(served.port) as (reader, client):
        client.write(early)
        assert (await reader.readuntil(b"\r\n\r\na")).startswith(b"HTTP/1.1 200 ")
        client.write(bytes(1_000_000) + GET)
        assert (await reader.readuntil(b"\r\n\r\na")).startswith(b"HTTP/1.1 200 ")


async def test_endless_body_of_an_answered_request_is_dropped_for_as_long_as_a_body_may_take() -> None:
    early = CHUNKED.replace(b"/", b"/early", 1)
    async with server(echo, **LIMITS, body_seconds_max=0.3) as served, client_of(served.port) as (reader, client):
        sending = asyncio.create_task(
            write_until_closed(client, chain([early], repeat(b"64\r\n%b\r\n" % (100 * b"x"))))
        )
        assert await reader.read(13) == b"HTTP/1.1 200 "
        assert not sending.done()
        await sending


@pytest.mark.parametrize("framing", [b"content-length: 5000000", b"transfer-encoding: chunked"])
async def test_client_that_reads_once_it_has_sent_everything_gets_the_refusal(framing: bytes) -> None:
    body = bytes(5_000_000)
    sent = body if b"length" in framing else b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    async with server(echo, **LIMITS) as served, client_of(served.port) as (reader, client):
        client.write(b"POST / HTTP/1.1\r\nhost: localhost\r\n%b\r\n\r\n" % framing + sent)
        client.transport.set_write_buffer_limits(0)
        await client.drain()
        assert refused(await reader.read()) == BODY


async def test_client_that_goes_on_sending_after_a_refusal_is_disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kvs_graphql.runtime.http_connections.FAREWELL_SECONDS", 0.3)
    async with server(echo, **LIMITS) as served, client_of(served.port) as (reader, client):
        sending = asyncio.create_task(write_until_closed(client, endless_fields()))
        assert refused(await reader.read()) == FIELDS
        assert not sending.done()
        await sending


async def test_client_that_sends_only_empty_lines_is_disconnected() -> None:
    async with server(echo, head_seconds_max=0.3) as served:
        for before in (b"", GET):
            async with client_of(served.port) as (reader, client):
                client.write(before)
                if before:
                    await reader.readuntil(b"\r\n\r\na")
                client.write(b"\r\n")
                assert await reader.read() == b""


@pytest.mark.parametrize(
    "data",
    [b"no request\r\n\r\n", UPGRADE % (b"", b"a: %b\r\n" % (9 * BLOCK)), UPGRADE % (b"", b"a: b\r\n" * 200)],
    ids=["not HTTP", "handshake with a long field", "handshake with many fields"],
)
async def test_what_the_parsers_refuse_is_answered(data: bytes) -> None:
    """uvicorn would wait for ever after a handshake that websockets refuses."""
    async with server(echo) as served:
        status, extensions = refused(await answer_to(served.port, [data]))
    assert (status, extensions["code"]) == (400, "BAD_INPUT")


async def test_next_request_waits_until_the_client_has_read_the_response_before() -> None:
    """Else two responses would be held for each client that reads none."""
    requests: list[str] = []
    large = 50_000_000

    async def application(scope: Scope, _: Receive, send: Send) -> None:
        requests.append(scope["path"])
        size = large if scope["path"] == "/" else 1
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % size)]})
        await send({"type": "http.response.body", "body": bytes(size)})

    async with (
        server(application, send_buffer_bytes_max=4096) as served,
        client_of(served.port, receive_buffer_bytes=2**16) as (reader, client),
    ):
        client.write(GET * 2)
        await reader.readuntil(b"\r\n\r\n")
        # Others are served meanwhile, in many turns of the event loop.
        for _ in range(20):
            await answer_to(
                served.port, [GET.replace(b"/", b"/other", 1).replace(b"\r\n", b"\r\nconnection: close\r\n", 1)]
            )
        assert requests.count("/") == 1
        await reader.readexactly(large)
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(large)
    assert requests.count("/") == 2
