"""What open subscriptions keep of their requests is bounded over all of them, each document once."""

import asyncio
import gc
import tracemalloc
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from kvs_graphql.demo.broker import EmbeddedBroker
from tests.applications import LIMITS, open_application
from tests.serving import Served, ServedTopic, serving_topic
from tests.transports import (
    MULTIPART,
    SINGLE_CONNECTION,
    SSE,
    WEBSOCKET,
    Transport,
    open_socket,
    receive,
    subscribe,
    until_active,
)
from tests.web.calls import app_of, leaving, streaming_scope, subscribing
from tests.web.calls import open_socket as open_called

pytestmark = pytest.mark.asyncio(loop_scope="module")

ARGUMENTS = {"code": "LIMIT_EXCEEDED", "limit": 1, "setting": "KVS_SUBSCRIPTION_ARGUMENTS_BYTES_MAX"}
SILENT = "subscription ($keys: [String!]) { updates(keys: $keys) { kind } }"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def topic(
    embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory, table: str
) -> AsyncIterator[ServedTopic]:
    limits: dict[str, Any] = {"subscription_arguments_bytes_max": 1, "table": table}
    async with serving_topic(embedded_broker, tmp_path_factory.mktemp("kept"), (b"a", b"1"), **limits) as topic:
        yield topic


@pytest_asyncio.fixture(loop_scope="module")
async def served(topic: ServedTopic) -> Served:
    await until_active(topic.served.http, 0)
    return topic.served


@pytest.mark.parametrize("transport", [WEBSOCKET, SSE, MULTIPART, SINGLE_CONNECTION])
@pytest.mark.parametrize(
    "document",
    [
        "subscription { updates(progress: true) { kind } }",
        'subscription { value(key: "a") { key } }',
        "subscription { status { ready } }",
    ],
)
async def test_subscription_over_the_budget_is_refused_by_the_name_of_the_setting(
    served: Served, transport: Transport, document: str
) -> None:
    async with transport(served, document) as results:
        (error,) = (await anext(results))["errors"]
        assert error["extensions"] == ARGUMENTS
        assert [result async for result in results] == []
    await until_active(served.http, 0)


async def test_queries_need_none_of_the_budget(served: Served) -> None:
    assert await served.data('{ value(key: "a") { value } }') == {"value": {"value": "1"}}
    async with open_socket(served) as socket:
        await subscribe(socket, "1", served.named('{ value(key: "a") { value } }'))
        assert (await receive(socket))["payload"]["data"] == {"value": {"value": "1"}}


async def test_subscriptions_with_one_document_count_it_once_and_their_keys_each(tmp_path: Path) -> None:
    async with open_application(tmp_path) as application, open_called(app_of(application)) as socket:
        budget, used = application.table.catalog.arguments, list[int]()
        for number in range(1, 6):
            socket.send(type="subscribe", id=str(number), payload={"query": SILENT, "variables": {"keys": ["k" * 50]}})
            await application.table.watched_by(number)
            used.append(budget.used)
        own = used[1] - used[0]
        assert 500 < own < 2_000
        assert [more - less for less, more in pairwise(used)] == [own] * 4
        assert used[0] > own + len(SILENT) * 100
        for number in range(1, 6):
            socket.send(type="complete", id=str(number))
        while budget.used:  # noqa: ASYNC110 - the budget has no event for it
            await asyncio.sleep(0)


@pytest.mark.parametrize("transport", ["websocket", "sse", "multipart"])
@pytest.mark.parametrize("budget", [1, 1_000_000], ids=["refused", "left"])
async def test_subscription_that_ended_leaves_nothing_to_the_garbage_collector(
    tmp_path: Path, transport: str, budget: int
) -> None:
    """What was open for long would wait for a full collection, of which there is hardly ever one."""
    watch = replace(LIMITS.watch, arguments_bytes_max=budget)
    limits = replace(LIMITS, keys_per_request_max=1_000, key_bytes_max=1_000, watch=watch)
    async with open_application(tmp_path, limits=limits) as application:
        app: Any = app_of(application)

        async def subscribe_and_leave(number: int) -> None:
            incoming, refused = asyncio.Queue[dict[str, Any]](), asyncio.Event()

            async def send(message: Any) -> None:
                if str(ARGUMENTS["setting"]) in str(message):
                    refused.set()

            for message in subscribing(transport, SILENT, keys=[f"{number} {n}".ljust(900) for n in range(9)]):
                incoming.put_nowait(message)
            running = asyncio.create_task(app(streaming_scope(transport), incoming.get, send))
            await (refused.wait() if budget == 1 else application.table.watched_by(1))
            incoming.put_nowait(leaving(transport))
            await running

        await subscribe_and_leave(0)
        gc.collect()
        gc.disable()
        tracemalloc.start()
        try:
            for number in range(60):
                await subscribe_and_leave(number)
            held, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
            gc.enable()
    assert held < 250_000, "of 486 KB of keys"
