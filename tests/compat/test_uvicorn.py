"""Fails when an upgrade of uvicorn changes what `kvs_graphql.compat.uvicorn` relies on."""

import asyncio
from typing import ClassVar

import httpx
import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from websockets.asyncio.client import connect

from kvs_graphql.compat.uvicorn import (
    FIELD_BYTES_MIN,
    HeadRefused,
    HttpConnection,
    Part,
    Response,
    add_extension,
    close_after,
    is_complete,
    takes_chunks,
    transport_of,
)
from tests.compat.servers import HANDSHAKE, idle, serving, unserved
from tests.deadline import SECONDS_MAX
from tests.plain import NO_TLS
from tests.runtime.servers import Receive, Scope, Send

GET = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"
CLOSING = b"GET /sent HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
MEND = "mend kvs_graphql/compat/uvicorn.py"


NAMES = (
    *("cycle", "scope", "loop", "transport", "shutdown", "parser", "flow", "headers", "pipeline"),
    *("on_message_begin", "on_headers_complete", "on_message_complete", "on_response_complete"),
    *(
        "handle_websocket_upgrade",
        "_should_upgrade",
        "_unset_keepalive_if_required",
        "resume_writing",
        "connection_made",
    ),
)


@pytest.mark.parametrize("name", NAMES)
def test_uvicorns_connections_have_the_names_in_use(name: str) -> None:
    connection = unserved(HttpToolsProtocol)
    connection.loop.close()
    assert hasattr(connection, name), f"uvicorn's HttpToolsProtocol has no `{name}`: {MEND}"


@pytest.mark.parametrize(
    "name", sorted(name for name in vars(HttpConnection) if not name.startswith("__") and name not in NAMES)
)
def test_uvicorns_connections_have_no_names_of_this_project(name: str) -> None:
    connection = unserved(HttpToolsProtocol)
    connection.loop.close()
    assert not hasattr(connection, name), f"uvicorn's HttpToolsProtocol now has its own `{name}`: {MEND}"


class ObservedHttp(HttpConnection):
    """Records the hooks that are called."""

    calls: ClassVar[list[str]]

    def check_head(self, url: bytes) -> None:
        self.calls.append(f"{url.decode()}, {self.part.name}")
        if url == b"/refused":
            self.end_with(b"refused")
            raise HeadRefused

    def responding(self, response: Response) -> None:
        self.calls.append("responding")
        add_extension(response, "observed", response)

    def data_received(self, data: bytes) -> None:
        self.feed(data)
        self.calls.append(f"read, {self.part.name}")

    def parsing_failed(self) -> None:
        self.end_with(b"not HTTP")

    def upgrading(self) -> None:
        self.calls.append("upgrading")


@pytest.fixture
def observed() -> type[ObservedHttp]:
    return type("Observed", (ObservedHttp,), {"calls": []})


async def test_hooks_run_before_the_application_and_extend_its_scope(observed: type[ObservedHttp]) -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        observed.calls.append("application" if "observed" in scope.get("extensions", {}) else "not extended")
        await idle(scope, receive, send)

    async with serving(application, observed) as (_, address), httpx.AsyncClient(verify=NO_TLS) as client:
        for _ in range(2):
            assert (await client.get(f"http://{address}/")).text == "answer"
    assert observed.calls == ["/, HEAD", "responding", "read, NONE", "application"] * 2, (
        f"uvicorn no longer parses a head and makes a response as expected: {MEND}"
    )


async def test_upgrade_leaves_http(observed: type[ObservedHttp]) -> None:
    async with serving(idle, observed) as (_, address), connect(f"ws://{address}/", proxy=None):
        pass
    assert observed.calls == ["/, HEAD", "upgrading", "read, NONE"], (
        f"uvicorn no longer upgrades to WebSockets as expected: {MEND}"
    )


async def sent(address: str, data: bytes) -> bytes:
    """Return everything that the server sends to a client that sends this."""
    host, _, port = address.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(data)
    answer = await reader.read()
    writer.close()
    return answer


