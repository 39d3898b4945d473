"""Errors of fields null the nearest nullable field above them, as GraphQL's specification has it."""

from pathlib import Path
from typing import Any

import pytest
import strawberry

from kvs_graphql.api.context import OperationInfo
from kvs_graphql.errors import BadInput
from kvs_graphql.executor import Executor
from tests.applications import open_application
from tests.executor.subscribers import GraphQLCoreOnly


def fail() -> None:
    raise BadInput("as the test wants")


@strawberry.type
class Leaf:
    number: strawberry.Private[int]

    @strawberry.field
    def plain(self) -> int:
        return self.number

    @strawberry.field
    def nullable(self) -> int | None:
        """Fail in odd leaves."""
        return self._even_number()

    @strawberry.field
    def required(self) -> int:
        """Fail in odd leaves."""
        return self._even_number()

    def _even_number(self) -> int:
        if self.number % 2:
            fail()
        return self.number


@strawberry.type
class Branch:
    @strawberry.field
    def leaf(self) -> Leaf:
        return Leaf(number=1)

    @strawberry.field
    def nullable_leaf(self) -> Leaf | None:
        return Leaf(number=1)


@strawberry.type
class Query:
    @strawberry.field
    async def branch(self, info: OperationInfo) -> Branch | None:
        return Branch()

    @strawberry.field
    async def required(self, info: OperationInfo) -> Branch:
        return Branch()

    @strawberry.field
    async def failing(self, info: OperationInfo) -> Branch | None:
        fail()
        return None

    @strawberry.field
    async def list_of_nullable(self, info: OperationInfo) -> list[Leaf | None] | None:
        return [Leaf(number=0), None, Leaf(number=1), Leaf(number=2)]

    @strawberry.field
    async def list_of_required(self, info: OperationInfo) -> list[Leaf] | None:
        return [Leaf(number=0), Leaf(number=1)]


@pytest.mark.parametrize("executor", [Executor, GraphQLCoreOnly])
@pytest.mark.parametrize(
    ("document", "data", "paths"),
    [
        ("{ branch { leaf { plain } } }", {"branch": {"leaf": {"plain": 1}}}, []),
        (
            "{ branch { leaf { plain nullable } } }",
            {"branch": {"leaf": {"plain": 1, "nullable": None}}},
            [["branch", "leaf", "nullable"]],
        ),
        ("{ branch { leaf { required } } }", {"branch": None}, [["branch", "leaf", "required"]]),
        (
            "{ branch { nullableLeaf { required } } }",
            {"branch": {"nullableLeaf": None}},
            [["branch", "nullableLeaf", "required"]],
        ),
        ("{ required { leaf { required } } }", None, [["required", "leaf", "required"]]),
        ("{ failing { leaf { plain } } }", {"failing": None}, [["failing"]]),
        (
            "{ failing { leaf { plain } } branch { leaf { plain } } }",
            {"failing": None, "branch": {"leaf": {"plain": 1}}},
            [["failing"]],
        ),
        (
            "{ listOfNullable { required } }",
            {"listOfNullable": [{"required": 0}, None, None, {"required": 2}]},
            [["listOfNullable", 2, "required"]],
        ),
        (
            "{ a: listOfNullable { n: nullable } }",
            {"a": [{"n": 0}, None, {"n": None}, {"n": 2}]},
            [["a", 2, "n"]],
        ),
        ("{ listOfRequired { required } }", {"listOfRequired": None}, [["listOfRequired", 1, "required"]]),
    ],
)
async def test_errors_null_the_nearest_nullable_field(
    tmp_path: Path, executor: type[Executor], document: str, data: Any, paths: list[list[str | int]]
) -> None:
    schema = strawberry.Schema(Query)
    async with open_application(tmp_path, schema=schema, executor=executor) as application:
        answer = await application.query(document)
        backend = "compiled" if executor is Executor else "graphql-core"
        assert application.counted("kvs_operations_total", backend=backend) == 1
    assert answer["data"] == data
    errors = answer.get("errors", [])
    assert [error["path"] for error in errors] == paths
    assert all(error["extensions"] == {"code": "BAD_INPUT"} for error in errors)
