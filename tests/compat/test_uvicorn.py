"""Fails when an upgrade of uvicorn changes what `kvs_graphql.compat.uvicorn` relies on."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, ClassVar

import httpx
import pytest
import uvicorn
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from kvs_graphql.compat.uvicorn import (
    HttpConnection,
    Response,
    Server,
    WebSocketConnection,
    add_extension,
    is_complete,
    takes_chunks,
    transport_of,
)
from tests.runtime.servers import Application, Receive, Scope, Send

GET = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"
HANDSHAKE = (
    b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
MEND = "mend kvs_graphql/compat/uvicorn.py"


async def idle(scope: Scope, receive: Receive, send: Send) -> None:
    """Accept a WebSocket, or answer a request, and leave it at that."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass
    else:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"answer"})


@asynccontextmanager
async def serving(
    application: Application,
    http: type[HttpConnection] = HttpConnection,
    ws: type[WebSocketConnection] = WebSocketConnection,
    *,
    server: type[Server] = Server,
    **options: Any,
) -> AsyncIterator[tuple[Server, str]]:
    """A server with those connections, and its address."""
    config = Config(application, http=http, ws=ws, lifespan="off", log_config=None, **options)
    served = server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
            tasks.create_task(served.serve(sockets=[listener]))
            try:
                yield served, f"127.0.0.1:{listener.getsockname()[1]}"
            finally:
                served.stop()


def unserved(protocol: type[Any]) -> Any:
    """A connection of uvicorn's own, without a transport."""
    config = Config(idle, lifespan="off", log_config=None)
    return protocol(config=config, server_state=ServerState(), app_state={}, _loop=asyncio.new_event_loop())


@pytest.mark.parametrize(
    ("protocol", "name"),
    [
        *((HttpToolsProtocol, name) for name in ("cycle", "scope", "loop", "transport", "shutdown")),
        *((HttpToolsProtocol, name) for name in ("on_message_begin", "on_headers_complete")),
        (HttpToolsProtocol, "handle_websocket_upgrade"),
        *((WebSocketsSansIOProtocol, name) for name in ("conn", "queue", "writable", "loop", "transport", "shutdown")),
        *((WebSocketsSansIOProtocol, name) for name in ("handshake_complete", "close_sent")),
        *((WebSocketsSansIOProtocol, name) for name in ("handle_connect", "keepalive_timeout", "stop_keepalive")),
        (WebSocketsSansIOProtocol, "pong_timer"),
    ],
)
def test_uvicorns_connections_have_the_names_in_use(protocol: type[Any], name: str) -> None:
    connection = unserved(protocol)
    connection.loop.close()
    assert hasattr(connection, name), f"uvicorn's {protocol.__name__} has no `{name}`: {MEND}"


@pytest.mark.parametrize(
    ("protocol", "name"),
    [
        *((HttpToolsProtocol, name) for name in ("head_began", "head_ended", "upgrading", "awaiting_body")),
        *(
            (WebSocketsSansIOProtocol, name)
            for name in ("admit", "extensions", "pong_overdue", "is_open", "is_answered")
        ),
        *(
            (WebSocketsSansIOProtocol, name)
            for name in ("has_room", "takes_messages", "awaits_pong", "await_pong", "close", "reject")
        ),
    ],
)
def test_uvicorns_connections_have_no_names_of_this_project(protocol: type[Any], name: str) -> None:
    connection = unserved(protocol)
    connection.loop.close()
    assert not hasattr(connection, name), f"uvicorn's {protocol.__name__} now has its own `{name}`: {MEND}"


class ObservedHttp(HttpConnection):
    """Records the hooks that are called."""

    calls: ClassVar[list[str]]

    def head_began(self) -> None:
        self.calls.append("head began")

    def head_ended(self, response: Response | None) -> None:
        self.calls.append("upgrade" if response is None else "head ended")
        if response is not None:
            add_extension(response, "observed", response)

    def upgrading(self) -> None:
        self.calls.append("upgrading")


@pytest.fixture
def observed() -> type[ObservedHttp]:
    return type("Observed", (ObservedHttp,), {"calls": []})


async def test_hooks_run_before_the_application_and_extend_its_scope(observed: type[ObservedHttp]) -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        observed.calls.append("application" if "observed" in scope.get("extensions", {}) else "not extended")
        await idle(scope, receive, send)

    async with serving(application, observed) as (_, address), httpx.AsyncClient() as client:
        for _ in range(2):
            assert (await client.get(f"http://{address}/")).text == "answer"
    assert observed.calls == ["head began", "head ended", "application"] * 2, (
        f"uvicorn no longer parses a head and makes a response as expected: {MEND}"
    )