async def test_request_is_refused_at_the_end_of_its_head_and_after_those_before_it(
    observed: type[ObservedHttp],
) -> None:
    async with serving(idle, observed) as (_, address):
        refused = await sent(address, GET + GET.replace(b"/", b"/refused", 1) + GET)
    assert refused.count(b"HTTP/1.1 200 ") == 1, f"uvicorn no longer calls `on_response_complete` at the end: {MEND}"
    assert refused.endswith(b"refused")
    assert observed.calls[:4] == ["/, HEAD", "responding", "/refused, HEAD", "read, HEAD"], (
        f"an exception in a callback no longer stops httptools: {MEND}"
    )


async def test_uvicorn_holds_a_connection_until_queued_requests_are_answered() -> None:
    seen: list[tuple[bool, bool]] = []
    resumed = asyncio.Event()

    class Observed(ObservedHttp):
        calls: ClassVar[list[str]] = []

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            seen.append((self.is_held, self.is_first_in_line))

        def resume_receiving(self) -> None:
            seen.append((self.is_held, self.is_first_in_line))
            super().resume_receiving()
            resumed.set()

    async with serving(idle, Observed) as (_, address):
        await sent(address, GET * 2 + GET.replace(b"/", b"/refused", 1))
        await resumed.wait()
    assert seen[:2] == [(True, False), (False, True)], (
        f"uvicorn no longer pauses reading by `flow` while requests wait in `pipeline`: {MEND}"
    )


@pytest.mark.parametrize(
    "data",
    [b"\0", HANDSHAKE.replace(b"\r\n\r\n", b"\r\nx: " + b"x" * 10_000 + b"\r\n\r\n"), b"GET /\xff HTTP/1.1\r\n\r\n"],
    ids=["no HTTP", "handshake too long for websockets", "URL not ASCII"],
)
async def test_what_cannot_be_parsed_is_answered(observed: type[ObservedHttp], data: bytes) -> None:
    async with asyncio.timeout(SECONDS_MAX), serving(idle, observed) as (_, address):
        assert await sent(address, data) == b"not HTTP", f"uvicorn no longer stops at what it cannot parse: {MEND}"


