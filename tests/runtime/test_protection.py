"""Answers that no application makes have the headers that protect all others, and errors with a code."""

import asyncio

import orjson
import pytest

from kvs_graphql.web.protection import ALL_HEADERS
from tests.deadline import SECONDS_MAX
from tests.runtime.servers import Application, Receive, Scope, Send, client_of, server

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
    b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n"
)
GET = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"
KEY, VERSION = b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n", b"sec-websocket-version: 13\r\n"


async def fails(_: Scope, __: Receive, ___: Send) -> None:
    raise RuntimeError("of a test")


async def returns(_: Scope, __: Receive, ___: Send) -> None:
    """Answer nothing."""


async def closes(_: Scope, __: Receive, send: Send) -> None:
    await send({"type": "websocket.close", "code": 4403})


async def waits(_: Scope, __: Receive, ___: Send) -> None:
    await asyncio.Future()


def check(answer: bytes, status: int) -> bytes:
    """Check the headers of an answer, and return its body."""
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.lower().split(b"\r\n")
    assert first.split()[1] == b"%d" % status
    for name, value in ALL_HEADERS:
        assert [line for line in lines if line.startswith(name + b":")] == [b"%b: %b" % (name, value.lower())]
    return body


def code_in(body: bytes) -> str:
    (error,) = orjson.loads(body)["errors"]
    code: str = error["extensions"]["code"]
    return code


async def answer_to(application: Application, request: bytes) -> bytes:
    async with server(application) as served, client_of(served.port) as (reader, writer):
        writer.write(request)
        return await reader.read()


@pytest.mark.parametrize(
    "request_",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nno header\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        HANDSHAKE.replace(VERSION, VERSION + b"x: " + b"y" * 60_000 + b"\r\n"),
    ],
    ids=["no HTTP", "version", "header", "length", "length and chunks", "TLS", "long handshake"],
)
async def test_what_is_not_http_is_answered_with_all_headers(request_: bytes) -> None:
    assert code_in(check(await answer_to(waits, request_), 400)) == "BAD_INPUT"


@pytest.mark.parametrize("request_", [GET, HANDSHAKE], ids=["HTTP", "WebSocket"])
@pytest.mark.parametrize("application", [fails, returns])
async def test_application_that_fails_is_answered_for_with_all_headers(
    application: Application, request_: bytes
) -> None:
    assert code_in(check(await answer_to(application, request_), 500)) == "UNAVAILABLE"


async def test_socket_that_is_not_accepted_is_refused_with_all_headers() -> None:
    check(await answer_to(closes, HANDSHAKE), 403)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (HANDSHAKE.replace(KEY, b""), 400),
        (HANDSHAKE.replace(KEY, b"sec-websocket-key: x\r\n"), 400),
        (HANDSHAKE.replace(VERSION, b""), 400),
        (HANDSHAKE.replace(VERSION, b"sec-websocket-version: 12\r\n"), 400),
        (HANDSHAKE.replace(VERSION, VERSION + VERSION), 400),
    ],
    ids=["no key", "short key", "no version", "old version", "two versions"],
)
async def test_handshake_of_another_form_is_refused_with_all_headers(request_: bytes, status: int) -> None:
    check(await answer_to(waits, request_), status)


@pytest.mark.parametrize("request_", [GET, HANDSHAKE], ids=["HTTP", "WebSocket"])
async def test_what_a_stopping_server_does_not_answer_any_more_has_all_headers(request_: bytes) -> None:
    came = asyncio.Event()

    async def comes(_: Scope, __: Receive, ___: Send) -> None:
        came.set()
        await asyncio.Future()

    async with asyncio.timeout(SECONDS_MAX):
        async with server(comes) as served, client_of(served.port) as (reader, writer):
            writer.write(request_)
            await came.wait()
            served.server.stop()
            answer = await reader.read()
    assert code_in(check(answer, 500)) == "UNAVAILABLE"