async def test_upgrade_leaves_http(observed: type[ObservedHttp]) -> None:
    async with serving(idle, observed) as (_, address), connect(f"ws://{address}/", proxy=None):
        pass
    assert observed.calls == ["head began", "upgrade", "upgrading"], (
        f"uvicorn no longer upgrades to WebSockets as expected: {MEND}"
    )


async def test_uvicorns_responses_have_the_names_in_use(observed: type[ObservedHttp]) -> None:
    missing: list[str] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        response: Response = scope["extensions"]["observed"]
        names = (
            "scope",
            "transport",
            "flow",
            "response_started",
            "response_complete",
            "more_body",
            "chunked_encoding",
        )
        missing.extend(name for name in names if not hasattr(response, name))
        missing.extend([] if hasattr(response.flow, "write_paused") else ["flow.write_paused"])
        await idle(scope, receive, send)

    async with serving(application, observed) as (_, address), httpx.AsyncClient() as client:
        await client.get(f"http://{address}/")
    assert missing == [], f"uvicorn's RequestResponseCycle lacks names: {MEND}"


async def test_progress_of_a_response_is_known(observed: type[ObservedHttp]) -> None:
    seen: list[tuple[bool, bool]] = []

    async def application(scope: Scope, _: Receive, send: Send) -> None:
        response: Response = scope["extensions"]["observed"]
        seen.append((takes_chunks(response), is_complete(response)))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        seen.append((takes_chunks(response), is_complete(response)))
        transport_of(response).write(b"6\r\ndirect\r\n")
        await send({"type": "http.response.body", "body": b"answer"})
        seen.append((takes_chunks(response), is_complete(response)))

    async with serving(application, observed) as (_, address), httpx.AsyncClient() as client:
        text = (await client.get(f"http://{address}/")).text
    assert seen == [(False, False), (True, False), (False, True)], (
        f"uvicorn no longer tells when a response begins and ends: {MEND}"
    )
    assert text == "directanswer", f"uvicorn no longer writes bodies in chunks to `transport`: {MEND}"


async def test_room_for_a_response_is_known(observed: type[ObservedHttp]) -> None:
    seen: list[bool] = []

    async def application(scope: Scope, _: Receive, send: Send) -> None:
        response: Response = scope["extensions"]["observed"]
        connection = transport_of(response).get_protocol()
        assert isinstance(connection, asyncio.Protocol)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        seen.append(takes_chunks(response))
        connection.pause_writing()
        seen.append(takes_chunks(response))
        connection.resume_writing()
        seen.append(takes_chunks(response))
        await send({"type": "http.response.body", "body": b"answer"})

    async with serving(application, observed) as (_, address), httpx.AsyncClient() as client:
        await client.get(f"http://{address}/")
    assert seen == [True, False, True], f"uvicorn no longer tells by `flow.write_paused` whether sending waits: {MEND}"


async def test_websocket_is_refused_with_an_answer_of_ours() -> None:
    class Refusing(WebSocketConnection):
        def admit(self) -> bool:
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
        connection.close(1013, "the reason")
        note()
        event = await receive()
        assert (event["type"], event["code"]) == ("websocket.disconnect", 1013)

    async with serving(application, ws=Extended) as (_, address), connect(f"ws://{address}/", proxy=None) as client:
        with pytest.raises(ConnectionClosed) as closed:
            await client.recv()
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1013, "the reason")
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


async def test_server_stops_in_our_order() -> None:
    calls: list[str] = []

    class Observed(Server):
        async def before_shutdown(self) -> None:
            calls.append("before shutdown" if self.stopping else "too early")

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            calls.append("signals captured")
            with super().capture_signals():
                yield

    ended = asyncio.Event()

    class Ended(HttpConnection):
        def shutdown(self) -> None:
            calls.append("connection")
            super().shutdown()
            ended.set()

    async with serving(idle, Ended, server=Observed) as (server, address), httpx.AsyncClient() as client:
        await client.get(f"http://{address}/")
        server.stop()
        await ended.wait()
    assert calls == ["signals captured", "before shutdown", "connection"], (
        f"uvicorn's server no longer stops by `capture_signals`, `shutdown` and then each connection's: {MEND}"
    )


@pytest.mark.parametrize("name", ["serve", "shutdown", "capture_signals", "handle_exit"])
def test_uvicorns_server_has_the_names_in_use(name: str) -> None:
    assert hasattr(uvicorn.Server, name), f"uvicorn's Server has no `{name}`: {MEND}"


@pytest.mark.parametrize("name", ["before_shutdown", "stopping", "stop"])
def test_uvicorns_server_has_no_names_of_this_project(name: str) -> None:
    assert not hasattr(uvicorn.Server, name), f"uvicorn's Server now has its own `{name}`: {MEND}"


def test_responses_can_be_referred_to_weakly() -> None:
    assert "__weakref__" in dir(RequestResponseCycle), f"uvicorn's RequestResponseCycle has slots now: {MEND}"
