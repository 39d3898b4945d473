"""The schema put together, and how an operation is run: with reads of its own, typed errors, and its cursor."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
import strawberry
from graphql import ASTValidationRule, GraphQLError, OperationDefinitionNode, OperationType
from strawberry.extensions import AddValidationRules, MaxTokensLimiter, ParserCache, SchemaExtension, ValidationCache
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionResult
from strawberry.types.execution import PreExecutionError

from kvs_graphql.api.context import Connection, Operation
from kvs_graphql.api.errors import coded, masked
from kvs_graphql.api.measures import document_limiter
from kvs_graphql.api.plans import NotPlain, Paged, Payload, Plans, Send, Streams
from kvs_graphql.api.roots import Query, Subscription, watched
from kvs_graphql.api.scalars import SCALARS
from kvs_graphql.api.types import Entry, viewed
from kvs_graphql.api.writes import Mutation, PipelinedExecution, WritesDisabled
from kvs_graphql.errors import KvsError
from kvs_graphql.service import Cursor

_DOCUMENTS_CACHED = 512
_TOKENS_CACHED = 16
# Requests that are read together, and all who are told of a change, stand at the same place.
_token = lru_cache(_TOKENS_CACHED)(Cursor.encode)
_PLANNED = GraphQLError("This has a plan.")
"""Stands where graphql-core would run what is not to be run by it."""


@dataclass(frozen=True, slots=True)
class DocumentLimits:
    """What a document may look like, before anything of it is run."""

    depth_max: int
    aliases_max: int
    tokens_max: int


class KvsSchema(strawberry.Schema):
    """Strawberry's schema, whose `execute` and `stream` take a `Connection` as their context value."""

    def __init__(self, *args: Any, shared_bytes_max: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        paged = {"updates": Paged(watched, viewed)}
        self.plans = Plans(self._schema, paged, documents_max=_DOCUMENTS_CACHED)
        self._streams = Streams(self._schema, shared_bytes_max=shared_bytes_max)

    async def execute(self, *args: Any, **kwargs: Any) -> ExecutionResult:
        """Run a query. Its errors have codes, its extensions the cursor of what it read."""
        operation = _operation(kwargs)
        result = await super().execute(*args, **kwargs | {"context_value": operation})
        return _finished(result, operation)

    async def read(
        self, query: str | None, variables: dict[str, Any] | None, operation_name: str | None, connection: Connection
    ) -> dict[str, Any] | None:
        """The answer to a query by its plan, to be encoded; None where it has none, or `execute` has to run it."""
        plan = self.plans.get(query, operation_name)
        if plan is None or plan.type is not OperationType.QUERY:
            return None
        operation = Operation(connection, alone=len(plan.roots) == 1)
        try:
            data = await plan.read(operation, plan.bind(variables))
        except (NotPlain, KvsError):
            return None
        cursor = operation.place
        return {"data": data} if cursor is None else {"data": data, "extensions": {"cursor": _token(cursor)}}

    async def stream(self, *args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
        """Run any operation over a streaming transport: a query gives one result, a subscription many."""
        return _flat(self.pages(*args, **kwargs), with_places=kwargs["context_value"].transport == "sse")

    def pages(
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        operation_name: str | None = None,
        send: Send | None = None,
        **kwargs: Any,
    ) -> AsyncGenerator[ExecutionResult | list[Payload], None]:
        """As `stream`; but what is told by a plan comes a few events at a time, encoded already, or goes to `send`.

        A generator between a subscription and what it is told takes memory as long as it is open: there is none where
        the plan is known already.
        """
        arguments = kwargs | {"variable_values": variable_values, "operation_name": operation_name}
        if self.plans.get(query, operation_name) is None:
            return self._unplanned(query, arguments, send)
        return self._by_plan(query, arguments, send)

    async def _unplanned(
        self, query: str | None, arguments: dict[str, Any], send: Send | None
    ) -> AsyncGenerator[ExecutionResult | list[Payload], None]:
        """graphql-core looks at the document; where it can be planned, nothing of it is run."""
        async with aclosing(self._plain(query, arguments, _operation(arguments, plannable=True))) as results:
            async for result in results:
                if result.errors == [_PLANNED]:
                    break
                yield result
            else:
                return
        async with aclosing(self._by_plan(query, arguments, send)) as pages:
            async for page in pages:
                yield page

    def _by_plan(
        self, query: str | None, arguments: dict[str, Any], send: Send | None
    ) -> AsyncGenerator[ExecutionResult | list[Payload], None]:
        plan = self.plans.get(query, arguments["operation_name"])
        operation, variables = _operation(arguments), arguments["variable_values"]
        try:
            if plan is not None and plan.type is OperationType.SUBSCRIPTION:
                return self._streams.pages(plan, operation, variables, plan.bind(variables), send)
        except NotPlain:
            pass
        return self._plain(query, arguments, operation)

    async def _plain(
        self, query: str | None, arguments: dict[str, Any], operation: Operation
    ) -> AsyncGenerator[ExecutionResult, None]:
        """Run it by graphql-core."""
        try:
            async with aclosing(await super().stream(query, **arguments | {"context_value": operation})) as results:
                async for result in results:
                    assert isinstance(result, ExecutionResult), "nothing is deferred or streamed"
                    yield _finished(result, operation)
        except GraphQLError as error:
            # A document that cannot be parsed comes as an exception where parsing is cached.
            yield _finished(PreExecutionError(data=None, errors=[error]), operation)
        except Exception as error:  # noqa: BLE001 - masked and logged
            yield _finished(PreExecutionError(data=None, errors=[masked(error)]), operation)

    def process_errors(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: errors are logged where they are shaped."""


class _WritesDisabledFirst(SchemaExtension):
    """Ahead of the other rules: they find fault with such a mutation too, and say less."""

    def on_operation(self) -> Iterator[None]:
        self.execution_context.validation_rules = (WritesDisabled, *self.execution_context.validation_rules)
        yield


def build_schema(limits: DocumentLimits, *, writes: bool = False, shared_bytes_max: int = 0) -> KvsSchema:
    """The schema of the service; without writes it has no mutations at all.

    Of what subscribers are told, so many bytes are kept for others who are told the same.
    """
    # Made once: the cache of validations knows rules by identity.
    rules: list[type[ASTValidationRule]] = [document_limiter(limits.depth_max, limits.aliases_max)]
    return KvsSchema(
        shared_bytes_max=shared_bytes_max,
        query=Query,
        mutation=Mutation if writes else None,
        subscription=Subscription,
        execution_context_class=PipelinedExecution,
        types=[Entry],
        config=StrawberryConfig(scalar_map=SCALARS),
        extensions=[
            lambda: MaxTokensLimiter(limits.tokens_max),
            lambda: AddValidationRules(rules),
            _WritesDisabledFirst,
            lambda: ParserCache(_DOCUMENTS_CACHED),
            lambda: ValidationCache(_DOCUMENTS_CACHED),
            _Codes,  # Behind the cache, whose errors it reads.
        ],
    )


class _Codes(SchemaExtension):
    """Gives what validation finds its code, and refuses to choose between several operations."""

    def on_validate(self) -> Iterator[None]:
        context = self.execution_context
        errors = list(context.pre_execution_errors or [])
        document = context.graphql_document
        assert document is not None
        operations = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
        if len(operations) > 1 and context._provided_operation_name is None and not errors:
            message = "The document has several operations: `operationName` says which one to run."
            errors.append(GraphQLError(message, extensions={"code": "BAD_INPUT"}))
        for error in errors:
            error.extensions = {"code": "GRAPHQL_VALIDATION_FAILED", **(error.extensions or {})}
        context.pre_execution_errors = errors
        if not errors and context.query is not None:
            schema = context.schema
            assert isinstance(schema, KvsSchema)
            schema.plans.learn(context.query, context._provided_operation_name, document)
            plan = schema.plans.get(context.query, context._provided_operation_name)
            operation: Operation = context.context
            if operation.plannable and plan is not None and plan.type is OperationType.SUBSCRIPTION:
                context.pre_execution_errors = [_PLANNED]
        yield


def print_schema() -> str:
    """The schema in GraphQL's own language, with writes."""
    return build_schema(DocumentLimits(depth_max=1, aliases_max=1, tokens_max=1), writes=True).as_str() + "\n"


def _operation(arguments: dict[str, Any], *, plannable: bool = False) -> Operation:
    connection: Connection = arguments["context_value"]
    return Operation(connection, plannable)


async def _flat(
    pages: AsyncGenerator[ExecutionResult | list[Payload], None], *, with_places: bool
) -> AsyncGenerator[ExecutionResult, None]:
    async with aclosing(pages):
        async for page in pages:
            if isinstance(page, ExecutionResult):
                yield page
                continue
            for payload in page:
                data = None if payload.data is None else orjson.Fragment(payload.data)
                place = {"place": _token(payload.cursor)} if with_places and payload.cursor else None
                yield ExecutionResult(data, payload.errors, place)  # type: ignore[arg-type]


def _finished(result: ExecutionResult, operation: Operation) -> ExecutionResult:
    if result.errors and result.errors != [_PLANNED]:
        result.errors = coded(result.errors, operation.connection.metrics)
    # Of a subscription, only Server-Sent Events carry it beside the data: as the event's id.
    if operation.told is not None and operation.connection.transport == "sse":
        result.extensions = {"place": _token(operation.told)}
    elif operation.place is not None:
        result.extensions = {"cursor": _token(operation.place)}
    return result
