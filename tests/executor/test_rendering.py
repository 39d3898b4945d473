"""Subscribers receive the same from both back ends, directly or by their own task, shared or not."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from kvs_graphql import budget
from kvs_graphql.access import ANYONE, Access, Grant, Grants, Verb
from kvs_graphql.api import JsonValues, Source, build_schema
from kvs_graphql.api.tables import table_types
from kvs_graphql.budget import Workload
from kvs_graphql.cursor import Cursor
from kvs_graphql.executor import Executor, ExecutorLimits, Payload, PreparedOperation, Request
from kvs_graphql.executor.compiled import Bound
from kvs_graphql.executor.rendering import RenderCache
from kvs_graphql.executor.results import Results
from kvs_graphql.feed import Kind, Update
from kvs_graphql.metrics import Metrics
from kvs_graphql.records import Record
from tests.applications import BUDGET_LIMITS, EXECUTOR_LIMITS, Application, open_application
from tests.deadline import SECONDS_MAX
from tests.executor.subscribers import GraphQLCoreOnly, Subscriber

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
    "subscription($after: Cursor) { updates(after: $after) { kind key entryId cursor entry { value } } }",
    "subscription Named { updates(progress: true) { __typename k: kind e: entryId partition offset timestamp } }",
    """
    subscription($e: Encoding!) { updates(keys: ["a"]) { entry { ...E } cursor } }
    fragment E on Entry { id key(encoding: $e) value json(pointer: "/n") size headers { key value } }
    """,
    "subscription($keys: [String!], $e: Encoding! = HEX) { updates(keys: $keys) { key(encoding: $e) offset } }",
    'subscription { updates(keys: ["a"]) { entry { value history(last: 2) { kind value json size cursor } } } }',
    'subscription($no: Boolean!) { updates(keys: ["a"]) { kind @skip(if: $no) offset } }',
]
_VARIABLES: dict[str, Any] = {"e": "BASE64", "keys": ["a", "b"], "no": True}


def _expected(document: str) -> int:
    """Return how many results a subscription of the document has."""
    keys = [key for key, _ in _CHANGES if '["a"]' not in document or key == b"a"]
    keys = [key for key in keys if "$keys" not in document or key in (b"a", b"b")]
    return len(keys) + ("progress" in document)


@pytest.fixture
async def application(tmp_path: Path) -> AsyncIterator[Application]:
    async with open_application(tmp_path) as application:
        yield application


def with_cache(bytes_max: int) -> ExecutorLimits:
    """The usual limits, with a render cache of that size."""
    return replace(EXECUTOR_LIMITS, render_cache_bytes_max=bytes_max)


async def change(application: Application) -> None:
    """Apply all changes, in two commits."""
    await application.table.change(*_CHANGES[:4])
    await application.table.change(*_CHANGES[4:])


async def test_subscribers_receive_the_same_from_both_back_ends_and_either_way(
    application: Application,
) -> None:
    schema = build_schema()
    executors = [
        GraphQLCoreOnly(schema, with_cache(0), Metrics()),
        *(Executor(schema, with_cache(kept), Metrics()) for kept in (1, _MIB)),
    ]
    subscribers = [
        (Subscriber(room, expected=_expected(document)), executor, document)
        for executor in executors
        for room in (0, 1, 100)
        for document in _DOCUMENTS
    ]
    async with asyncio.timeout(SECONDS_MAX), asyncio.TaskGroup() as tasks:
        for subscriber, executor, document in subscribers:
            tasks.create_task(subscriber.subscribe(application, executor, document, variables=_VARIABLES))
        await application.table.watched_by(len(subscribers))
        await change(application)
    for document in _DOCUMENTS:
        first, *others = [subscriber for subscriber, _, of in subscribers if of == document]
        for other in others:
            assert other.results == first.results, document
    received = [result for subscriber, _, _ in subscribers for result in subscriber.results]
    assert any("errors" in result for result in received), "no result has errors"
    assert sum(subscriber.direct for subscriber, _, _ in subscribers) > 20, "too few results were delivered directly"


async def test_update_is_rendered_once_for_all_who_see_the_same(application: Application) -> None:
    executor = Executor(build_schema(), with_cache(_MIB), Metrics())
    document = "subscription { updates { key } }"
    direct, own_task = [[Subscriber(room, expected=2) for _ in range(5)] for room in (100, 0)]
    async with asyncio.timeout(SECONDS_MAX), asyncio.TaskGroup() as tasks:
        for subscriber in (*direct, *own_task):
            tasks.create_task(subscriber.subscribe(application, executor, document))
        await application.table.watched_by(10)
        await application.table.change((b"a", b"1"), (b"b", b"2"))
    for group in (direct, own_task):
        for number in range(2):
            payloads = [subscriber.payloads[number] for subscriber in group]
            assert all(payload is payloads[0] for payload in payloads)


async def test_one_rendering_is_counted_for_a_thousand_principals_with_equal_grants(application: Application) -> None:
    metrics = Metrics()
    executor = Executor(build_schema(), with_cache(_MIB), metrics)
    document = "subscription { updates { key entry { value } } }"
    subscribers = [Subscriber(100, expected=2) for _ in range(1_000)]
    async with asyncio.timeout(SECONDS_MAX), asyncio.TaskGroup() as tasks:
        for number, subscriber in enumerate(subscribers):
            # Objects of their own, as each principal's token makes them.
            access = Access(f"user-{number}", Grants(frozenset({Grant(Verb.READ)})))
            tasks.create_task(subscriber.subscribe(application, executor, document, access=access))
        await application.table.watched_by(len(subscribers))
        await application.table.change((b"a", b"1"), (b"b", b"2"))
    assert all(len(subscriber.payloads) == 2 for subscriber in subscribers)
    assert b"\nkvs_renderings_total 2.0\n" in metrics.render()


async def no_pages(_: object) -> AsyncGenerator[list[Update], None]:
    """A source without events."""
    yield []


async def test_rendering_that_nobody_waits_for_any_more_is_never_that_of_another_update(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An update that is made where one was before has its identity."""
    monkeypatch.setattr(budget, "TURN_SECONDS", 0.0)
    large, cursor, metrics = b"[" + b"0," * 300_000 + b"7]", Cursor(bytes(16), (1,)), Metrics()
    executor, values = Executor(build_schema(), EXECUTOR_LIMITS, metrics), JsonValues(10**6)
    prepared = executor.prepare(Request('subscription { updates { key entry { json(pointer: "/300000") } } }'))
    assert isinstance(prepared, PreparedOperation)
    assert prepared.compiled is not None
    update_of = table_types("").update_of
    source: Source[Update] = Source(
        no_pages, lambda update: update_of(update, values), lambda _: (1, len(large)), updates=True
    )
    results = Results(Workload(BUDGET_LIMITS), metrics)
    renderer = RenderCache(_MIB).renderer(prepared.compiled, Bound({}, None), ANYONE, source, results, with_token=False)

    def updated(key: bytes) -> Update:
        return Update(Kind.SET, cursor, Record(key, large, 0, 0, 0, None))

    first = updated(b"first")
    identity = id(first)
    rendering = asyncio.create_task(renderer.render(first))
    del first
    await asyncio.sleep(0)
    rendering.cancel()
    with suppress(asyncio.CancelledError):
        await rendering
    del rendering
    # Many more rounds of the event loop than the rendering takes.
    for _ in range(1_000):
        await asyncio.sleep(0)
        made = [updated(b"second") for _ in range(20)]
        second = next((one for one in made if id(one) == identity), made[0])
        if id(second) == identity:
            break
    payload = await renderer.render(second)
    assert orjson.loads(payload.result) == {"data": {"updates": {"key": "second", "entry": {"json": 7}}}}


