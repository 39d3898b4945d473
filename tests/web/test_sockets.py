"""graphql-transport-ws: many operations on one socket, and what closes it."""

from collections.abc import AsyncIterator
from time import monotonic
from typing import Any

import pytest
import pytest_asyncio
from websockets.exceptions import ConnectionClosed, InvalidStatus

from kvs_graphql.demo.broker import EmbeddedBroker
from tests.api.test_values import Holding, holding
from tests.serving import Served
from tests.transports import open_socket, receive, send, subscribe, until_active

pytestmark = pytest.mark.asyncio(loop_scope="module")

ALLOWED = "https://pages.example"
INIT_SECONDS_MAX = 0.3
REQUEST_BYTES_MAX = 10_000
LONG = 'subscription { u: updates(keys: ["long"], progress: true) { e: entry { value } } }'
EVERYTHING = "subscription { updates(progress: true) { kind key } }"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def held(embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Holding]:
    settings: dict[str, Any] = {
        "cors_origins": (ALLOWED,),
        "connection_init_seconds_max": INIT_SECONDS_MAX,
        "operations_per_websocket_max": 2,
        "request_bytes_max": REQUEST_BYTES_MAX,
    }
    async with holding(embedded_broker, tmp_path_factory.mktemp("sockets"), (b"a", b"1"), **settings) as held:
        yield held


@pytest.fixture
def served(held: Holding) -> Served:
    return held.served


def told(identity: str, kind: str, key: str | None) -> dict[str, Any]:
    payload = {"data": {"updates": {"kind": kind, "key": key}}}
    return {"id": identity, "type": "next", "payload": payload}


async def closing(served: Served, *frames: str | bytes, **options: Any) -> tuple[int, str]:
    """The code and reason with which the service closes a socket that was sent those frames."""
    with pytest.raises(ConnectionClosed) as closed:
        async with open_socket(served, **options) as socket:
            for frame in frames:
                await socket.send(frame)
            while True:
                await socket.recv()
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code, closed.value.rcvd.reason


async def test_a_subscription_that_is_completed_ends_and_its_id_is_free_again(served: Served) -> None:
    async with open_socket(served) as socket:
        await subscribe(socket, "1", EVERYTHING)
        assert await receive(socket) == told("1", "LIVE", None)
        await until_active(served.http, 1)
        await send(socket, type="complete", id="1")
        await until_active(served.http, 0)
        await subscribe(socket, "1", EVERYTHING)
        assert await receive(socket) == told("1", "LIVE", None)


@pytest.mark.parametrize(
    "document",
    ["{", "{ nothing }", "{ value }", "", "{ ...Unknown }", "fragment F on Query { __typename }"],
)
async def test_a_document_that_fails_ends_nothing_else_on_its_socket(served: Served, document: str) -> None:
    async with open_socket(served) as socket:
        await subscribe(socket, "good", EVERYTHING)
        assert await receive(socket) == told("good", "LIVE", None)
        await subscribe(socket, "bad", document)
        failed = await receive(socket)
        assert (failed["id"], failed["type"]) == ("bad", "error")
        await until_active(served.http, 1)
        await send(socket, type="ping")
        assert await receive(socket) == {"type": "pong"}


async def test_an_operation_beyond_the_limit_of_a_socket_is_refused_until_another_ends(served: Served) -> None:
    async with open_socket(served) as socket:
        for identity in ("1", "2"):
            await subscribe(socket, identity, EVERYTHING)
            assert await receive(socket) == told(identity, "LIVE", None)
        await subscribe(socket, "3", EVERYTHING)
        refused = await receive(socket)
        assert (refused["id"], refused["type"]) == ("3", "error")
        told_limit = {"code": "LIMIT_EXCEEDED", "limit": 2, "setting": "KVS_OPERATIONS_PER_WEBSOCKET_MAX"}
        assert [error["extensions"] for error in refused["payload"]] == [told_limit]
        await send(socket, type="complete", id="2")
        await subscribe(socket, "3", EVERYTHING)
        assert await receive(socket) == told("3", "LIVE", None)


