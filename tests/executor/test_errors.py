"""Unexpected errors are masked, counted, and logged once, on every transport."""

import gc
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.executor import Executor, PreparedOperation, Refusal, Request
from kvs_graphql.records import Record
from kvs_graphql.store import Snapshot, Store
from tests.applications import open_application
from tests.executor.subscribers import GraphQLCoreOnly
from tests.serving import Pair, serving_topic
from tests.transports import MULTIPART, SINGLE_CONNECTION, SSE, WEBSOCKET, Transport

CAUSE = "swordfish"
DOCUMENT = '{ value(key: "key") { value offset timestamp } }'
LIVE_QUERY = 'subscription { value(key: "key") { value } }'
UPDATES = "subscription { updates(snapshot: true) { kind } }"


def break_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every read of a store raise an unexpected error."""

    async def read(*_: object, **__: object) -> Snapshot:
        raise RuntimeError(CAUSE)

    monkeypatch.setattr(Store, "read", read)


class BrokenExecutor(Executor):
    """Fails before it executes anything."""

    def prepare(self, request: Request) -> PreparedOperation | Refusal:
        raise RuntimeError(CAUSE)


def only_error(logged: list[EventDict], answer: dict[str, Any]) -> dict[str, Any]:
    """Return the only error of an answer, which the log has once, under the same id and with its cause."""
    (error,) = answer["errors"]
    (line,) = [line for line in logged if line["log_level"] == "error"]
    assert line["id"] == error["extensions"]["id"]
    assert str(line["exc_info"]) == CAUSE
    assert CAUSE not in str(answer)
    assert error["extensions"]["id"] in error["message"]
    assert error["extensions"]["code"] == "INTERNAL"
    return dict(error)


@pytest.mark.parametrize("executor", [Executor, GraphQLCoreOnly])
async def test_unexpected_error_of_a_field_is_masked_counted_and_logged_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, executor: type[Executor]
) -> None:
    async with open_application(tmp_path, executor=executor) as application:
        break_reads(monkeypatch)
        with capture_logs() as logged:
            answer = await application.post({"query": DOCUMENT})
        assert (answer.status, answer.json()["data"]) == (200, {"value": None})
        assert only_error(logged, answer.json())["path"] == ["value"]
        assert application.counted("kvs_errors_total", code="INTERNAL") == 1
        backend = "compiled" if executor is Executor else "graphql-core"
        assert application.counted("kvs_operations_total", backend=backend) == 1


@pytest.mark.parametrize("transport", [WEBSOCKET, SSE, MULTIPART, SINGLE_CONNECTION])
@pytest.mark.parametrize(
    "document",
    [DOCUMENT, LIVE_QUERY, UPDATES],
)
async def test_unexpected_error_is_masked_counted_and_logged_once_on_every_transport(
    embedded_broker: EmbeddedBroker,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    transport: Transport,
    document: str,
) -> None:
    async with serving_topic(embedded_broker, tmp_path, (b"key", b"1")) as topic:
        break_reads(monkeypatch)
        with capture_logs() as logged:
            async with transport(topic.served, document) as results:
                (answer,) = [result async for result in results]
        only_error(logged, answer)
        assert 'kvs_errors_total{code="INTERNAL"} 1.0' in (await topic.served.http.get("/metrics")).text


async def test_unexpected_error_outside_of_any_field_has_a_code_and_an_id(tmp_path: Path) -> None:
    async with open_application(tmp_path, executor=BrokenExecutor) as application:
        with capture_logs() as logged:
            answer = await application.post({"query": DOCUMENT})
        assert answer.status == 500
        only_error(logged, answer.json())
        assert application.counted("kvs_errors_total", code="INTERNAL") == 1


async def test_answers_from_an_unreadable_database_are_unavailable(
    embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    records: list[Pair] = [(b"%05d" % number, b"v" * 500) for number in range(100)]
    async with serving_topic(embedded_broker, tmp_path, *records) as topic:
        for name in ("kvs.db", "kvs.db-wal"):
            file = tmp_path / name
            intact = file.read_bytes()
            with file.open("r+b") as opened_file:
                opened_file.write(b"\x5a" * len(intact))
        with capture_logs() as logged:
            answer = await topic.served.query("{ entries { edges { node { value } } } }")
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["UNAVAILABLE"]
        assert "malformed" not in str(answer)
        assert logged == []


@pytest.mark.parametrize("timestamp", [None, 2**62, -(2**62)])
async def test_numbers_beyond_32_bits_are_exact_and_timestamps_beyond_the_calendar_null(
    tmp_path: Path, timestamp: int | None
) -> None:
    record = Record(b"key", b"value", 0, 2**40 - 1, timestamp, None)
    async with open_application(tmp_path, [record]) as application:
        answer = await application.post({"query": DOCUMENT})
    assert b'"offset":1099511627775' in answer.content
    assert answer.json()["data"]["value"] == {"value": "value", "offset": 2**40 - 1, "timestamp": None}


async def test_fields_that_fail_together_leave_little_to_the_garbage_collector(tmp_path: Path) -> None:
    fields = " ".join(f'a{n}: values(keys: ["a"]) {{ history(last: 1) {{ kind }} }}' for n in range(19))
    async with open_application(tmp_path, executor=GraphQLCoreOnly) as application:
        await application.query(f"{{ {fields} }}")
        gc.collect()
        gc.disable()
        try:
            for _ in range(10):
                assert len((await application.query(f"{{ {fields} }}"))["errors"]) == 1
            assert gc.collect() < 10 * 40
        finally:
            gc.enable()
