"""Errors that nobody expected, made to happen in a service that is broken at one edge: masked, and logged once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from kvs_graphql.api import DocumentLimits, build_schema
from kvs_graphql.cursor import Cursor
from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.feed import Feed
from kvs_graphql.metrics import Metrics
from kvs_graphql.records import Batch, Record
from kvs_graphql.service import Service, ServiceLimits, WatchLimits
from kvs_graphql.state import Lifecycle
from kvs_graphql.store import Query, Snapshot, WindowLimits, open_store
from kvs_graphql.web import PlaceLimits, WebOptions, build_app
from tests.api.test_values import Pair, holding

TOPIC_ID = bytes(range(16))
CAUSE = "swordfish"
DOCUMENT = '{ value(key: "key") { value offset timestamp } }'


@dataclass(frozen=True)
class Opened:
    """An application without a broker, and a client of it."""

    http: httpx.AsyncClient
    metrics: Metrics

    async def post(self, document: str, **headers: str) -> httpx.Response:
        return await self.http.post("/graphql", json={"query": document}, headers=headers)


class UnreadableService(Service):
    async def read(self, *queries: Query[Any]) -> Snapshot:
        raise RuntimeError(CAUSE)


async def _fail(*_: object, **__: object) -> Any:
    raise RuntimeError(CAUSE)


@asynccontextmanager
async def opened(
    directory: Path, *records: Record, service: type[Service] = Service, broken: bool = False
) -> AsyncIterator[Opened]:
    """The application over a table that was filled by hand: what only Kafka or time could bring comes here at once."""
    window = WindowLimits(changes_max=100, bytes_max=10_000, deletes_max=100)
    limits = ServiceLimits(
        keys_per_request_max=10,
        key_bytes_max=100,
        page_entries_max=10,
        wait_seconds_max=1.0,
        interval_seconds_min=0.1,
        value_bytes_max=100,
        watch=WatchLimits(page_max=10, page_bytes_max=10_000, progress_seconds=1.0),
    )
    options = WebOptions(
        graphiql=False,
        cors_origins=(),
        request_bytes_max=10_000,
        connection_init_seconds_max=1.0,
        subscriptions_per_socket_max=1,
        ping_seconds=1.0,
        places=PlaceLimits(per_client_max=1, in_all_max=1),
    )
    metrics = Metrics()
    async with open_store(directory / "kvs.db", window, readers=1) as store:
        await store.begin("topic", TOPIC_ID, (0,))
        await store.apply(Batch((list(records),), (2**40,), 0, 0))
        feed = Feed(Cursor(TOPIC_ID, store.positions), changes_max=10, bytes_max=1_000)
        edge = service("topic", store, feed, Lifecycle(), limits)
        schema = build_schema(DocumentLimits(5, 5, 100))
        if broken:
            schema.execute = _fail  # type: ignore[method-assign]
        app = build_app(schema, edge, metrics, options)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
            shared = asyncio.create_task(edge.run())
            yield Opened(http, metrics)
            shared.cancel()


def only_error(logged: list[EventDict], answer: httpx.Response) -> dict[str, Any]:
    """The one error of the answer, which the log has once, under the same id and with what really happened."""
    (error,) = answer.json()["errors"]
    (line,) = [line for line in logged if line["log_level"] == "error"]
    assert line["id"] == error["extensions"]["id"]
    assert str(line["exc_info"]) == CAUSE
    assert CAUSE not in answer.text
    assert error["extensions"]["id"] in error["message"]
    return dict(error)


async def test_an_unexpected_error_of_a_field_is_masked_and_logged_once_under_its_id(tmp_path: Path) -> None:
    async with opened(tmp_path, service=UnreadableService) as app:
        with capture_logs() as logged:
            answer = await app.post(DOCUMENT)
        error = only_error(logged, answer)
        assert (answer.status_code, answer.json()["data"]) == (200, {"value": None})
        assert (error["path"], error["extensions"]["code"]) == (["value"], "INTERNAL")
        assert b'kvs_errors_total{code="INTERNAL"} 1.0' in app.metrics.render()


async def test_an_unexpected_error_outside_of_any_field_has_a_code_and_an_id_too(tmp_path: Path) -> None:
    async with opened(tmp_path, broken=True) as app:
        with capture_logs() as logged:
            answer = await app.post(DOCUMENT)
        assert answer.status_code == 500
        assert only_error(logged, answer)["extensions"]["code"] == "INTERNAL"


async def test_an_unexpected_error_in_a_stream_has_a_code_and_an_id_too(tmp_path: Path) -> None:
    async with opened(tmp_path, service=UnreadableService) as app:
        with capture_logs() as logged:
            answer = await app.post(DOCUMENT, accept="text/event-stream")
        event, data = answer.text.splitlines()[:2]
        assert event == "event: next"
        (error,) = orjson.loads(data.removeprefix("data: "))["errors"]
        assert error["extensions"] == {"code": "INTERNAL", "id": logged[0]["id"]}


async def test_a_database_that_cannot_be_read_makes_answers_unavailable(
    embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    records: list[Pair] = [(b"%05d" % number, b"v" * 500) for number in range(100)]
    async with holding(embedded_broker, tmp_path, *records) as held:
        for name in ("kvs.db", "kvs.db-wal"):
            file = tmp_path / name
            intact = file.read_bytes()
            with file.open("r+b") as opened_file:
                opened_file.write(b"\x5a" * len(intact))
        with capture_logs() as logged:
            answer = await held.served.query("{ entries { edges { node { value } } } }")
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["UNAVAILABLE"]
        assert "malformed" not in str(answer)
        assert logged == []


@pytest.mark.parametrize("timestamp", [None, 2**62, -(2**62)])
async def test_numbers_beyond_32_bits_are_numbers_and_times_beyond_a_calendar_null(
    tmp_path: Path, timestamp: int | None
) -> None:
    record = Record(b"key", b"value", 0, 2**40 - 1, timestamp, None)
    async with opened(tmp_path, record) as app:
        answer = await app.post(DOCUMENT)
    assert b'"offset":1099511627775' in answer.content
    assert answer.json()["data"]["value"] == {"value": "value", "offset": 2**40 - 1, "timestamp": None}
