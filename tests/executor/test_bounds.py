"""What the executor keeps for later requests is bounded in memory, whatever clients send."""

import asyncio
import tracemalloc
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from kvs_graphql.access import ANYONE
from kvs_graphql.api import Connection, build_schema
from kvs_graphql.cursor import Cursor
from kvs_graphql.executor import Executor, PreparedOperation, Request
from kvs_graphql.executor.rendering import Payload, RenderCache
from kvs_graphql.feed import Kind, Update
from kvs_graphql.metrics import Metrics
from kvs_graphql.records import Record
from tests.applications import EXECUTOR_LIMITS, TOPIC_ID, open_application
from tests.deadline import SECONDS_MAX
from tests.executor.subscribers import Subscriber

_KIB, _MIB = 2**10, 2**20
_POINTER = 'query ($pointer: String!) { value(key: "key") { json(pointer: $pointer) } }'


async def test_variables_of_past_requests_are_not_kept(tmp_path: Path) -> None:
    async with open_application(tmp_path, [Record(b"key", b'{"a": 1}', 0, 0, 1, None)]) as application:
        prepared = application.executor.prepare(Request(_POINTER))
        assert isinstance(prepared, PreparedOperation)
        connection = Connection(application.table.catalog, ANYONE, "http", application.metrics, nullcontext)
        tracemalloc.start()
        try:
            for number in range(60):
                pointer = f"/{number}" + "x" * 100 * _KIB
                await application.executor.execute(prepared, {"pointer": pointer}, connection)
            kept, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert kept < 2 * _MIB


def test_prepared_documents_take_a_bounded_amount_of_memory() -> None:
    executor = Executor(build_schema(), EXECUTOR_LIMITS, Metrics())

    def document(number: int) -> Request:
        return Request(f"# {number} {'x' * 10 * _KIB}\n{{ status {{ ready }} }}")

    first = executor.prepare(document(0))
    assert executor.prepare(document(0)) is first, "a document that is used again is kept"
    characters = len(document(0).query or "")
    for number in range(1, _MIB // characters):
        executor.prepare(document(number))
    assert executor.prepare(document(0)) is not first, "a megabyte of documents later"


def test_kept_renderings_count_with_the_records_that_they_keep_alive() -> None:
    def kept(cache: RenderCache, value: bytes) -> int:
        updates = [
            Update(Kind.SET, Cursor(TOPIC_ID, (n + 1,)), Record(b"key", value, 0, n, 1, None)) for n in range(1_000)
        ]
        for update in updates:
            cache.keep(self, update, Payload(b'{"data":{"updates":{"kind":"SET"}}}'))
        return sum(cache.get(self, update) is not None for update in updates)

    self = object()
    assert 0 < kept(RenderCache(_MIB), b"") <= 1_024
    assert 0 < kept(RenderCache(_MIB), b"v" * 100 * _KIB) <= 10
    assert kept(RenderCache(_KIB), b"v" * 100 * _KIB) == 0


class Forgetful(Subscriber):
    """Keeps nothing of what it receives."""

    def _receive(self, payload: Payload) -> None:
        self.results.append(len(payload.result))


async def test_subscriptions_that_select_differently_keep_no_large_update_each(tmp_path: Path) -> None:
    """What each of them rendered last is in the cache, which is bounded."""
    subscribers = [Forgetful(room=1) for _ in range(80)]
    executor = Executor(build_schema(), replace(EXECUTOR_LIMITS, render_cache_bytes_max=_MIB), Metrics())
    async with open_application(tmp_path) as application, asyncio.timeout(SECONDS_MAX), asyncio.TaskGroup() as tasks:
        for number, subscriber in enumerate(subscribers):
            document = f'subscription {{ updates(keys: ["{number}"]) {{ entry {{ v{number}: value }} }} }}'
            tasks.create_task(subscriber.subscribe(application, executor, document))
        await application.table.watched_by(len(subscribers))
        tracemalloc.start()
        try:
            for number, subscriber in enumerate(subscribers):
                await application.table.change((b"%d" % number, b"v" * 60 * _KIB))
                while not subscriber.results:  # noqa: ASYNC110 - a sink has no event for it
                    await asyncio.sleep(0)
            kept, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        for subscriber in subscribers:
            subscriber.complete.set()
    assert all(subscriber.direct for subscriber in subscribers)
    # The table's feed holds 5 MiB of values, and the cache one more.
    assert kept < 8 * _MIB
