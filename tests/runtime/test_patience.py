"""Clients that stop reading cost a bounded buffer, delay nobody, and are disconnected in the end."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.runtime.http_connections import LimitedHttpConnection
from tests.deadline import NEVER_SECONDS, SECONDS_MAX
from tests.runtime.narrow_clients import (
    CHANGES,
    RECEIVE_BUFFER_BYTES,
    SMALL,
    VALUE_BYTES,
    Client,
    change_much,
    converged,
    disconnected,
    live,
    sse,
    table,
    websocket,
)
from tests.runtime.servers import Receive, Scope, Send, client_of, server
from tests.serving import serving_topic
from tests.transports import TRANSPORT_WS, WEBSOCKET, until_active

pytestmark = pytest.mark.slow


@pytest.fixture(params=[websocket, sse])
def client(request: pytest.FixtureRequest) -> Client:
    chosen: Client = request.param
    return chosen


async def test_client_that_stops_reading_delays_nobody_and_converges_when_it_reads_again(
    embedded_broker: EmbeddedBroker, tmp_path: Path, client: Client
) -> None:
    async with (
        asyncio.timeout(SECONDS_MAX),
        serving_topic(embedded_broker, tmp_path, **SMALL, slow_client_seconds_max=NEVER_SECONDS) as topic,
        client(topic.served, snapshot=True) as stalled,
        WEBSOCKET(topic.served, "subscription { updates(progress: true) { offset } }") as others,
    ):
        await live(stalled)
        assert await anext(others) == {"data": {"updates": {"offset": None}}}
        await change_much(topic)
        offset = None
        while offset != CHANGES - 1:
            offset = (await anext(others))["data"]["updates"]["offset"]
        await converged(stalled, {})
        assert await disconnected(topic.served) == 0


async def test_client_that_stops_reading_costs_a_bounded_buffer(
    embedded_broker: EmbeddedBroker, tmp_path: Path, client: Client
) -> None:
    limits: dict[str, Any] = {"send_buffer_bytes_max": 32 * VALUE_BYTES, "slow_client_seconds_max": NEVER_SECONDS}
    async with (
        asyncio.timeout(SECONDS_MAX),
        serving_topic(embedded_broker, tmp_path, **SMALL, **limits) as topic,
        client(topic.served, snapshot=True) as stalled,
    ):
        await live(stalled)
        await change_much(topic)
        buffered = 0
        while (await anext(stalled))["kind"] == "SET":
            buffered += 1
            assert buffered < CHANGES // 2


async def test_client_that_stays_slow_is_disconnected_and_resumes_from_its_last_cursor(
    embedded_broker: EmbeddedBroker, tmp_path: Path, client: Client
) -> None:
    async with (
        asyncio.timeout(SECONDS_MAX),
        serving_topic(embedded_broker, tmp_path, **SMALL, slow_client_seconds_max=0.3) as topic,
    ):
        mine: dict[str, str] = {}
        async with client(topic.served, snapshot=True) as stalled:
            cursor = await live(stalled)
            await change_much(topic)
            await until_active(topic.served.http, 0)
            assert await disconnected(topic.served) == 1
            with pytest.raises((ConnectionClosed, ConnectionResetError)):
                async for update in stalled:
                    assert update["kind"] == "SET"
                    mine[update["key"]], cursor = update["entry"]["value"], update["cursor"]
        assert mine != table()
        # On a machine that halts now and then, even a client that reads may be disconnected again.
        while mine != table():
            async with client(topic.served, after=cursor) as resumed:
                with suppress(ConnectionClosed, ConnectionResetError):
                    async for update in resumed:
                        cursor = update["cursor"]
                        if update["entry"]:
                            mine[update["key"]] = update["entry"]["value"]
                        if mine == table():
                            break


async def test_slow_websocket_is_closed_with_the_reason(embedded_broker: EmbeddedBroker, tmp_path: Path) -> None:
    limits: dict[str, Any] = {"send_buffer_bytes_max": 32 * VALUE_BYTES, "slow_client_seconds_max": 0.3}
    async with (
        asyncio.timeout(SECONDS_MAX),
        serving_topic(embedded_broker, tmp_path, **SMALL, **limits) as topic,
        websocket(topic.served, snapshot=True) as stalled,
        asyncio.TaskGroup() as tasks,
    ):
        await live(stalled)
        # In the background: the reason can be read only for a while after it was sent.
        tasks.create_task(change_much(topic))
        while not await disconnected(topic.served):
            pass
        with pytest.raises(ConnectionClosed) as closed:
            async for _ in stalled:
                pass
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (
            1013,
            "Too slow: nothing could be sent for 0.3 s.",
        )


async def test_websocket_that_never_reads_again_is_closed(embedded_broker: EmbeddedBroker, tmp_path: Path) -> None:
    async with (
        asyncio.timeout(SECONDS_MAX),
        serving_topic(embedded_broker, tmp_path, **SMALL, slow_client_seconds_max=0.3, websockets_max=1) as topic,
        websocket(topic.served, snapshot=True) as stalled,
    ):
        await live(stalled)
        await change_much(topic)
        url = str(httpx.URL(topic.served.run.url).copy_with(scheme="ws", path="/graphql"))
        # Refused with 503 and tried again, for as long as the first one is open.
        async for second in connect(url, subprotocols=[Subprotocol(TRANSPORT_WS)], proxy=None):
            await second.close()
            break


async def test_event_stream_that_nobody_reads_is_closed_even_if_its_buffers_have_room(
    embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    async with (
        asyncio.timeout(SECONDS_MAX),
        serving_topic(embedded_broker, tmp_path, slow_client_seconds_max=0.1) as topic,
        sse(topic.served, snapshot=True) as updates,
    ):
        await live(updates)
        # More than the client's buffer holds, and less than the service's own.
        await topic.write((b"a", b"v" * 4 * RECEIVE_BUFFER_BYTES))
        await until_active(topic.served.http, 0)
        assert await disconnected(topic.served) == 0


ANSWER_BYTES = 20_000_000
READ_BYTES = 1_000_000


async def answer(_: Scope, __: Receive, send: Send) -> None:
    """A large answer in one piece."""
    headers = [(b"content-length", b"%d" % ANSWER_BYTES)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": bytes(ANSWER_BYTES)})


async def test_client_that_reads_slowly_but_steadily_is_not_disconnected() -> None:
    """Its buffers are never empty meanwhile; at each check, it has read something."""

    async with server(answer) as served, client_of(served.port, receive_buffer_bytes=RECEIVE_BUFFER_BYTES) as client:
        reader, writer = client
        writer.write(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        (connection,) = served.server.server_state.connections
        assert isinstance(connection, LimitedHttpConnection)
        for _ in range(5):
            unread = connection.transport.get_write_buffer_size()
            assert unread > READ_BYTES
            await reader.readexactly(READ_BYTES)
            while connection.transport.get_write_buffer_size() == unread:  # noqa: ASYNC110 - there is no event for it
                await asyncio.sleep(0)
            connection.check_progress()
            assert not connection.transport.is_closing()
        # The client stops reading: until then, what the network holds may still grow.
        while not connection.transport.is_closing():
            connection.check_progress()
            await asyncio.sleep(0)
        with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
            await reader.readexactly(ANSWER_BYTES)


PATIENCE_SECONDS = 1.0


async def test_answer_that_takes_many_times_the_limit_arrives_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's own timer runs out again and again, and the buffers are never empty meanwhile."""
    checked = asyncio.Event()
    check_progress = LimitedHttpConnection.check_progress

    def check(connection: LimitedHttpConnection) -> None:
        check_progress(connection)
        checked.set()

    monkeypatch.setattr(LimitedHttpConnection, "check_progress", check)
    async with (
        server(answer, slow_client_seconds_max=PATIENCE_SECONDS) as served,
        client_of(served.port, receive_buffer_bytes=RECEIVE_BUFFER_BYTES) as (reader, writer),
    ):
        writer.write(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        (connection,) = served.server.server_state.connections
        for _ in range(4):
            await reader.readexactly(READ_BYTES)
            assert connection.transport.get_write_buffer_size() > READ_BYTES
            await checked.wait()
            checked.clear()
        await reader.readexactly(ANSWER_BYTES - 4 * READ_BYTES)
