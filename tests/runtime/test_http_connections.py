"""HTTP over real connections: chunks written directly into responses, and requests that do not end."""

import asyncio
import gc
from asyncio import StreamReader
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from weakref import ref

import httpx
import orjson
import pytest

from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.web.direct import DirectWriter
from tests.deadline import SECONDS_MAX
from tests.runtime.servers import (
    Application,
    Receive,
    Scope,
    Send,
    Served,
    client_of,
    refused,
    server,
    writer_of,
    written,
)
from tests.serving import serving

Answer = Callable[[DirectWriter, Send], Awaitable[None]]

GET = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"
START = {"type": "http.response.start", "status": 200, "headers": []}
END = {"type": "http.response.body", "body": b""}
MANY = 1000
SMALL_BUFFER_BYTES = 2**16


async def send_chunk(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


def answering(answer: Answer) -> Application:
    """An application that begins a streaming response, lets `answer` write into it, and ends it."""

    async def application(scope: Scope, _: Receive, send: Send) -> None:
        await send(START)
        await answer(writer_of(scope), send)
        await send(END)

    return application


async def chunks(reader: StreamReader) -> list[bytes]:
    """The chunks of the next response, which has to be framed correctly."""
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"transfer-encoding: chunked\r\n" in head
    found = []
    while size := int(await reader.readuntil(b"\r\n"), 16):
        found.append(await reader.readexactly(size))
        assert await reader.readexactly(2) == b"\r\n"
    assert await reader.readexactly(2) == b"\r\n"
    return found


async def test_chunks_written_directly_and_through_asgi_arrive_in_order() -> None:
    async def answer(writer: DirectWriter, send: Send) -> None:
        for number in range(MANY):
            if number % 10 == 0:
                await send_chunk(send, b"%d" % number)
            else:
                assert written(writer, b"%d" % number)

    async with server(answering(answer)) as served, client_of(served.port) as (reader, client):
        client.write(GET)
        assert await chunks(reader) == [b"%d" % number for number in range(MANY)]


async def test_chunks_taken_together_are_sent_by_one_flush() -> None:
    async def answer(writer: DirectWriter, _: Send) -> None:
        flushes = [writer.write(b"a", b"%d" % number, b"z") for number in range(3)]
        await asyncio.sleep(0)
        for flush in flushes:
            assert flush is not None
            flush()

    async with server(answering(answer)) as served, client_of(served.port) as (reader, client):
        client.write(GET)
        assert await chunks(reader) == [b"a0z", b"a1z", b"a2z"]


async def test_empty_chunk_does_not_end_the_response() -> None:
    async def answer(writer: DirectWriter, _: Send) -> None:
        assert written(writer)
        assert written(writer, b"", b"")
        assert written(writer, b"a")

    async with server(answering(answer)) as served, client_of(served.port) as (reader, client):
        client.write(GET)
        assert await chunks(reader) == [b"a"]


async def test_nothing_is_taken_while_there_is_no_room() -> None:
    taken: list[bytes] = []
    full, read = asyncio.Event(), asyncio.Event()

    async def answer(writer: DirectWriter, send: Send) -> None:
        while written(writer, line := b"%01000d" % len(taken)):
            taken.append(line)
        full.set()
        await read.wait()
        await send_chunk(send, b"after")
        assert written(writer, b"direct again")

    async with (
        server(answering(answer), send_buffer_bytes_max=SMALL_BUFFER_BYTES) as served,
        client_of(served.port, receive_buffer_bytes=SMALL_BUFFER_BYTES) as (reader, client),
    ):
        client.write(GET)
        await full.wait()
        read.set()
        assert await chunks(reader) == [*taken, b"after", b"direct again"]


async def test_nothing_is_taken_while_sending_waits() -> None:
    paused: list[Served] = []

    async def answer(writer: DirectWriter, _: Send) -> None:
        assert written(writer, b"before")
        with paused[0].paused():
            assert not written(writer, b"within")
        assert written(writer, b"after")

    async with server(answering(answer)) as served, client_of(served.port) as (reader, client):
        paused.append(served)
        client.write(GET)
        assert await chunks(reader) == [b"before", b"after"]


async def test_chunks_taken_and_not_sent_count_against_the_limit() -> None:
    async def answer(writer: DirectWriter, _: Send) -> None:
        half = bytes(SMALL_BUFFER_BYTES // 2 + 1)
        flush = writer.write(half)
        assert writer.write(half) == flush
        assert writer.write(half) is None
        assert flush is not None
        flush()
        assert written(writer, half)

    async with (
        server(answering(answer), send_buffer_bytes_max=SMALL_BUFFER_BYTES) as served,
        client_of(served.port) as client,
    ):
        client[1].write(GET)
        assert len(await chunks(client[0])) == 3


async def test_nothing_is_taken_before_the_response_begins_or_after_it_ends() -> None:
    taken: list[bool] = []

    async def application(scope: Scope, _: Receive, send: Send) -> None:
        writer = writer_of(scope)
        taken.append(written(writer, b"before"))
        await send(START)
        taken.append(written(writer, b"within"))
        await send(END)
        taken.append(written(writer, b"after"))

    async with server(application) as served, client_of(served.port) as (reader, client):
        client.write(GET + GET)
        assert await chunks(reader) == [b"within"]
        assert await chunks(reader) == [b"within"]
        assert taken == [False, True, False] * 2


async def test_flush_after_the_end_of_its_response_sends_nothing() -> None:
    async def application(scope: Scope, _: Receive, send: Send) -> None:
        await send(START)
        flush = writer_of(scope).write(b"too late")
        await send(END)
        assert flush is not None
        flush()

    async with server(application) as served, client_of(served.port) as (reader, client):
        client.write(GET + GET)
        assert await chunks(reader) == []
        assert await chunks(reader) == []


async def test_pipelined_requests_never_get_bytes_of_another_response() -> None:
    """Each request writes with the writers of all requests so far; only its own may have an effect."""
    writers: list[DirectWriter] = []

    async def answer(writer: DirectWriter, _: Send) -> None:
        for other in writers:
            assert not written(other, b"of another response")
        writers.append(writer)
        for number in range(3):
            assert written(writer, b"%d:%d" % (len(writers), number))
            await asyncio.sleep(0)

    async with server(answering(answer)) as served, client_of(served.port) as (reader, client):
        client.write(GET * 5)
        for request in range(1, 6):
            assert await chunks(reader) == [b"%d:%d" % (request, number) for number in range(3)]
        client.write(GET)
        assert await chunks(reader) == [b"6:0", b"6:1", b"6:2"]


@pytest.mark.parametrize(
    ("request_line", "headers"),
    [
        (b"GET / HTTP/1.0", []),
        (b"HEAD / HTTP/1.1", []),
        (b"HEAD / HTTP/1.1", [(b"transfer-encoding", b"chunked")]),
        (b"GET / HTTP/1.1", [(b"content-length", b"6")]),
    ],
    ids=["HTTP/1.0", "HEAD", "HEAD of chunks", "of known length"],
)
async def test_responses_without_chunks_are_not_written_to_directly(
    request_line: bytes, headers: list[tuple[bytes, bytes]]
) -> None:
    taken: list[bool] = []

    async def application(scope: Scope, _: Receive, send: Send) -> None:
        await send({**START, "headers": headers})
        taken.append(written(writer_of(scope), b"direct"))
        await send({"type": "http.response.body", "body": b"inside"})

    async with server(application) as served, client_of(served.port) as (reader, client):
        client.write(request_line + b"\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        assert b"direct" not in await reader.read()
        assert taken == [False]


async def test_nothing_is_taken_once_the_client_has_gone() -> None:
    gone = asyncio.Event()
    taken: list[bool] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        assert written(writer_of(scope), b"a")
        while (await receive())["type"] != "http.disconnect":
            pass
        taken.append(written(writer_of(scope), b"b"))
        gone.set()

    async with server(application) as served:
        async with client_of(served.port) as (reader, client):
            client.write(GET)
            await reader.readuntil(b"a\r\n")
        await gone.wait()
        assert taken == [False]


async def test_connection_is_closed_if_a_head_does_not_end_in_time() -> None:
    async def answer(writer: DirectWriter, _: Send) -> None:
        assert written(writer, b"a")

    limit = {"code": "LIMIT_EXCEEDED", "limit": 0.5, "setting": "KVS_REQUEST_HEAD_SECONDS_MAX"}
    async with server(answering(answer), head_seconds_max=0.5) as served:
        async with client_of(served.port) as (reader, _):
            assert await reader.read() == b""
        # Sent before the server accepts the connection: the first head ends in time, however slow the machine is.
        async with client_of(served.port, first=GET + GET[:-2]) as (reader, _):
            assert await chunks(reader) == [b"a"]
            assert refused(await reader.read()) == (408, limit)


POST = b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 6\r\n\r\n"


async def reading(_: Scope, receive: Receive, send: Send) -> None:
    """Answer once the body has ended."""
    while (message := await receive()).get("more_body"):
        pass
    if message["type"] == "http.request":
        await send(START)
        await send(END)


@pytest.mark.parametrize("begun", [b"", b"abc"])
async def test_request_whose_body_does_not_end_in_time_is_refused(begun: bytes) -> None:
    async with server(reading, body_seconds_max=0.5) as served, client_of(served.port) as (reader, client):
        client.write(POST + begun)
        limit = {"code": "LIMIT_EXCEEDED", "limit": 0.5, "setting": "KVS_REQUEST_BODY_SECONDS_MAX"}
        assert refused(await reader.read()) == (408, limit)


async def test_later_request_whose_body_does_not_end_in_time_is_refused() -> None:
    began = asyncio.Event()

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        began.set()
        await reading(scope, receive, send)

    # Enough for a slow machine to send the first body in time.
    async with server(application, body_seconds_max=3) as served, client_of(served.port) as (reader, client):
        client.write(POST + b"abc")
        await began.wait()
        client.write(b"def")
        assert await chunks(reader) == []
        client.write(POST)
        limit = {"code": "LIMIT_EXCEEDED", "limit": 3, "setting": "KVS_REQUEST_BODY_SECONDS_MAX"}
        assert refused(await reader.read()) == (408, limit)


async def test_answer_that_has_begun_is_cut_off_if_the_body_does_not_end_in_time() -> None:
    async def application(_: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send_chunk(send, b"a")
        while (await receive())["type"] != "http.disconnect":
            pass

    async with server(application, body_seconds_max=0.5) as served, client_of(served.port) as (reader, client):
        client.write(POST)
        answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"408" not in answer


async def test_answered_request_may_leave_its_body_unfinished() -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        while scope["path"] == "/waiting" and (await receive())["type"] == "http.request":
            pass
        await send(START)
        await send(END)

    async with server(application, body_seconds_max=0.2) as served, client_of(served.port) as (reader, client):
        client.write(POST)
        assert await chunks(reader) == []
        async with client_of(served.port) as (later_reader, later):
            later.write(POST.replace(b"/", b"/waiting", 1))
            assert (await later_reader.read()).startswith(b"HTTP/1.1 408 ")
        client.write(b"abcdef" + GET)
        assert await chunks(reader) == []


async def test_connection_whose_request_head_does_not_end_is_closed(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    async with serving(
        embedded_broker.bootstrap_servers, embedded_topic, tmp_path, request_head_seconds_max=0.2
    ) as served:
        url = httpx.URL(served.run.url)
        for begun in (b"", b"GET /graphql HT", b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n"):
            reader, writer = await asyncio.open_connection(url.host, url.port)
            writer.write(begun)
            async with asyncio.timeout(SECONDS_MAX):
                assert (await reader.read()).startswith(b"HTTP/1.1 408 " if begun else b"")
            assert reader.at_eof()
            writer.close()
            await writer.wait_closed()


async def test_operation_whose_body_does_not_end_is_refused(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    async with serving(
        embedded_broker.bootstrap_servers, embedded_topic, tmp_path, request_body_seconds_max=1
    ) as served:
        url = httpx.URL(served.run.url)
        for framing in (b"content-length: 100", b"transfer-encoding: chunked"):
            reader, writer = await asyncio.open_connection(url.host, url.port)
            writer.write(
                b"POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
                + framing
                + b"\r\n\r\n"
            )
            async with asyncio.timeout(SECONDS_MAX):
                head, _, body = (await reader.read()).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 408 ")
            assert orjson.loads(body)["errors"][0]["extensions"] == {
                "code": "LIMIT_EXCEEDED",
                "limit": 1,
                "setting": "KVS_REQUEST_BODY_SECONDS_MAX",
            }
            writer.close()
            await writer.wait_closed()


@pytest.fixture
def no_garbage_collection() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_garbage_collection")
async def test_answered_requests_are_freed_without_the_garbage_collector() -> None:
    responses: list[ref[object]] = []

    async def answer(writer: DirectWriter, _: Send) -> None:
        assert isinstance(writer, ref)
        responses.append(writer)
        assert written(writer, b"a")

    async with server(answering(answer)) as served, client_of(served.port) as (reader, client):
        for _ in range(3):
            client.write(GET)
            assert await chunks(reader) == [b"a"]
        # The connection keeps the last one until the next request.
        assert [response() for response in responses[:-1]] == [None, None]
