"""Event streams: ids are cursors, so that a browser's own EventSource resumes where it was cut off; and heartbeats."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from httpx_sse import EventSource, ServerSentEvent

from kvs_graphql.demo.broker import EmbeddedBroker
from tests.deadline import NEVER_SECONDS, SECONDS_MAX
from tests.plain import NO_TLS
from tests.runtime.servers import connected
from tests.serving import Served, serving, serving_topic, write
from tests.transports import MULTIPART_ACCEPT

_SNAPSHOT = "subscription { updates(snapshot: true) { kind key cursor } }"


@asynccontextmanager
async def events(
    served: Served, document: str, last_event_id: str = ""
) -> AsyncIterator[AsyncIterator[ServerSentEvent]]:
    """Request a stream as an EventSource does: by GET, with the last id it saw."""
    headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last_event_id} if last_event_id else {})
    async with (
        asyncio.timeout(SECONDS_MAX),
        httpx.AsyncClient(base_url=served.run.url, verify=NO_TLS, timeout=SECONDS_MAX) as http,
        http.stream("GET", "/graphql", params={"query": served.named(document)}, headers=headers) as response,
    ):
        assert response.status_code == 200
        yield EventSource(response).aiter_sse()


def kind_and_key(event: ServerSentEvent) -> tuple[str, str | None]:
    update = orjson.loads(event.data)["data"]["updates"]
    return update["kind"], update["key"]


@pytest.fixture
async def served(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path, table: str
) -> AsyncIterator[Served]:
    async with serving(embedded_broker.bootstrap_servers, embedded_topic, tmp_path, table=table) as served:
        await served.applied(
            await write(embedded_broker.bootstrap_servers, embedded_topic, [(b"a", b"1"), (b"b", b"2"), (b"c", b"3")])
        )
        yield served


async def test_event_has_its_cursor_as_id(served: Served) -> None:
    async with events(served, _SNAPSHOT) as stream:
        for _ in range(4):
            event = await anext(stream)
            payload = orjson.loads(event.data)
            assert event.id == payload["data"]["updates"]["cursor"]
            assert "extensions" not in payload


async def test_reconnect_resumes_after_the_last_event(
    served: Served, embedded_broker: EmbeddedBroker, embedded_topic: str
) -> None:
    seen = []
    async with events(served, _SNAPSHOT) as stream:
        first = await anext(stream)
        seen.append(kind_and_key(first))
    async with events(served, _SNAPSHOT, first.id) as stream:
        seen += [kind_and_key(await anext(stream)) for _ in range(3)]
        assert sorted(key for _, key in seen if key) == ["a", "b", "c"]
        assert seen[-1] == ("LIVE", None)
        await write(embedded_broker.bootstrap_servers, embedded_topic, [(b"a", None)])
        assert kind_and_key(await anext(stream)) == ("DELETE", "a")


async def test_stream_that_ended_is_not_resumed(served: Served) -> None:
    refused = "subscription { updates(keys: []) { kind } }"
    async with events(served, refused) as stream:
        error = await anext(stream)
        assert orjson.loads(error.data)["errors"][0]["extensions"]["code"] == "BAD_INPUT"
        end = await anext(stream)
        assert (end.event, end.id) == ("complete", "end")
    headers = {"Accept": "text/event-stream", "Last-Event-ID": end.id}
    answer = await served.http.get("/graphql", params={"query": served.named(refused)}, headers=headers)
    assert answer.status_code == 204


async def test_stopping_service_cuts_the_stream_off_without_completing_it(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path, table: str
) -> None:
    servers = embedded_broker.bootstrap_servers
    async with serving(servers, embedded_topic, tmp_path, table=table) as served:
        await served.applied(await write(servers, embedded_topic, [(b"a", b"1")]))
        async with events(served, _SNAPSHOT) as stream:
            assert kind_and_key(await anext(stream)) == ("SNAPSHOT", "a")
            live = await anext(stream)
            served.run.stop()
            assert [event async for event in stream] == []
    written = await write(servers, embedded_topic, [(b"b", b"2")])
    async with serving(servers, embedded_topic, tmp_path, table=table) as served:
        await served.applied(written)
        async with events(served, _SNAPSHOT, live.id) as stream:
            assert kind_and_key(await anext(stream)) == ("SET", "b")


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("text/event-stream", "text/event-stream"),
        (MULTIPART_ACCEPT, "multipart/mixed;boundary=graphql;subscriptionSpec=1.0"),
    ],
)
async def test_stream_is_neither_cached_nor_buffered_on_its_way(served: Served, accept: str, content_type: str) -> None:
    request = {"query": served.named("subscription { updates(keys: []) { kind } }")}
    answer = await served.http.post("/graphql", json=request, headers={"accept": accept})
    assert answer.headers["content-type"] == content_type
    assert (answer.headers["cache-control"], answer.headers["x-accel-buffering"]) == ("no-cache, no-transform", "no")


async def test_lines_of_an_event_stream_end_with_a_line_feed_alone(
    embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    """Readers of some clients split at line feeds only, and then see no event where carriage returns precede them."""
    async with (
        asyncio.timeout(SECONDS_MAX),
        serving_topic(embedded_broker, tmp_path, (b"a", b"1"), ping_seconds=0.05) as topic,
        topic.served.http.stream(
            "GET",
            "/graphql",
            params={"query": "subscription { updates(snapshot: true) { key } }"},
            headers={"accept": "text/event-stream"},
        ) as response,
    ):
        received = b""
        async for chunk in response.aiter_raw():
            received += chunk
            if b": ping" in received and received.endswith(b"\n\n"):
                break
    assert b'\nevent: next\ndata: {"data":{"updates":{"key":"a"}}}\n\n' in received
    assert b"\r" not in received


async def test_event_stream_has_comments_as_heartbeats(embedded_broker: EmbeddedBroker, tmp_path: Path) -> None:
    async with (
        asyncio.timeout(SECONDS_MAX),
        serving_topic(embedded_broker, tmp_path, ping_seconds=0.05) as topic,
        topic.served.http.stream(
            "GET",
            "/graphql",
            params={"query": "subscription { updates { key } }"},
            headers={"accept": "text/event-stream"},
        ) as response,
    ):
        lines = response.aiter_lines()
        assert [await anext(lines) for _ in range(4)] == [": ping", "", ": ping", ""]


@pytest.mark.parametrize("accept", ["text/event-stream", MULTIPART_ACCEPT])
async def test_results_that_wait_for_clients_count_as_unread_whatever_they_read_before(
    embedded_broker: EmbeddedBroker, tmp_path: Path, accept: str
) -> None:
    """The first result fills the buffers, and is small; those that wait behind it are not."""
    limits: dict[str, Any] = {
        "unread_bytes_max": 3_000_000,
        "slow_client_seconds_max": NEVER_SECONDS,
        "send_buffer_bytes_max": 4_096,
    }
    document = 'subscription { updates(keys: ["small", "large"], snapshot: true) { entry { a: value b: value } } }'
    body, records = orjson.dumps({"query": document}), [(b"small", b"x" * 200_000), (b"large", b"x" * 900_000)]
    head = f"POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\naccept: {accept}\r\n"
    request = f"{head}content-length: {len(body)}\r\n\r\n".encode() + body
    async with serving_topic(embedded_broker, tmp_path, *records, **limits) as topic, asyncio.timeout(SECONDS_MAX):
        port = httpx.URL(topic.served.run.url).port
        assert port is not None
        with ExitStack() as stack:
            for _ in range(3):
                client = stack.enter_context(connected(port, receive_buffer_bytes=4_096))
                await asyncio.get_running_loop().sock_sendall(client, request)
            # There is room for one of them.
            while (dropped := await _dropped(topic.served)) < 2:
                pass
            assert dropped == 2


async def _dropped(served: Served) -> int:
    """How many clients were disconnected for what they do not read."""
    found = re.search(
        r'kvs_clients_disconnected_total\{reason="unread"\} (\d+)', (await served.http.get("/metrics")).text
    )
    return int(found[1]) if found else 0