async def test_upgrade_behind_an_unanswered_request_closes(observed: type[ObservedHttp]) -> None:
    ended = asyncio.Event()

    async def application(_: Scope, receive: Receive, __: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        ended.set()

    async with serving(application, observed) as (_, address):
        assert await sent(address, GET + HANDSHAKE) == b""
        await ended.wait()


async def test_parts_of_a_request_and_their_bytes_are_known() -> None:
    seen: list[tuple[Part, int, int]] = []
    step = asyncio.Event()

    class Noting(HttpConnection):
        def data_received(self, data: bytes) -> None:
            self.feed(data)
            seen.append((self.part, self.url_bytes, self.field_bytes))
            step.set()

    async with serving(idle, Noting) as (_, address):
        host, _, port = address.partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        for data in (b"POST /lo", b"ng HTTP/1.1\r\na", b": b\r\ncontent-length: 2\r\n\r\nx", b"y"):
            step.clear()
            writer.write(data)
            await step.wait()
        await reader.readuntil(b"answer")
        writer.close()
    fields = len("ab" + "content-length2") + 2 * FIELD_BYTES_MIN
    assert seen == [(Part.HEAD, 3, 0), (Part.HEAD, 5, 0), (Part.BODY, 5, fields), (Part.NONE, 5, fields)], (
        f"uvicorn no longer collects `url` and `headers` while a head arrives: {MEND}"
    )


async def test_connection_closes_after_a_response_that_ends_it() -> None:
    class Closing(HttpConnection):
        def responding(self, response: Response) -> None:
            close_after(response)

    async with serving(idle, Closing) as (_, address):
        assert b"connection: close" in await sent(address, GET), f"uvicorn no longer obeys `keep_alive`: {MEND}"


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
        own = vars(RequestResponseCycle)
        missing.extend(name for name in ("run_asgi", "send_500_response", "send") if name not in own)
        missing.extend(["__slots__"] if "__slots__" in own else [])
        missing.extend(name for name in names if not hasattr(response, name))
        missing.extend([] if hasattr(response.flow, "write_paused") else ["flow.write_paused"])
        await idle(scope, receive, send)

    async with serving(application, observed) as (_, address), httpx.AsyncClient(verify=NO_TLS) as client:
        await client.get(f"http://{address}/")
    assert missing == [], f"uvicorn's RequestResponseCycle lacks names: {MEND}"


def test_uvicorn_makes_responses_where_another_class_can_be_given() -> None:
    begin = HttpToolsProtocol.on_headers_complete
    found = RequestResponseCycle.__name__ in begin.__code__.co_names and begin.__closure__ is None
    assert found, f"uvicorn's `on_headers_complete` no longer makes a RequestResponseCycle by its global name: {MEND}"


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

    async with serving(application, observed) as (_, address), httpx.AsyncClient(verify=NO_TLS) as client:
        text = (await client.get(f"http://{address}/")).text
    assert seen == [(False, False), (True, False), (False, True)], (
        f"uvicorn no longer tells when a response begins and ends: {MEND}"
    )
    assert text == "directanswer", f"uvicorn no longer writes bodies in chunks to `transport`: {MEND}"


async def test_response_at_once_is_like_one_that_is_sent(observed: type[ObservedHttp]) -> None:
    async def application(scope: Scope, _: Receive, send: Send) -> None:
        response: Response = scope["extensions"]["observed"]
        if scope["path"] != "/sent":
            assert response.answer(201, b"x-one: 1\r\ncontent-length: 6\r\n", b"answer")
            assert not response.answer(201, b"content-length: 0\r\n", b""), "it is answered"
            return
        fields = [(b"x-one", b"1"), (b"content-length", b"6")]
        await send({"type": "http.response.start", "status": 201, "headers": fields})
        await send({"type": "http.response.body", "body": b"answer"})

    async with serving(application, observed, server_header=False) as (server, address):
        lasting = b"".join(GET.replace(b"/", b"/" + path, 1) for path in (b"sent", b"once", b"sent"))
        answers = (await sent(address, lasting + CLOSING)).split(b"HTTP/1.1 201 Created\r\n")[1:]
        total = server.server_state.total_requests
    seen = {b"\r\n".join(line for line in one.split(b"\r\n") if not line.startswith(b"date: ")) for one in answers[:3]}
    assert seen == {b"x-one: 1\r\ncontent-length: 6\r\n\r\nanswer"}, f"uvicorn now sends other headers: {MEND}"
    assert [one.count(b"date: ") for one in answers] == [1, 1, 1, 1], f"uvicorn's `default_headers` differ: {MEND}"
    assert total == 4, f"uvicorn no longer counts requests in `on_response`: {MEND}"


async def test_response_that_ends_the_connection_is_not_at_once(observed: type[ObservedHttp]) -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        assert not scope["extensions"]["observed"].answer(200, b"content-length: 0\r\n", b"")
        await idle(scope, receive, send)

    async with serving(application, observed) as (_, address):
        assert b"connection: close\r\n" in await sent(address, CLOSING), f"uvicorn has no `keep_alive`: {MEND}"


async def test_body_is_taken_once_it_has_arrived(observed: type[ObservedHttp]) -> None:
    seen: list[bytes | None] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        take_body = scope["extensions"]["observed"].take_body
        seen.append(take_body())
        message = await receive()
        seen.append(message["body"])
        while message["more_body"]:
            message = await receive()
            seen[-1] += message["body"]
        await idle(scope, receive, send)

    whole = b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\n\r\nwhole"
    async with serving(application, observed) as (_, address):
        host, _, port = address.partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(whole)
        await reader.readuntil(b"answer")
        writer.write(whole[:-5])
        while len(seen) < 3:  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(0)
        writer.write(b"later")
        await reader.readuntil(b"answer")
        writer.close()
    assert seen == [b"whole", b"", None, b"later"], f"uvicorn keeps bodies elsewhere than in `body`: {MEND}"


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

    async with serving(application, observed) as (_, address), httpx.AsyncClient(verify=NO_TLS) as client:
        await client.get(f"http://{address}/")
    assert seen == [True, False, True], f"uvicorn no longer tells by `flow.write_paused` whether sending waits: {MEND}"


def test_responses_can_be_referred_to_weakly() -> None:
    assert "__weakref__" in dir(RequestResponseCycle), f"uvicorn's RequestResponseCycle has slots now: {MEND}"
