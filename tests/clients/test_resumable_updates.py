"""`resumableUpdates` over the real clients: whatever happens to the connection, each change is told once."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.state import State
from tests.clients.node import Event, Node, NodeSubscription
from tests.clients.numbers import assert_whole, numbers
from tests.clients.proxy import line_to
from tests.serving import Served, serving, write
from tests.transports import until_active

pytestmark = [
    pytest.mark.node,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.parametrize("kind", ["graphql-ws", "graphql-sse"]),
]

WATCH = """
subscription Watch($prefix: String, $keys: [String!], $after: Cursor, $snapshot: Boolean! = false) {
  updates(prefix: $prefix, keys: $keys, after: $after, snapshot: $snapshot, progress: true) {
    kind key cursor entry { value }
  }
}
"""
SECONDS_MAX = 30.0


class Told:
    """What a resumable subscription was told so far."""

    def __init__(self, subscription: NodeSubscription) -> None:
        self._subscription = subscription
        self.states: list[str] = []
        self.updates: list[dict[str, Any]] = []

    @property
    def kinds(self) -> set[str]:
        return {update["kind"] for update in self.updates}

    @property
    def numbers(self) -> list[int]:
        return [int(update["entry"]["value"]) for update in self.updates if update["entry"]]

    async def until_is(self, state: str) -> None:
        while self.states[-1:] != [state]:
            await self._take()

    async def until_has(self, changes: int) -> None:
        """Take what comes, until so many changes did in all."""
        while len(self.numbers) < changes:
            await self._take()

    async def until_told(self, kind: str) -> None:
        while kind not in self.kinds:
            await self._take()

    async def _take(self) -> None:
        event = await self._subscription.event()
        if event.name == "state":
            self.states.append(event.told)
        else:
            assert event.name == "next", event
            self.updates.append(event.told["data"]["updates"])


@dataclass(frozen=True)
class Shared:
    """A service for all tests here, each of which has a prefix of its own."""

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


@asynccontextmanager
async def watching(node: Node, kind: str, url: str, prefix: str, **options: Any) -> AsyncIterator[Told]:
    """A resumable subscription, with a snapshot, by a client with those options."""
    async with (
        node.client(kind, url, **options) as client,
        client.subscribed(WATCH, resumable=True, prefix=prefix, snapshot=True) as subscription,
    ):
        yield Told(subscription)


@pytest.mark.parametrize("database", ["same", "another"])
async def test_over_a_restart_no_change_is_lost_or_told_twice(
    node: Node, kind: str, embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path, database: str
) -> None:
    servers, topic = embedded_broker.bootstrap_servers, embedded_topic
    first, second = tmp_path / "same", tmp_path / database
    for directory in {first, second}:
        directory.mkdir()
    async with asyncio.timeout(SECONDS_MAX), AsyncExitStack() as clients:
        async with serving(servers, topic, first) as served:
            await served.state(State.LIVE)
            url = served.run.url
            told = await clients.enter_async_context(watching(node, kind, url, "n/", retryAttempts=0))
            await told.until_is("live")
            n = await clients.enter_async_context(numbers(servers, topic, "n/"))
            await told.until_has(40)
        await told.until_is("reconnecting")
        await n.more(40)
        async with serving(servers, topic, second, port=int(url.rpartition(":")[2])):
            await told.until_is("live")
            await n.more(40)
            await told.until_has(await n.stop())
            await clients.aclose()
    assert_whole(told.numbers, n.written)
    assert told.kinds == {"LIVE", "SET"}
    assert told.states == ["connecting", "live", "reconnecting", "live"]


@pytest.mark.parametrize("retries", [0, 5], ids=["without own retries", "with own retries"])
async def test_cut_off_in_the_middle_of_messages_it_goes_on_behind_the_last_whole_one(
    node: Node, kind: str, shared: Shared, prefix: str, retries: int
) -> None:
    async with (
        asyncio.timeout(SECONDS_MAX),
        line_to(shared.url, cut_after_bytes=[1_500, 5_000, 2_500]) as line,
        watching(node, kind, line.url, prefix, retryAttempts=retries) as told,
    ):
        await told.until_is("live")
        async with numbers(shared.servers, shared.topic, prefix) as n:
            await told.until_has(80)
        await told.until_has(n.written)
    assert_whole(told.numbers, n.written)
    assert line.connections == 4


async def test_a_snapshot_that_was_cut_off_goes_on_where_it_stopped(
    node: Node, kind: str, shared: Shared, prefix: str
) -> None:
    await shared.write(*((f"{prefix}{number}".encode(), b"%d" % number) for number in range(100)))
    async with (
        asyncio.timeout(SECONDS_MAX),
        line_to(shared.url, cut_after_bytes=[5_000, 9_000]) as line,
        watching(node, kind, line.url, prefix, retryAttempts=0) as told,
    ):
        await told.until_told("LIVE")
    assert sorted(told.numbers) == list(range(100))
    assert "RESET" not in told.kinds
    assert line.connections == 3


async def test_a_line_that_went_dead_without_a_word_is_given_up(
    node: Node, kind: str, shared: Shared, prefix: str
) -> None:
    async with (
        asyncio.timeout(SECONDS_MAX),
        line_to(shared.url) as line,
        watching(node, kind, line.url, prefix, retryAttempts=0, keepAlive=200, silenceMsMax=1_000) as told,
    ):
        await told.until_is("live")
        line.go_dead()
        await shared.write((prefix.encode(), b"0"))
        await told.until_has(1)
    assert told.states == ["connecting", "live", "reconnecting", "live"]


async def test_a_service_that_is_not_there_yet_is_waited_for(
    node: Node, kind: str, embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    async with asyncio.timeout(SECONDS_MAX), AsyncExitStack() as clients:
        url = f"http://127.0.0.1:{port}"
        told = await clients.enter_async_context(watching(node, kind, url, "", retryAttempts=0))
        await told.until_is("connecting")
        async with serving(embedded_broker.bootstrap_servers, embedded_topic, tmp_path, port=port):
            await told.until_is("live")
            await clients.aclose()
    assert told.states == ["connecting", "live"]


@pytest.mark.parametrize(
    ("document", "variables", "code"),
    [
        (WATCH, {"after": "garbled"}, "BAD_CURSOR"),
        (WATCH, {"keys": []}, "BAD_INPUT"),
        ("subscription { updates { cursor nothing } }", {}, "GRAPHQL_VALIDATION_FAILED"),
    ],
    ids=["cursor", "keys", "document"],
)
async def test_an_error_that_would_come_again_ends_it_and_nothing_else(
    node: Node, kind: str, shared: Shared, document: str, variables: dict[str, Any], code: str
) -> None:
    before = await answered_with(shared, code)
    async with (
        node.client(kind, shared.url, retryAttempts=0) as client,
        client.subscribed(WATCH, resumable=True) as good,
        client.subscribed(document, resumable=True, **variables) as bad,
    ):
        assert [await good.event(), (await good.event()).told] == [Event("state", "connecting"), "live"]
        assert await bad.event() == Event("state", "connecting")
        ended = await bad.event()
        assert [ended.name, *(error["extensions"]["code"] for error in ended.told)] == ["error", code]
        await bad.unsubscribe()
        await until_active(shared.served.http, 1)
        assert bad.events.empty()
        assert await answered_with(shared, code) == before + 1


async def answered_with(shared: Shared, code: str) -> float:
    """How many errors with that code there were."""
    metrics = (await shared.served.http.get("/metrics")).text
    found = re.search(rf'^kvs_errors_total{{code="{code}"}} (.*)$', metrics, re.MULTILINE)
    return 0 if found is None else float(found[1])


async def test_a_document_without_a_cursor_is_an_error_at_once(node: Node, kind: str, shared: Shared) -> None:
    async with (
        node.client(kind, shared.url) as client,
        client.subscribed("subscription { updates(progress: true) { kind } }", resumable=True) as subscription,
    ):
        assert await subscription.event() == Event("state", "connecting")
        ended = await subscription.event()
        assert (ended.name, ended.told["name"]) == ("error", "TypeError")
        await until_active(shared.served.http, 0)


async def test_unsubscribing_tells_the_service_and_completes_once(node: Node, kind: str, shared: Shared) -> None:
    async with (
        node.client(kind, shared.url) as client,
        client.subscribed(WATCH, resumable=True) as stays,
        client.subscribed(WATCH, resumable=True) as goes,
    ):
        await until_active(shared.served.http, 2)
        assert [(await goes.event()).name for _ in range(3)] == ["state", "state", "next"]
        for _ in range(2):
            await goes.unsubscribe()
        assert (await goes.event()).name == "complete"
        await until_active(shared.served.http, 1)
        assert goes.events.empty()
        assert [(await stays.event()).name for _ in range(3)] == ["state", "state", "next"]
