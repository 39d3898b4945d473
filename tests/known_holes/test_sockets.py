"""WebSockets before their handshakes have ended, floods of operations on one, and bytes that are no text."""

import asyncio

import orjson
import pytest
from websockets.exceptions import ConnectionClosed

from tests.deadline import SECONDS_MAX
from tests.known_holes.asking import begin, is_well, raw, socket
from tests.known_holes.conftest import TOKEN
from tests.serving import Served
from tests.transports import TRANSPORT_WS

pytestmark = pytest.mark.asyncio(loop_scope="package")

OPERATION = {"query": 'subscription { value(key: "a") { value } }'}
LEGACY = "graphql-ws"
HANDSHAKE = (
    b"host: localhost",
    b"upgrade: websocket",
    b"connection: upgrade",
    b"sec-websocket-version: 13",
    b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
)


@pytest.mark.parametrize("subprotocols", [(LEGACY,), (LEGACY, "graphql-transport-ws-2"), ("",)], ids=str)
@pytest.mark.parametrize("kind", ["start", "subscribe"])
async def test_old_protocol_is_no_way_around_the_token(
    guarded: Served, subprotocols: tuple[str, ...], kind: str
) -> None:
    """Its `start` was served before any `connection_init`, and so before anybody was asked for a token."""
    async with asyncio.timeout(SECONDS_MAX):
        async with socket(guarded, *filter(None, subprotocols)) as opened:
            with pytest.raises(ConnectionClosed) as closed:
                while True:
                    await opened.send(orjson.dumps({"type": kind, "id": "1", "payload": OPERATION}).decode())
                    assert "value" not in str(await opened.recv())
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == (4406 if any(subprotocols) else 4401 if kind == "subscribe" else 4400)


@pytest.mark.parametrize("kind", ["start", "subscribe"])
@pytest.mark.parametrize("before", [[], ["ping"], ["complete"], ["pong"]], ids=str)
async def test_nothing_is_served_before_the_token_is_shown(guarded: Served, before: list[str], kind: str) -> None:
    async with asyncio.timeout(SECONDS_MAX), socket(guarded) as opened:
        for one in before:
            await opened.send(orjson.dumps({"type": one, "id": "1"}).decode())
        await opened.send(orjson.dumps({"type": kind, "id": "1", "payload": OPERATION}).decode())
        # It comes too late.
        payload = {"authorization": f"Bearer {TOKEN}"}
        await opened.send(orjson.dumps({"type": "connection_init", "payload": payload}).decode())
        received = []
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                received.append(orjson.loads(await opened.recv())["type"])
    assert set(received) <= {"pong"}
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == (4401 if kind == "subscribe" else 4400)


async def test_flood_of_operations_on_one_socket_is_bounded(served: Served) -> None:
    """Each one had a task of its own, and there was no end to them."""
    limit = 100
    async with asyncio.timeout(SECONDS_MAX), socket(served) as opened:
        await begin(opened)
        tasks = len(asyncio.all_tasks())
        # A plain subscription sends nothing, and stays.
        payload = {"query": "subscription { updates { kind } }"}
        for number in range(3 * limit):
            await opened.send(orjson.dumps({"type": "subscribe", "id": str(number), "payload": payload}).decode())
        answers = [orjson.loads(await opened.recv()) for _ in range(2 * limit)]
        assert len(asyncio.all_tasks()) - tasks <= limit + 5
    assert {answer["type"] for answer in answers} == {"error"}
    (extensions,) = {orjson.dumps(answer["payload"][0]["extensions"]) for answer in answers}
    assert orjson.loads(extensions)["setting"] == "KVS_OPERATIONS_PER_WEBSOCKET_MAX"
    assert await is_well(served)


@pytest.mark.parametrize(
    "line",
    [
        b"sec-websocket-protocol: \x80\xff",
        b"sec-websocket-protocol: graphql-transport-ws, \xff",
        b'sec-websocket-protocol: \xe2\x82\xac, ,,;="',
        b"sec-websocket-protocol: " + b"x, " * 5_000,
        b"sec-websocket-extensions: \x80\xff",
        b"sec-websocket-key: \x80\xff",
        b"origin: \x80\xff",
        b"authorization: Bearer \x80\xff",
        b"cookie: kvs_token=\x80\xff",
        b"x-forwarded-for: \x80\xff",
        b"x-\x80: 1",
    ],
    ids=lambda line: repr(line[:40]),
)
async def test_bytes_in_a_handshake_end_no_server(served: Served, guarded: Served, line: bytes) -> None:
    for one in (served, guarded):
        answer = await raw(one, b"GET /graphql HTTP/1.1", *HANDSHAKE, line)
        assert answer.startswith(b"HTTP/1.1 "), answer
    assert await is_well(served)


@pytest.mark.parametrize(
    "path", [b"/graphql?\x80\xff", b"/\x80\xff", b"/graphql?q=%80%ff", b"/%80", b"/graphql\xe2\x82\xac"]
)
@pytest.mark.parametrize("upgrade", [True, False])
async def test_bytes_in_an_address_end_no_server(served: Served, path: bytes, upgrade: bool) -> None:
    lines = HANDSHAKE if upgrade else HANDSHAKE[:1]
    answer = await raw(served, b"GET %b HTTP/1.1" % path, *lines, b"sec-websocket-protocol: " + TRANSPORT_WS.encode())
    assert answer.startswith(b"HTTP/1.1 "), answer
    assert await is_well(served)
