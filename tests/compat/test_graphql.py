"""Canaries for what this project overrides of graphql-core without a promise."""

import asyncio
import gc
import re
import subprocess
import sys
import warnings
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from weakref import ref

import pytest
import strawberry
from graphql import (
    GraphQLField,
    GraphQLList,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLString,
    parse,
)

from kvs_graphql.compat.graphql import ABANDONED, MeteredExecutor
from kvs_graphql.compat.strawberry import graphql_schema

SCHEMA = GraphQLSchema(
    GraphQLObjectType(
        "Query",
        {
            "many": GraphQLField(GraphQLList(GraphQLString), resolve=lambda *_: ["text"] * 17),
            "few": GraphQLField(GraphQLList(GraphQLString), resolve=lambda *_: ["text"] * 16),
            "failing": GraphQLField(GraphQLString, resolve=lambda *_: 1 / 0),
        },
    )
)


class Spent(Exception):
    pass


class Meter:
    exceeded: type[Exception] = Spent
    turn_is_over = False

    def __init__(self, bytes_max: int = 1_000, errors_max: int = 1) -> None:
        self.items = self.bytes = self.errors = 0
        self._bytes_max = bytes_max
        self._errors_max = errors_max

    async def in_turns(self, items: list[Any]) -> AsyncIterator[Any]:
        for item in items:
            self.items += 1
            yield item

    def add_bytes(self, number: int) -> None:
        self.bytes += number
        if self.bytes > self._bytes_max:
            raise Spent

    def add_error(self) -> None:
        self.errors += 1
        if self.errors > self._errors_max:
            raise Spent


@dataclass
class Context:
    budget: Meter


async def execute(meter: Meter, document: str) -> Any:
    executor: Any = MeteredExecutor.build(SCHEMA, parse(document), context_value=Context(meter))
    found = executor.execute_operation(serially=False)
    return await found if executor.is_awaitable(found) else found


async def test_items_of_long_lists_come_in_turns_and_texts_are_counted() -> None:
    meter = Meter()
    assert (await execute(meter, "{ many few }")).data == {"many": ["text"] * 17, "few": ["text"] * 16}
    assert (meter.items, meter.bytes) == (17, 4 * 33), "graphql-core completes lists or leaves in another way now"


async def test_items_of_short_lists_come_in_turns_once_a_turn_is_over() -> None:
    meter = Meter()
    meter.turn_is_over = True
    assert (await execute(meter, "{ few }")).data == {"few": ["text"] * 16}
    assert meter.items == 16


@pytest.mark.parametrize("document", ["{ many }", "{ few }", "{ a: failing b: failing }"])
async def test_operation_that_exceeds_its_budget_fails_as_a_whole(document: str) -> None:
    with pytest.raises(Spent):
        await execute(Meter(bytes_max=1), document)


async def test_other_errors_are_counted_and_answered() -> None:
    meter = Meter()
    result = await execute(meter, "{ failing few }")
    assert (result.data["failing"], len(result.errors), meter.errors) == (None, 1, 1)


async def test_executor_is_freed_without_the_garbage_collector() -> None:
    meter = Meter()
    executor: Any = MeteredExecutor.build(SCHEMA, parse("{ many }"), context_value=Context(meter))
    assert (await executor.execute_operation(serially=False)).data
    gc.collect()
    gc.disable()
    try:
        is_there = ref(executor)
        del executor
        assert is_there() is None, "graphql-core keeps something else of its executor now"
    finally:
        gc.enable()


async def test_cancelled_execution_leaves_coroutines_that_have_not_begun() -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        await cancel_an_execution()
    assert told, "graphql-core leaves none any more: the filter is not needed"
    assert all(re.match(ABANDONED, str(warning.message)) for warning in told)


def test_nobody_is_warned_of_these() -> None:
    program = f"import asyncio, {__name__} as canary; asyncio.run(canary.cancel_an_execution())"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stderr == ""


@strawberry.type
class Query:
    @strawberry.field
    async def one(self) -> str:
        raise AssertionError

    @strawberry.field
    async def other(self) -> str:
        raise AssertionError


async def cancel_an_execution() -> None:
    """Cancel an operation as soon as it has begun: none of its resolvers has."""
    schema = graphql_schema(strawberry.Schema(Query))
    executor = MeteredExecutor.build(schema, parse("{ one other }"), context_value=Context(Meter()))
    assert isinstance(executor, MeteredExecutor)
    found = executor.execute_operation()
    assert executor.is_awaitable(found)
    execution = asyncio.ensure_future(found)
    await asyncio.sleep(0)
    execution.cancel()
    await asyncio.wait([execution])
    del execution, found
    gc.collect()
