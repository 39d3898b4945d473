"""What subscribers receive: the same compiled as by graphql-core, directly and by their own task, shared or not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from kvs_graphql.access import ANYONE, Access
from kvs_graphql.api import Connection, build_schema
from kvs_graphql.executor import Executor, Payload, PreparedOperation, Refusal, Request
from kvs_graphql.metrics import Metrics
from kvs_graphql.service import Flush
from tests.applications import DOCUMENT_LIMITS, Application, open_application

_SECONDS_MAX = 20
_MIB = 2**20
_CHANGES: list[tuple[bytes, bytes | None]] = [
    (b"a", b'{"n": 1}'),
    (b"b", b"1"),
    (b"a", b"\xff not utf-8"),
    (b"a", None),
    (b"\xff", b"2"),
    (b"a", b"end"),
]
_DOCUMENTS = [
    "subscription($after: Cursor) { updates(after: $after) { kind key cursor entry { value } } }",
    "subscription Named { updates(progress: true) { __typename k: kind partition offset timestamp } }",
    """
    subscription($e: Encoding!) { updates(keys: ["a"]) { entry { ...E } cursor } }
    fragment E on Entry { id key(encoding: $e) value json(pointer: "/n") size headers { key value } }
    """,
    "subscription($keys: [String!], $e: Encoding! = HEX) { updates(keys: $keys) { key(encoding: $e) offset } }",
    'subscription { updates(keys: ["a"]) { entry { value history(last: 2) { kind } } } }',
    'subscription($no: Boolean!) { updates(keys: ["a"]) { kind @skip(if: $no) offset } }',
]
_VARIABLES: dict[str, Any] = {"e": "BASE64", "keys": ["a", "b"], "no": True}


class GraphQLCoreOnly(Executor):
    """Compiles nothing."""

    def prepare(self, request: Request) -> PreparedOperation | Refusal:
        prepared = super().prepare(request)
        return replace(prepared, compiled=None) if isinstance(prepared, PreparedOperation) else prepared


@dataclass
class Subscriber:
    """A sink without a transport; `room` says how many results it takes directly."""

    room: int = 0
    with_token: bool = False
    expected: int = 0
    results: list[Any] = field(default_factory=list)
    payloads: list[Payload] = field(default_factory=list)
    direct: int = 0
    complete: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, payload: Payload) -> Flush | None:
        if self.direct >= self.room:
            return None
        self.direct += 1
        self._receive(payload)
        return lambda: None

    async def send(self, payload: Payload) -> None:
        self._receive(payload)

    def _receive(self, payload: Payload) -> None:
        self.payloads.append(payload)
        self.results.append(orjson.loads(payload.result))
        if len(self.results) == self.expected:
            self.complete.set()

    async def subscribe(
        self, application: Application, executor: Executor, document: str, access: Access = ANYONE
    ) -> None:
        """Subscribe until as many results came as are expected."""
        self.expected = self.expected or _expected(document)
        connection = Connection(application.table.service, access, "websocket", application.metrics, nullcontext)
        prepared = executor.prepare(Request(document, _VARIABLES))
        assert isinstance(prepared, PreparedOperation)
        streaming = asyncio.create_task(executor.stream(prepared, _VARIABLES, connection, self))
        try:
            await self.complete.wait()
        finally:
            streaming.cancel()
            await asyncio.wait([streaming])


def _expected(document: str) -> int:
    keys = [key for key, _ in _CHANGES if "keys: [" not in document or key == b"a"]
    keys = [key for key in keys if "$keys" not in document or key in (b"a", b"b")]
    return len(keys) + ("progress" in document)


@pytest.fixture
async def application(tmp_path: Path) -> AsyncIterator[Application]:
    async with open_application(tmp_path) as application:
        yield application


async def change(application: Application) -> None:
    """All changes, in two commits."""
    await application.table.change(*_CHANGES[:4])
    await application.table.change(*_CHANGES[4:])


async def test_subscribers_receive_the_same_from_both_back_ends_however_it_reaches_them(
    application: Application,
) -> None:
    schema = build_schema()
    executors = [
        GraphQLCoreOnly(schema, DOCUMENT_LIMITS, Metrics(), render_cache_bytes_max=0),
        *(Executor(schema, DOCUMENT_LIMITS, Metrics(), render_cache_bytes_max=kept) for kept in (1, _MIB)),
    ]
    subscribers = [
        (Subscriber(room), executor, document)
        for executor in executors
        for room in (0, 1, 100)
        for document in _DOCUMENTS
    ]
    async with asyncio.timeout(_SECONDS_MAX), asyncio.TaskGroup() as tasks:
        for subscriber, executor, document in subscribers:
            tasks.create_task(subscriber.subscribe(application, executor, document))
        await application.table.watched_by(len(subscribers))
        await change(application)
    for document in _DOCUMENTS:
        first, *others = [subscriber for subscriber, _, of in subscribers if of == document]
        for other in others:
            assert other.results == first.results, document
    received = [result for subscriber, _, _ in subscribers for result in subscriber.results]
    assert any("errors" in result for result in received), "a value that is not UTF-8 is among them"
    assert sum(subscriber.direct for subscriber, _, _ in subscribers) > 20, "direct delivery takes part"


async def test_an_update_is_rendered_once_for_all_who_see_the_same(application: Application) -> None:
    executor = Executor(build_schema(), DOCUMENT_LIMITS, Metrics(), render_cache_bytes_max=_MIB)
    document = "subscription { updates { key } }"
    direct, own_task = [[Subscriber(room, expected=2) for _ in range(5)] for room in (100, 0)]
    async with asyncio.timeout(_SECONDS_MAX), asyncio.TaskGroup() as tasks:
        for subscriber in (*direct, *own_task):
            tasks.create_task(subscriber.subscribe(application, executor, document))
        await application.table.watched_by(10)
        await application.table.change((b"a", b"1"), (b"b", b"2"))
    for group in (direct, own_task):
        for number in range(2):
            payloads = [subscriber.payloads[number] for subscriber in group]
            assert all(payload is payloads[0] for payload in payloads)


async def test_only_sinks_that_ask_for_it_get_the_cursor_of_an_event(application: Application) -> None:
    executor = Executor(build_schema(), DOCUMENT_LIMITS, Metrics(), render_cache_bytes_max=_MIB)
    document = "subscription { updates { cursor } }"
    subscribers = [Subscriber(100, with_token=token, expected=1) for token in (False, True)]
    async with asyncio.timeout(_SECONDS_MAX), asyncio.TaskGroup() as tasks:
        for subscriber in subscribers:
            tasks.create_task(subscriber.subscribe(application, executor, document))
        await application.table.watched_by(2)
        await application.table.change((b"a", b"1"))
    plain, with_token = [subscriber.payloads[0] for subscriber in subscribers]
    assert plain.token is None
    assert with_token.token == subscribers[1].results[0]["data"]["updates"]["cursor"].encode()
