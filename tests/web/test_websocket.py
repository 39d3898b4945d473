"""graphql-transport-ws: many operations on one WebSocket, and the breaches of the protocol that close it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio
from structlog.testing import capture_logs
from websockets.exceptions import ConnectionClosed

from kvs_graphql.demo.broker import EmbeddedBroker
from tests.applications import open_application
from tests.serving import Served, ServedTopic, serving_topic
from tests.transports import open_socket, receive, send, subscribe, until_active
from tests.web.calls import UNENCODABLE, app_of
from tests.web.calls import open_socket as open_asgi_socket

pytestmark = pytest.mark.asyncio(loop_scope="module")

ALLOWED = "https://pages.example"
REQUEST_BYTES_MAX = 10_000
LONG = 'subscription { u: updates(keys: ["long"], progress: true) { e: entry { value } } }'
EVERYTHING = "subscription { updates(progress: true) { kind key } }"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def topic(
    embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ServedTopic]:
    settings: dict[str, Any] = {
        "cors_origins": (ALLOWED,),
        "connection_init_seconds_max": 60,
        "operations_per_websocket_max": 2,
        "request_bytes_max": REQUEST_BYTES_MAX,
    }
    async with serving_topic(embedded_broker, tmp_path_factory.mktemp("sockets"), (b"a", b"1"), **settings) as topic:
        yield topic


@pytest.fixture
def served(topic: ServedTopic) -> Served:
    return topic.served


def next_message(identity: str, kind: str, key: str | None) -> dict[str, Any]:
    """Return the message with an update."""
    payload = {"data": {"updates": {"kind": kind, "key": key}}}
    return {"id": identity, "type": "next", "payload": payload}


async def code_of_close(served: Served, *frames: str | bytes, **options: Any) -> tuple[int, str]:
    """Return the code and reason with which the service closes a socket after these frames."""
    with pytest.raises(ConnectionClosed) as closed:
        async with open_socket(served, **options) as socket:
            for frame in frames:
                await socket.send(frame)
            while True:
                await socket.recv()
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code, closed.value.rcvd.reason


async def test_completed_subscription_ends_and_frees_its_id(served: Served) -> None:
    async with open_socket(served) as socket:
        await subscribe(socket, "1", EVERYTHING)
        assert await receive(socket) == next_message("1", "LIVE", None)
        await until_active(served.http, 1)
        await send(socket, type="complete", id="1")
        await until_active(served.http, 0)
        await subscribe(socket, "1", EVERYTHING)
        assert await receive(socket) == next_message("1", "LIVE", None)


@pytest.mark.parametrize(
    "document",
    ["{", "{ nothing }", "{ value }", "", "{ ...Unknown }", "fragment F on Query { __typename }"],
)
async def test_failed_operation_ends_no_other_on_its_socket(served: Served, document: str) -> None:
    async with open_socket(served) as socket:
        await subscribe(socket, "good", EVERYTHING)
        assert await receive(socket) == next_message("good", "LIVE", None)
        await subscribe(socket, "bad", document)
        failed = await receive(socket)
        assert (failed["id"], failed["type"]) == ("bad", "error")
        await until_active(served.http, 1)
        await send(socket, type="ping")
        assert await receive(socket) == {"type": "pong"}


async def test_operation_over_the_limit_of_a_socket_is_refused_until_another_ends(served: Served) -> None:
    async with open_socket(served) as socket:
        for identity in ("1", "2"):
            await subscribe(socket, identity, EVERYTHING)
            assert await receive(socket) == next_message(identity, "LIVE", None)
        await subscribe(socket, "3", EVERYTHING)
        refused = await receive(socket)
        assert (refused["id"], refused["type"]) == ("3", "error")
        limit = {"code": "LIMIT_EXCEEDED", "limit": 2, "setting": "KVS_OPERATIONS_PER_WEBSOCKET_MAX"}
        assert [error["extensions"] for error in refused["payload"]] == [limit]
        await send(socket, type="complete", id="2")
        await subscribe(socket, "3", EVERYTHING)
        assert await receive(socket) == next_message("3", "LIVE", None)


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
        '{"type": "complete", "id": null}',
        '{"type": "subscribe", "id": null, "payload": {"query": "{ __typename }"}}',
        '{"type": "subscribe", "id": "1", "payload": null}',
        '{"type": "subscribe", "id": "1", "payload": {}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": null}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{ __typename }", "operationName": 5}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{ __typename }", "extensions": []}}',
        '{"type": "ping", "payload": "text"}',
        '{"type": "pong", "payload": []}',
        b'{"type": "ping"}',
        b"\xff\xfe",
    ],
)
async def test_frame_that_is_no_message_closes_the_socket_with_4400(served: Served, frame: str | bytes) -> None:
    code, _ = await code_of_close(served, frame)
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
async def test_breach_of_the_protocol_closes_the_socket_with_its_code(
    served: Served, frames: list[str], init: bool, code: int
) -> None:
    assert (await code_of_close(served, *frames, init=init))[0] == code
    await until_active(served.http, 0)


async def test_socket_that_is_not_initialised_in_time_is_closed(
    embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    async with (
        # Enough for a slow machine to initialise the first socket in time.
        serving_topic(embedded_broker, tmp_path, connection_init_seconds_max=3) as topic,
        open_socket(topic.served) as initialised,
    ):
        assert (await code_of_close(topic.served, init=False))[0] == 4408
        await send(initialised, type="ping")
        assert await receive(initialised) == {"type": "pong"}


@pytest.mark.parametrize("subprotocol", ["graphql-ws", "graphql-sse", "unheard-of", None])
async def test_unknown_subprotocol_is_refused(served: Served, subprotocol: str | None) -> None:
    assert (await code_of_close(served, init=False, subprotocol=subprotocol))[0] == 4406


@pytest.mark.parametrize("origin", ["https://evil.example", "http://pages.example", "null"])
async def test_page_of_another_origin_gets_no_socket_and_is_told_why(served: Served, origin: str) -> None:
    code, reason = await code_of_close(served, init=False, origin=origin)
    assert (code, reason) == (
        4403,
        "Refused for its origin: the proxy must pass Host, or set KVS_CORS_ORIGINS.",
    )


async def test_socket_refused_for_its_origin_is_logged_with_the_remedy_and_not_again_at_once(
    embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    async with serving_topic(embedded_broker, tmp_path) as topic:
        with capture_logs() as logged:
            for _ in range(3):
                assert (await code_of_close(topic.served, init=False, origin=ALLOWED))[0] == 4403
    host = topic.served.run.url.removeprefix("http://")
    (line,) = [line for line in logged if line["log_level"] == "warning"]
    assert (line["origin"], line["host"]) == (ALLOWED, host)
    assert line["remedy"] == "the proxy must pass Host, or set KVS_CORS_ORIGINS"


async def test_page_of_an_allowed_or_the_same_origin_gets_a_socket(served: Served) -> None:
    for origin in (ALLOWED, served.run.url):
        async with open_socket(served, origin=origin) as socket:
            await subscribe(socket, "1", "{ __typename }")
            assert (await receive(socket))["payload"] == {"data": {"__typename": "Query"}}


async def test_sockets_are_not_compressed(served: Served) -> None:
    async with open_socket(served) as socket:
        assert socket.response is not None
        assert "sec-websocket-extensions" not in socket.response.headers


@pytest.mark.parametrize("size", [100, 125, 126, 127, 65_535, 65_536, 200_000])
async def test_update_of_any_frame_length_is_whole(topic: ServedTopic, size: int) -> None:
    """The head of a frame has another form below 126 bytes, below 65,536, and above."""
    before, after = '{"id":"1","type":"next","payload":{"data":{"u":{"e":', "}}}}"
    async with open_socket(topic.served) as socket:
        await subscribe(socket, "1", LONG)
        assert await socket.recv() == f"{before}null{after}"
        value = "v" * (size - len(before) - len('{"value":""}') - len(after))
        await topic.write((b"long", value.encode()))
        assert await socket.recv() == f'{before}{{"value":"{value}"}}{after}'


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"variables": None, "operationName": None, "extensions": None},
        {"variables": {}, "operationName": "Q", "extensions": {}},
    ],
)
async def test_members_of_a_subscribe_message_may_be_null_absent_or_empty(
    served: Served, members: dict[str, Any]
) -> None:
    async with open_socket(served) as socket:
        await send(socket, type="subscribe", id="", payload={"query": "query Q { __typename }", **members})
        assert await receive(socket) == {"id": "", "type": "next", "payload": {"data": {"__typename": "Query"}}}
        assert await receive(socket) == {"id": "", "type": "complete"}


@pytest.mark.parametrize("payload", [{"query": ""}, {"query": "query Q { __typename }", "operationName": ""}])
async def test_empty_query_or_name_is_an_error_of_its_operation(served: Served, payload: dict[str, Any]) -> None:
    async with open_socket(served) as socket:
        await send(socket, type="subscribe", id="1", payload=payload)
        message = await receive(socket)
        assert (message["id"], message["type"]) == ("1", "error")
        assert [error["extensions"]["code"] for error in message["payload"]] == ["BAD_INPUT"]


async def test_document_named_by_its_hash_is_refused_in_the_words_that_clients_know(served: Served) -> None:
    async with open_socket(served) as socket:
        await send(socket, type="subscribe", id="1", payload={"extensions": {"persistedQuery": {"version": 1}}})
        error = {"message": "PersistedQueryNotSupported", "extensions": {"code": "PERSISTED_QUERY_NOT_SUPPORTED"}}
        assert await receive(socket) == {"id": "1", "type": "error", "payload": [error]}


@pytest.mark.parametrize("members", [{}, {"payload": None}, {"payload": {}}, {"payload": {"token": "unused"}}])
async def test_payload_of_connection_init_and_ping_may_be_null_absent_or_empty(
    served: Served, members: dict[str, Any]
) -> None:
    async with open_socket(served, init=False) as socket:
        for sent, answer in (("ping", "pong"), ("connection_init", "connection_ack"), ("ping", "pong")):
            await send(socket, type=sent, **members)
            assert await receive(socket) == {"type": answer}


@pytest.mark.parametrize("payload", [[], "text", 0])
async def test_payload_of_connection_init_must_be_an_object(served: Served, payload: object) -> None:
    frame = orjson.dumps({"type": "connection_init", "payload": payload}).decode()
    assert (await code_of_close(served, frame, init=False))[0] == 4400


async def test_unrequested_pong_and_completion_of_an_unknown_id_are_ignored(served: Served) -> None:
    async with open_socket(served) as socket:
        await send(socket, type="pong", payload=None)
        await send(socket, type="complete", id="unknown")
        await send(socket, type="ping")
        assert await receive(socket) == {"type": "pong"}


async def test_result_that_cannot_be_encoded_is_masked_and_its_id_is_free_again(tmp_path: Path) -> None:
    async with open_application(tmp_path, schema=UNENCODABLE) as application:
        with capture_logs() as logged:
            async with open_asgi_socket(app_of(application)) as socket:
                for _ in range(2):
                    socket.send(type="subscribe", id="1", payload={"query": "{ half }"})
                    answer = await socket.receive()
                    assert (answer["type"], answer["id"]) == ("error", "1")
                    assert [error["extensions"]["code"] for error in answer["payload"]] == ["INTERNAL"]
        assert len(logged) == application.counted("kvs_errors_total") == 2