async def test_only_sinks_that_carry_cursors_get_them(application: Application) -> None:
    executor = Executor(build_schema(), with_cache(_MIB), Metrics())
    document = "subscription { updates { cursor } }"
    subscribers = [Subscriber(100, with_token=token, expected=1) for token in (False, True)]
    async with asyncio.timeout(SECONDS_MAX), asyncio.TaskGroup() as tasks:
        for subscriber in subscribers:
            tasks.create_task(subscriber.subscribe(application, executor, document))
        await application.table.watched_by(2)
        await application.table.change((b"a", b"1"))
    plain, with_token = [subscriber.payloads[0] for subscriber in subscribers]
    assert plain.token is None
    assert with_token.token == subscribers[1].results[0]["data"]["updates"]["cursor"].encode()


def test_cache_keeps_the_newest_payloads_within_its_bytes() -> None:
    # Each payload counts a kibibyte more than it has.
    cache, renderer = RenderCache(bytes_max=3_000), object()
    updates = [Update(Kind.LIVE, Cursor(bytes(16), (number,))) for number in range(4)]
    for update in updates:
        cache.keep(renderer, update, Payload(bytes(400)))
    assert [cache.get(renderer, update) is not None for update in updates] == [False, False, True, True]
    assert cache.get(object(), updates[3]) is None
    cache.keep(renderer, updates[0], Payload(bytes(2_000)))
    assert cache.get(renderer, updates[0]) is None, "larger than the whole cache"
    assert cache.get(renderer, updates[3]) is not None