@pytest.mark.parametrize(
    "frame",
    [
        "not JSON",
        "",
        "[]",
        '"subscribe"',
        "null",
        "{}",
        '{"type": 5}',
        '{"type": "unheard of"}',
        '{"type": "subscribe"}',
        '{"type": "subscribe", "payload": {"query": "{ __typename }"}}',
        '{"type": "subscribe", "id": 1, "payload": {"query": "{ __typename }"}}',
        '{"type": "subscribe", "id": "1", "payload": "{ __typename }"}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{ __typename }", "variables": []}}',
        '{"type": "complete"}',
        b'{"type": "ping"}',
        b"\xff\xfe",
    ],
)
async def test_a_frame_that_is_not_of_the_protocol_closes_with_4400(served: Served, frame: str | bytes) -> None:
    code, _ = await closing(served, frame)
    assert code == 4400


@pytest.mark.parametrize(
    ("frames", "init", "code"),
    [
        (['{"type": "subscribe", "id": "1", "payload": {"query": "{ __typename }"}}'], False, 4401),
        (['{"type": "connection_init"}'], True, 4429),
        ([f'{{"type": "subscribe", "id": "1", "payload": {{"query": "{EVERYTHING}"}}}}'] * 2, True, 4409),
        (["x" * (REQUEST_BYTES_MAX + 1)], True, 1009),
    ],
    ids=["before the acknowledgement", "a second init", "an id in use", "too large"],
)
async def test_a_breach_of_the_protocol_closes_with_its_own_code(
    served: Served, frames: list[str], init: bool, code: int
) -> None:
    assert (await closing(served, *frames, init=init))[0] == code
    await until_active(served.http, 0)


async def test_a_socket_that_does_not_begin_is_closed_within_the_limit(served: Served) -> None:
    began = monotonic()
    assert (await closing(served, init=False))[0] == 4408
    assert INIT_SECONDS_MAX <= monotonic() - began < INIT_SECONDS_MAX + 2


@pytest.mark.parametrize("subprotocol", ["graphql-ws", "graphql-sse", "unheard-of", None])
async def test_any_other_subprotocol_is_refused(served: Served, subprotocol: str | None) -> None:
    assert (await closing(served, init=False, subprotocol=subprotocol))[0] == 4406


@pytest.mark.parametrize("origin", ["https://evil.example", "http://pages.example", "null"])
async def test_a_page_of_another_origin_gets_no_socket(served: Served, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with open_socket(served, origin=origin):
            pass
    assert refused.value.response.status_code == 403


async def test_a_page_of_an_allowed_or_the_same_origin_gets_a_socket(served: Served) -> None:
    for origin in (ALLOWED, served.run.url):
        async with open_socket(served, origin=origin) as socket:
            await subscribe(socket, "1", "{ __typename }")
            assert (await receive(socket))["payload"] == {"data": {"__typename": "Query"}}


async def test_sockets_are_not_compressed(served: Served) -> None:
    async with open_socket(served) as socket:
        assert socket.response is not None
        assert "sec-websocket-extensions" not in socket.response.headers


@pytest.mark.parametrize("size", [100, 125, 126, 127, 65_535, 65_536, 200_000])
async def test_messages_of_every_length_of_frame_are_whole(held: Holding, size: int) -> None:
    """A frame's head is of another form below 126 bytes, below 65,536, and above."""
    before, after = '{"id":"1","type":"next","payload":{"data":{"u":{"e":', "}}}}"
    async with open_socket(held.served) as socket:
        await subscribe(socket, "1", LONG)
        assert await socket.recv() == f"{before}null{after}"
        value = "v" * (size - len(before) - len('{"value":""}') - len(after))
        await held.write((b"long", value.encode()))
        assert await socket.recv() == f'{before}{{"value":"{value}"}}{after}'
