"""`resumableUpdates` with the real clients: each change arrives once, whatever happens to the connection."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.state import State
from tests.clients.node import Event, Node
from tests.clients.numbers import assert_each_once, numbers
from tests.clients.proxy import line_to, refuse_connection
from tests.clients.watching import WATCH, watching
from tests.deadline import SECONDS_MAX
from tests.ports import free_port
from tests.serving import Served, serving, write
from tests.transports import until_active

ON_ONE_CONNECTION = "graphql-sse on one connection"

pytestmark = [
    pytest.mark.node,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.parametrize("kind", ["graphql-ws", "graphql-sse", ON_ONE_CONNECTION]),
]


@dataclass(frozen=True)
class Shared:
    """A service for all tests in this module; each test uses its own prefix."""

    served: Served
    servers: str
    topic: str

    @property
    def url(self) -> str:
        return self.served.run.url

    async def write(self, *records: tuple[bytes, bytes]) -> None:
        await self.served.applied(await write(self.servers, self.topic, records))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shared]:
    servers, topic = embedded_broker.bootstrap_servers, f"topic-{uuid4().hex}"
    embedded_broker.create_topic(topic, 3)
    async with serving(servers, topic, tmp_path_factory.mktemp("shared")) as served:
        await served.state(State.LIVE)
        yield Shared(served, servers, topic)


@pytest.fixture
def prefix() -> str:
    return f"{uuid4().hex}/"


@pytest.mark.parametrize("database", ["same", "another"])
async def test_no_change_is_lost_or_repeated_across_a_restart(
    node: Node, kind: str, embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path, database: str
) -> None:
    servers, topic, port = embedded_broker.bootstrap_servers, embedded_topic, free_port()
    first, second = tmp_path / "same", tmp_path / database
    for directory in {first, second}:
        directory.mkdir()
    async with asyncio.timeout(SECONDS_MAX), AsyncExitStack() as clients:
        async with serving(servers, topic, first, port=port) as served:
            await served.state(State.LIVE)
            watch = watching(node, kind, served.run.url, "n/", retryAttempts=0)
            received = await clients.enter_async_context(watch)
            await received.until_is("live")
            n = await clients.enter_async_context(numbers(servers, topic, "n/"))
            await received.until_has(40)
        await received.until_is("reconnecting")
        await n.more(40)
        async with serving(servers, topic, second, port=port):
            await received.until_is("live")
            await n.more(40)
            await received.until_has(await n.stop())
            await clients.aclose()
    assert_each_once(received.numbers, n.written)
    assert received.kinds == {"LIVE", "SET"}
    assert received.states == ["connecting", "live", "reconnecting", "live"]


@pytest.mark.parametrize("retries", [0, 5], ids=["without client retries", "with client retries"])
async def test_a_connection_cut_within_a_message_resumes_after_the_last_complete_one(
    node: Node, kind: str, shared: Shared, prefix: str, retries: int
) -> None:
    async with (
        asyncio.timeout(SECONDS_MAX),
        line_to(shared.url, cut_after_bytes=[1_500, 5_000, 2_500]) as line,
        watching(node, kind, line.url, prefix, retryAttempts=retries) as received,
    ):
        await received.until_is("live")
        async with numbers(shared.servers, shared.topic, prefix) as n:
            await received.until_has(80)
        await received.until_has(n.written)
    assert_each_once(received.numbers, n.written)
    # Beside the one that carries all, there are those of single requests.
    assert line.connections == 4 or (kind == ON_ONE_CONNECTION and line.connections > 4)


async def test_an_interrupted_snapshot_resumes_where_it_stopped(
    node: Node, kind: str, shared: Shared, prefix: str
) -> None:
    await shared.write(*((f"{prefix}{number}".encode(), b"%d" % number) for number in range(100)))
    async with (
        asyncio.timeout(SECONDS_MAX),
        line_to(shared.url, cut_after_bytes=[5_000, 9_000]) as line,
        watching(node, kind, line.url, prefix, retryAttempts=0) as received,
    ):
        await received.until_kind("LIVE")
    assert sorted(received.numbers) == list(range(100))
    assert "RESET" not in received.kinds
    assert line.connections == 3 or (kind == ON_ONE_CONNECTION and line.connections > 3)


async def test_a_silent_connection_is_replaced(node: Node, kind: str, shared: Shared, prefix: str) -> None:
    async with (
        asyncio.timeout(SECONDS_MAX),
        line_to(shared.url) as line,
        watching(node, kind, line.url, prefix, retryAttempts=0, keepAlive=200, silenceMsMax=1_000) as received,
    ):
        await received.until_is("live")
        line.go_dead()
        await shared.write((prefix.encode(), b"0"))
        await received.until_has(1)
    # On a slow machine the new connection may be silent for too long as well.
    assert received.states[:4] == ["connecting", "live", "reconnecting", "live"]


async def test_a_subscription_waits_for_a_service_that_is_down(
    node: Node, kind: str, embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    port = free_port()
    async with asyncio.timeout(SECONDS_MAX), AsyncExitStack() as clients:
        url = f"http://127.0.0.1:{port}"
        received = await clients.enter_async_context(watching(node, kind, url, "", retryAttempts=0))
        await received.until_is("connecting")
        await refuse_connection(port)
        async with serving(embedded_broker.bootstrap_servers, embedded_topic, tmp_path, port=port):
            await received.until_is("live")
            await clients.aclose()
    assert received.states == ["connecting", "live"]


@pytest.mark.parametrize(
    ("document", "variables", "code"),
    [
        (WATCH, {"after": "garbled"}, "BAD_CURSOR"),
        (WATCH, {"keys": []}, "BAD_INPUT"),
        ("subscription { updates { cursor nothing } }", {}, "GRAPHQL_VALIDATION_FAILED"),
    ],
    ids=["cursor", "keys", "document"],
)
async def test_a_permanent_error_ends_its_subscription_and_no_other(
    node: Node, kind: str, shared: Shared, document: str, variables: dict[str, Any], code: str
) -> None:
    before = await errors_with_code(shared, code)
    async with (
        node.client(kind, shared.url, retryAttempts=0) as client,
        client.subscribed(WATCH, resumable=True) as good,
        client.subscribed(document, resumable=True, **variables) as bad,
    ):
        assert [await good.event(), (await good.event()).payload] == [Event("state", "connecting"), "live"]
        assert await bad.event() == Event("state", "connecting")
        ended = await bad.event()
        assert [ended.name, *(error["extensions"]["code"] for error in ended.payload)] == ["error", code]
        await bad.unsubscribe()
        await until_active(shared.served.http, 1)
        assert bad.events.empty()
        assert await errors_with_code(shared, code) == before + 1


async def errors_with_code(shared: Shared, code: str) -> float:
    """Return how many errors with this code the service has sent."""
    metrics = (await shared.served.http.get("/metrics")).text
    found = re.search(rf'^kvs_errors_total{{code="{code}"}} (.*)$', metrics, re.MULTILINE)
    return 0 if found is None else float(found[1])


async def test_a_document_without_a_cursor_fails_immediately(node: Node, kind: str, shared: Shared) -> None:
    async with (
        node.client(kind, shared.url) as client,
        client.subscribed("subscription { updates(progress: true) { kind } }", resumable=True) as subscription,
    ):
        assert await subscription.event() == Event("state", "connecting")
        ended = await subscription.event()
        assert (ended.name, ended.payload["name"]) == ("error", "TypeError")
        await until_active(shared.served.http, 0)


async def test_unsubscribing_notifies_the_service_and_completes_once(node: Node, kind: str, shared: Shared) -> None:
    async with (
        node.client(kind, shared.url) as client,
        client.subscribed(WATCH, resumable=True) as kept,
        client.subscribed(WATCH, resumable=True) as ended,
    ):
        await until_active(shared.served.http, 2)
        assert [(await ended.event()).name for _ in range(3)] == ["state", "state", "next"]
        for _ in range(2):
            await ended.unsubscribe()
        assert (await ended.event()).name == "complete"
        await until_active(shared.served.http, 1)
        assert ended.events.empty()
        assert [(await kept.event()).name for _ in range(3)] == ["state", "state", "next"]
