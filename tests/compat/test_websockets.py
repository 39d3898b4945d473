"""Fails when an upgrade of uvicorn or websockets changes what `kvs_graphql.compat.websockets` relies on."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from kvs_graphql.compat.websockets import WebSocketConnection
from tests.compat.servers import HANDSHAKE, idle, serving, unserved
from tests.runtime.servers import Receive, Scope, Send

MEND = "mend kvs_graphql/compat/websockets.py"
NAMES = (
    *("conn", "queue", "writable", "loop", "transport", "shutdown", "handshake_complete", "close_sent", "pong_timer"),
    *("handle_connect", "handle_ping", "handle_pong", "handle_cont", "frames", "read_paused", "receive"),
    *("keepalive_timeout", "stop_keepalive", "handshake_initiated", "resume_writing"),
    *("send_500_response", "initial_response"),
)


@pytest.mark.parametrize("name", NAMES)
def test_uvicorns_websockets_have_the_names_in_use(name: str) -> None:
    connection = unserved(WebSocketsSansIOProtocol)
    connection.loop.close()
    assert hasattr(connection, name), f"uvicorn's WebSocketsSansIOProtocol has no `{name}`: {MEND}"


@pytest.mark.parametrize(
    "name", sorted(name for name in vars(WebSocketConnection) if not name.startswith("__") and name not in NAMES)
)
def test_uvicorns_websockets_have_no_names_of_this_project(name: str) -> None:
    connection = unserved(WebSocketsSansIOProtocol)
    connection.loop.close()
    assert not hasattr(connection, name), f"uvicorn's WebSocketsSansIOProtocol now has its own `{name}`: {MEND}"


@pytest.mark.parametrize("name", ["reader", "current_size", "send_response", "reject"])
def test_websockets_protocol_has_the_names_in_use(name: str) -> None:
    connection = unserved(WebSocketsSansIOProtocol)
    connection.loop.close()
    assert hasattr(connection.conn, name), f"websockets' Protocol has no `{name}`: {MEND}"


async def test_websocket_is_refused_with_an_answer_of_ours() -> None:
    class Refusing(WebSocketConnection):
        def admit(self, forwarded_for: Sequence[str]) -> bool:
            self.reject(503, "{}", {"Content-Type": "application/json", "Retry-After": "7"})
            return False

    async with serving(idle, ws=Refusing) as (_, address):
        with pytest.raises(InvalidStatus) as refused:
            async with connect(f"ws://{address}/", proxy=None):
                pass
    response = refused.value.response
    seen = (response.status_code, response.headers.get_all("content-type"), response.headers["retry-after"])
    assert seen == (503, ["application/json"], "7"), f"uvicorn no longer lets `handle_connect` refuse: {MEND}"
    assert response.body == b"{}"


async def test_websocket_scope_is_extended_and_its_state_is_known() -> None:
    seen: list[tuple[bool, bool]] = []

    class Extended(WebSocketConnection):
        def extensions(self) -> Mapping[str, object]:
            return {"observed": self}

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        assert "observed" in scope["extensions"], f"uvicorn no longer starts a WebSocket's application later: {MEND}"
        connection: WebSocketConnection = scope["extensions"]["observed"]

        def note() -> None:
            seen.append((connection.is_answered, connection.is_open))

        note()
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        note()
        connection.close(1013, "told why")
        note()
        event = await receive()
        assert (event["type"], event["code"]) == ("websocket.disconnect", 1013)

    async with serving(application, ws=Extended) as (_, address), connect(f"ws://{address}/", proxy=None) as client:
        with pytest.raises(ConnectionClosed) as closed:
            await client.recv()
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1013, "told why")
    assert seen == [(False, False), (True, True), (True, False)], (
        f"uvicorn's `handshake_complete` and `conn.state` no longer tell how far a WebSocket is: {MEND}"
    )


async def test_unanswered_ping_is_overdue_once_for_each_deadline() -> None:
    overdue = asyncio.Event()

    class Pinging(WebSocketConnection):
        deadlines = 0

        def pong_overdue(self) -> None:
            assert self.awaits_pong, f"uvicorn no longer keeps `pong_timer` while it waits for a pong: {MEND}"
            type(self).deadlines += 1
            if self.deadlines < 3:
                self.await_pong(0.01)
            else:
                overdue.set()

    async with serving(idle, ws=Pinging, ws_ping_interval=0.01, ws_ping_timeout=0.01) as (_, address):
        host, _, port = address.partition(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(HANDSHAKE)
        await overdue.wait()
        writer.transport.abort()
    assert Pinging.deadlines == 3


def frame(first: int, payload: bytes) -> bytes:
    """A masked frame with a short payload."""
    return bytes((first, 0x80 | len(payload))) + bytes(4) + payload


async def test_messages_that_arrive_in_parts_are_known() -> None:
    seen: list[str] = []
    step = asyncio.Event()

    class Observed(WebSocketConnection):
        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            seen.append("within" if self.is_within_message else "between")
            step.set()

        def fragment_came(self, fragments: int, size: int) -> None:
            seen.append(f"{fragments} fragments, {size} bytes")

        def control_frame_came(self) -> None:
            seen.append("control")

    async with serving(idle, ws=Observed) as (_, address):
        host, _, port = address.partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(HANDSHAKE)
        await reader.readuntil(b"\r\n\r\n")
        text, more, last, ping, pong = 0x01, 0x00, 0x80, 0x89, 0x8A
        whole = frame(0x81, b"whole")
        for data in (
            *(frame(text, b"ab"), frame(more, b"cd"), frame(ping, b"p"), frame(pong, b""), frame(last, b"ef")),
            *(whole[:3], whole[3:]),
        ):
            step.clear()
            writer.write(data)
            await step.wait()
        writer.transport.abort()
    expected = ["between", "within", "2 fragments, 4 bytes", "within", "control", "within", "control", "within"]
    assert seen == [*expected, "between", "within", "between"], (
        f"websockets no longer tells how much of a message has come: {MEND}"
    )


async def test_pings_are_answered_by_the_last_one_once_there_is_room() -> None:
    pinged = asyncio.Event()

    class Observed(WebSocketConnection):
        pings = 0

        def control_frame_came(self) -> None:
            self.pings += 1
            if self.pings == 1:
                self.pause_writing()
            elif self.pings == 3:
                self.resume_writing()
            pinged.set()

    async with serving(idle, ws=Observed) as (_, address):
        host, _, port = address.partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(HANDSHAKE)
        await reader.readuntil(b"\r\n\r\n")
        for number in range(3):
            pinged.clear()
            writer.write(frame(0x89, b"%d" % number))
            await pinged.wait()
        writer.write(frame(0x88, b""))
        answer = await reader.read()
        writer.close()
    assert answer == b"\x8a\x010\x8a\x012\x88\x00", f"uvicorn no longer leaves pongs to `handle_ping`: {MEND}"


async def test_reading_goes_on_once_the_application_has_taken_every_message() -> None:
    resumed = asyncio.Event()

    class Observed(WebSocketConnection):
        def resume_receiving(self) -> None:
            assert not self.is_held
            super().resume_receiving()
            resumed.set()

    async with serving(idle, ws=Observed) as (_, address), connect(f"ws://{address}/", proxy=None) as client:
        await client.send("a")
        await resumed.wait()
