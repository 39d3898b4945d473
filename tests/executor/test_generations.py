"""Generations of the schema: operations keep the one that prepared them, and the oldest ones end."""

import asyncio
from contextlib import nullcontext
from pathlib import Path

from kvs_graphql.access import ANYONE
from kvs_graphql.api import Connection, build_schema
from kvs_graphql.executor import Executor, Outcome, PreparedOperation, Refusal, Request
from tests.applications import Application, open_application
from tests.executor.subscribers import Subscriber

GENERATIONS_MAX = 3
"""So many are promised to be served at the same time."""
UPDATES = "subscription { updates { kind key } }"


def begin(application: Application, subscriber: Subscriber) -> asyncio.Task[Outcome | Refusal]:
    """Begin a subscription with the generation that is served now."""
    executor: Executor = application.executor
    connection = Connection(application.table.catalog, ANYONE, "websocket", application.metrics, nullcontext)
    prepared = executor.prepare(Request(UPDATES))
    assert isinstance(prepared, PreparedOperation)
    return asyncio.create_task(executor.stream(prepared, None, connection, subscriber))


async def test_subscriptions_go_on_with_their_generation(tmp_path: Path) -> None:
    async with open_application(tmp_path) as application:
        subscriber = Subscriber(room=10, expected=1)
        streaming = begin(application, subscriber)
        await application.table.watched_by(1)
        for _ in range(GENERATIONS_MAX - 1):
            application.executor.serve(build_schema())
        await application.table.change((b"a", b"1"))
        await subscriber.complete.wait()
        streaming.cancel()
    assert [result["data"]["updates"]["kind"] for result in subscriber.results] == ["SET"]


async def test_subscriptions_of_a_generation_too_old_end_and_those_of_others_go_on(tmp_path: Path) -> None:
    async with open_application(tmp_path) as application:
        old = begin(application, Subscriber(room=10))
        await application.table.watched_by(1)
        application.executor.serve(build_schema())
        subscriber = Subscriber(room=10, expected=1)
        newer = begin(application, subscriber)
        await application.table.watched_by(2)
        for _ in range(GENERATIONS_MAX - 1):
            application.executor.serve(build_schema())
        assert await old is Outcome.SUPERSEDED
        await application.table.change((b"a", b"1"))
        await subscriber.complete.wait()
        newer.cancel()


async def test_a_document_is_prepared_by_the_newest_generation(tmp_path: Path) -> None:
    async with open_application(tmp_path) as application:
        refused = await application.query('mutation { set(key: "a", value: "1") { key } }')
        assert refused["errors"][0]["extensions"]["code"] == "WRITES_DISABLED"
        application.executor.serve(build_schema({"": True}))
        prepared = application.executor.prepare(Request('mutation { set(key: "a", value: "1") { key } }'))
    assert isinstance(prepared, PreparedOperation)
