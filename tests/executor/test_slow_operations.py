"""Slow operations fill no log, however many there are, and however long their names."""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from kvs_graphql.access import ANYONE
from kvs_graphql.api import Connection, JsonValues, Operation
from kvs_graphql.budget import Workload
from kvs_graphql.executor import PreparedOperation, Request
from kvs_graphql.executor.slow_operations import SlowOperations
from kvs_graphql.records import Record
from tests.applications import BUDGET_LIMITS, EXECUTOR_LIMITS, open_application


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_one_slow_operation_a_second_is_logged_with_the_number_of_the_others(tmp_path: Path) -> None:
    clock = Clock()
    slow = SlowOperations(1.0, clock)
    async with open_application(tmp_path) as application:
        prepared = application.executor.prepare(Request(f"query {'a' * 10_000} {{ __typename }}"))
        assert isinstance(prepared, PreparedOperation)
        connection = Connection(application.table.catalog, ANYONE, "websocket", application.metrics, nullcontext)
        operation = Operation(connection, Workload(BUDGET_LIMITS), JsonValues(1))
        with capture_logs() as logged:
            for _ in range(100):
                slow.add(prepared, None, operation, 2.0)
            clock.now = 1.0
            slow.add(prepared, None, operation, 3.0)
    found = [(line["operation"], line["transport"], line["seconds"], line["not_logged"]) for line in logged]
    assert found == [("a" * 100, "websocket", 2.0, 0), ("a" * 100, "websocket", 3.0, 99)]


@pytest.mark.parametrize(
    ("document", "number"),
    [
        ('{ value(key: "a") { id } }', 1),
        ('{ values(keys: ["a", "b"]) { id } }', 2),
        ('{ a: value(key: "a") { id } b: value(key: "b") { id } }', 2),
        ("{ entries { edges { node { id } } } }", 2),
        ('{ value(key: "a") { history { offset } } }', 2),
    ],
)
async def test_slow_operation_is_logged_with_what_it_read(tmp_path: Path, document: str, number: int) -> None:
    records = [Record(key, b"value", 0, offset, 0, None) for offset, key in enumerate([b"a", b"b"])]
    limits = replace(EXECUTOR_LIMITS, slow_operation_seconds=1e-9)
    async with open_application(tmp_path, records, executor_limits=limits) as application:
        with capture_logs() as logged:
            await application.query(document)
    (line,) = logged
    assert (line["records_read"], line["bytes_read"]) == (number, number * records[0].size_bytes)
