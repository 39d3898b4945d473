"""Slow operations fill no log, however many there are, and however long their names."""

from contextlib import nullcontext
from pathlib import Path

from structlog.testing import capture_logs

from kvs_graphql.access import ANYONE
from kvs_graphql.api import Connection, JsonValues, Operation
from kvs_graphql.budget import Workload
from kvs_graphql.executor import PreparedOperation, Request
from kvs_graphql.executor.slow_operations import SlowOperations
from tests.applications import BUDGET_LIMITS, open_application


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
        connection = Connection(application.table.catalog, ANYONE, "http", application.metrics, nullcontext)
        operation = Operation(connection, Workload(BUDGET_LIMITS), JsonValues(1))
        with capture_logs() as logged:
            for _ in range(100):
                slow.add(prepared, None, operation, 2.0)
            clock.now = 1.0
            slow.add(prepared, None, operation, 3.0)
    found = [(line["operation"], line["seconds"], line["not_logged"]) for line in logged]
    assert found == [("a" * 100, 2.0, 0), ("a" * 100, 3.0, 99)]
