"""Streams of results end with their operation, or with their client."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kvs_graphql.access import ANYONE
from kvs_graphql.api import Connection
from kvs_graphql.executor import ClientGone, Outcome, Payload, PreparedOperation, Refusal, Request
from kvs_graphql.service import Flush
from tests.applications import Application, open_application
from tests.deadline import SECONDS_MAX

UPDATES = "subscription { updates(progress: true) { kind } }"
LIVE_QUERY = 'subscription { value(key: "a") { value } }'
QUERY = '{ value(key: "a") { value } }'


@dataclass
class LeavingClient:
    """A client that leaves after it has received so many results, none of them directly."""

    leaves_after: int
    received: list[bytes] = field(default_factory=list)
    with_token = False

    def take(self, _: Payload) -> Flush | None:
        return None

    async def send(self, payload: Payload) -> None:
        if len(self.received) == self.leaves_after:
            raise ClientGone
        self.received.append(payload.result)


@dataclass
class Slot:
    """The slot of a subscription."""

    taken: int = 0
    returned: int = 0

    @contextmanager
    def __call__(self) -> Iterator[None]:
        self.taken += 1
        try:
            yield
        finally:
            self.returned += 1


@pytest.fixture
async def application(tmp_path: Path) -> AsyncIterator[Application]:
    async with open_application(tmp_path) as application:
        yield application


async def stream(application: Application, document: str, sink: LeavingClient, slot: Slot) -> Outcome | Refusal:
    executor, service = application.executor, application.table.catalog
    prepared = executor.prepare(Request(document))
    assert isinstance(prepared, PreparedOperation)
    connection = Connection(service, ANYONE, "websocket", application.metrics, slot)
    return await executor.stream(prepared, None, connection, sink)


@pytest.mark.parametrize("document", [UPDATES, LIVE_QUERY])
@pytest.mark.parametrize("leaves_after", [0, 1])
async def test_subscription_whose_client_has_gone_leaves_nothing_behind(
    application: Application, document: str, leaves_after: int
) -> None:
    sink, slot = LeavingClient(leaves_after), Slot()
    streaming = asyncio.create_task(stream(application, document, sink, slot))
    async with asyncio.timeout(SECONDS_MAX):
        if leaves_after:
            await application.table.watched_by(1)
            while not sink.received:  # noqa: ASYNC110 - turns of the event loop, not time
                await asyncio.sleep(0)
            await application.table.change((b"a", b"1"))
        with pytest.raises(ClientGone):
            await streaming
    assert len(sink.received) == leaves_after
    assert application.table.feed.watchers == 0
    assert (slot.taken, slot.returned) == (1, 1)
    assert application.counted("kvs_errors_total") == 0


async def test_query_whose_client_has_gone_ends_its_stream(application: Application) -> None:
    with pytest.raises(ClientGone):
        await stream(application, QUERY, LeavingClient(0), Slot())


async def test_error_that_meets_a_client_that_has_gone_ends_its_stream(application: Application) -> None:
    with pytest.raises(ClientGone):
        await stream(application, "subscription { updates(keys: []) { kind } }", LeavingClient(0), Slot())
    assert application.counted("kvs_errors_total", code="BAD_INPUT") == 1


async def test_query_over_a_stream_has_one_result_and_takes_no_slot(application: Application) -> None:
    sink, slot = LeavingClient(9), Slot()
    assert await stream(application, QUERY, sink, slot) is Outcome.COMPLETE
    assert len(sink.received) == 1
    assert slot.taken == 0


@pytest.mark.parametrize("document", [UPDATES, LIVE_QUERY])
async def test_stopping_service_ends_a_subscription_without_a_result(application: Application, document: str) -> None:
    sink, slot = LeavingClient(9), Slot()
    streaming = asyncio.create_task(stream(application, document, sink, slot))
    await application.table.watched_by(1)
    application.table.catalog.close()
    async with asyncio.timeout(SECONDS_MAX):
        assert await streaming is Outcome.STOPPING
    assert all(b'"errors"' not in result for result in sink.received)
    assert slot.returned == 1
