"""The executor: the one road that every operation takes, on every transport.

    text ─▶ prepared ─▶ bound ─▶ authorised ─▶ executed ─▶ encoded

A prepared operation is parsed, validated, limited, and compiled where that is possible. Compiled operations and
graphql-core are two back ends, with one place where errors get their codes, are masked, logged and counted.
"""

from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from enum import Enum, auto
from functools import cache, lru_cache, partial
from time import perf_counter
from typing import Any, NamedTuple, Protocol

import strawberry
from graphql import GraphQLError, create_source_event_stream

from kvs_graphql.api import Connection, JsonValues, Operation, Source
from kvs_graphql.budget import BudgetLimits, Workload
from kvs_graphql.compat.graphql import MeteredExecutor
from kvs_graphql.compat.strawberry import graphql_schema
from kvs_graphql.errors import BudgetExceeded, Unavailable
from kvs_graphql.executor.compiled import Bound, Given, Result
from kvs_graphql.executor.documents import Documents, Fault, PreparedOperation, Refusal
from kvs_graphql.executor.encoding import Data, encode_result
from kvs_graphql.executor.errors import present
from kvs_graphql.executor.limits import ExecutorLimits
from kvs_graphql.executor.rendering import GraphQLCoreRenderer, Payload, RenderCache, Renderer
from kvs_graphql.executor.results import Results
from kvs_graphql.executor.slow_operations import SlowOperations
from kvs_graphql.executor.streams import Superseded
from kvs_graphql.metrics import Metrics
from kvs_graphql.service import Cursor, Flush, Sink, join_tokens
from kvs_graphql.turns import Turns

GENERATIONS_MAX = 3
_LARGE_COST_MIN = 10_000
_PARTS_MAX = 1_000
# A union made anew for every request would cost as much as the rest of its check.
_HAVE_PARTS = (list, dict)
_TOKENS_CACHED = 16
# Requests that share a read have the same cursor.
_token = lru_cache(_TOKENS_CACHED)(Cursor.encode)


class Request(NamedTuple):
    """What a client sends, whatever the transport."""

    query: str | None
    variables: Given = None
    operation_name: str | None = None
    document_id: str | None = None
    """Names a document, such as by its hash, instead of sending it."""


class ClientGone(Exception):
    """The client of a sink is gone: nobody is left to send anything to."""


class ResultSink(Protocol):
    """Where the results of one operation go: one implementation per transport."""

    @property
    def with_token(self) -> bool:
        """Whether the transport carries the cursor of each event beside its result."""
        ...

    def take(self, payload: Payload) -> Flush | None:
        """Take a result without waiting, to be sent by the flush returned; None where there is no room."""
        ...

    def send(self, payload: Payload) -> Awaitable[None]:
        """Send a result, waiting for the client where necessary.

        Raises:
            ClientGone: The client is gone.
        """
        ...


class Outcome(Enum):
    """How a stream of results ended."""

    COMPLETE = auto()
    STOPPING = auto()
    """The service is stopping: the client should go on elsewhere, so it gets neither an error nor the end."""
    SUPERSEDED = auto()
    """Its generation of the schema is gone: the client should ask again, so it gets neither an error nor the end."""


class Executed(NamedTuple):
    """The result of a query or mutation, its errors as clients see them."""

    data: Data
    errors: list[GraphQLError]
    cursors: tuple[Cursor, ...]
    """Where each table was read or written; none where nothing was."""
    limits: BudgetLimits

    def encode(self) -> bytes:
        """The JSON of the result; the cursor is in its extensions where there is data.

        Raises:
            BudgetExceeded: It has more bytes than a response may have.
        """
        extensions = None
        if self.cursors and self.data is not None:
            extensions = {"cursor": join_tokens(map(_token, self.cursors))}
        encoded = encode_result(self.data, self.errors, extensions)
        if len(encoded) > self.limits.response_bytes_max:
            self.limits.check_bytes(len(encoded))
        return encoded


class Executor:
    """Executes the operations of one schema, which may be followed by another generation of it.

    An operation keeps the generation that prepared it. At most `GENERATIONS_MAX` of them have open subscriptions: when
    the next one comes, those of the oldest are ended, and their clients go on with the newest.
    """

    def __init__(self, schema: strawberry.Schema, limits: ExecutorLimits, metrics: Metrics) -> None:
        self._limits = limits
        # A short document takes a few milliseconds.
        self._preparing = Turns()
        self._silence = limits.policy.silence
        self._generations: deque[Documents] = deque()
        self.serve(schema)
        self._workload = Workload(limits.budgets)
        self._json_values = JsonValues(limits.json_bytes_max)
        self._slow = SlowOperations(limits.slow_operation_seconds)
        self._metrics = metrics
        self._results = Results(self._workload, metrics)
        self._renderings = RenderCache(limits.render_cache_bytes_max)

    def serve(self, schema: strawberry.Schema) -> None:
        """Prepare operations with that schema from now on."""
        self.print_schema = cache(lambda: schema.as_str() + "\n")
        """The schema in GraphQL's own language."""
        self._documents = Documents(graphql_schema(schema), self._limits.documents, self._limits.policy)
        self._generations.append(self._documents)
        if len(self._generations) > GENERATIONS_MAX:
            self._generations.popleft().streams.end()

    def known(self, request: Request) -> PreparedOperation | None:
        """The operation that a request names, where it was prepared before."""
        return self._documents.known(request.query, request.operation_name)

    async def prepare_in_turn(self, request: Request) -> PreparedOperation | Refusal:
        """The operation that a request names, ready to be executed.

        A new document is prepared aside where that takes long; of all others, one in each round of the event loop.
        """
        if self._documents.takes_long(request.query):
            return await self.prepare_aside(request)
        if self._documents.is_new(request.query, request.document_id):
            await self._preparing.next()
        return self.prepare(request)

    def prepare(self, request: Request) -> PreparedOperation | Refusal:
        """The operation that a request names, ready to be executed."""
        try:
            prepared = self._documents.prepare(request.query, request.operation_name, request.document_id)
        except Exception as error:  # noqa: BLE001 - masked and logged
            return self.refuse(error)
        return prepared if isinstance(prepared, PreparedOperation) else self._refusal(prepared.errors, prepared.fault)

    async def prepare_aside(self, request: Request) -> PreparedOperation | Refusal:
        """The same as `prepare`, without holding up others meanwhile."""
        assert request.query is not None
        try:
            prepared = await self._documents.prepare_aside(request.query, request.operation_name)
        except Exception as error:  # noqa: BLE001 - masked and logged
            return self.refuse(error)
        return prepared if isinstance(prepared, PreparedOperation) else self._refusal(prepared.errors, prepared.fault)

    async def execute(
        self, prepared: PreparedOperation, variables: Given, connection: Connection
    ) -> Executed | Refusal:
        """Execute a query or mutation."""
        compiled = prepared.compiled
        single_field = compiled is not None and len(compiled.fields) == 1
        operation = Operation(connection, self._workload, self._json_values, single_field=single_field)
        try:
            cost = self._admit(prepared, variables)
            if compiled is None:
                return await self._by_graphql_core(prepared, variables, operation, cost)
            bind = compiled.variables.bind
            bound = await self._documents.aside(bind, variables) if _are_many(variables) else bind(variables)
            if isinstance(bound, list):
                return self._refusal(bound, Fault.DOCUMENT)
            result = await compiled.execute(operation, bound)
            if result.errors or result.in_turns:
                return await self._executed(result, operation)
            return Executed(result.data, result.errors, operation.cursors, self._workload.limits)
        except Exception as error:  # noqa: BLE001 - masked and logged
            return self.refuse(error)
        finally:
            budget = operation.budget
            budget.end()
            if (seconds := perf_counter() - budget.began) > self._slow.seconds_max:
                self._slow.add(prepared, variables, operation, seconds)

    async def stream(
        self, prepared: PreparedOperation, variables: Given, connection: Connection, sink: ResultSink
    ) -> Outcome | Refusal:
        """Execute any operation; a query or mutation has one result, a subscription any number.

        Raises:
            ClientGone: The sink's client is gone.
        """
        if prepared.is_subscription:
            return await self._subscribe(prepared, variables, connection, sink)
        executed = await self.execute(prepared, variables, connection)
        if isinstance(executed, Refusal):
            return executed
        if connection.catalog.stopping and executed.data is None and _are_unavailable(executed.errors):
            return Outcome.STOPPING
        try:
            sending = sink.send(Payload(executed.encode()))
        except Exception as error:  # noqa: BLE001 - masked and logged
            return self.refuse(error)
        # While the client is waited for, only what it is sent is kept, and only by the sink.
        del executed
        await sending
        return Outcome.COMPLETE

    def refuse_request(self, message: str, code: str) -> Refusal:
        """The refusal of what did not come to name an operation."""
        return self._refusal([GraphQLError(message, extensions={"code": code})], Fault.REQUEST)

    def refuse(self, error: Exception) -> Refusal:
        """The refusal for an error outside of any field; unexpected errors are masked, logged and counted."""
        fault = Fault.DOCUMENT if isinstance(error, BudgetExceeded) else Fault.SERVICE
        return self._refusal([_as_graphql_error(error)], fault)

    def _admit(self, prepared: PreparedOperation, variables: Given) -> int:
        """Count an operation that is about to be executed, and return what it costs.

        Raises:
            BudgetExceeded: It is more than one may cost.
        """
        cost, limit = prepared.price.known, self._workload.limits.cost_max
        if cost is None:
            cost = prepared.price.of(variables)
        if cost > limit:
            setting = "KVS_QUERY_COST_MAX"
            message = f"The operation costs {cost}; the limit of {setting} is {limit}."
            raise BudgetExceeded(message, limit=limit, setting=setting, cost=cost)
        backend = "graphql-core" if prepared.compiled is None else "compiled"
        self._metrics.operations.count(prepared.type_name, backend, cost)
        return cost

    async def _by_graphql_core(
        self, prepared: PreparedOperation, variables: Given, operation: Operation, cost: int
    ) -> Executed | Refusal:
        core = await self._bind_core(prepared, variables, operation)
        if isinstance(core, list):
            return self._refusal(core, Fault.DOCUMENT)
        if cost > _LARGE_COST_MIN:
            await operation.budget.enlarge()
        # Mutations too: their resolvers take their turn in Kafka's order before they first wait, so that what GraphQL
        # wants of serial execution holds without a round trip to Kafka per field.
        found: Any = core.execute_operation(serially=False)
        result = await found if core.is_awaitable(found) else found
        return await self._executed(Result(result.data, result.errors or [], True), operation)

    async def _executed(self, result: Result, operation: Operation) -> Executed:
        """The result of an operation with errors, or too large to be encoded at once."""
        data, errors = await self._results.finished(result, operation.budget)
        return Executed(data, errors, operation.cursors, self._workload.limits)

    async def _subscribe(
        self, prepared: PreparedOperation, variables: Given, connection: Connection, sink: ResultSink
    ) -> Outcome | Refusal:
        try:
            self._admit(prepared, variables)
            opened = await self._open(prepared, variables, connection, sink)
            if isinstance(opened, Refusal):
                return opened
            source, renderer = opened
            with prepared.streams.open(), connection.slot():
                await _deliver(source, renderer, sink)
        except Superseded:
            return Outcome.SUPERSEDED
        except ClientGone:
            raise
        except Exception as error:  # noqa: BLE001 - it is reported to the client
            if connection.catalog.stopping and isinstance(error, Unavailable):
                return Outcome.STOPPING
            errors = present([_as_graphql_error(error)], self._metrics)
            await sink.send(Payload(encode_result(None, errors)))
        return Outcome.COMPLETE

    async def _open(
        self, prepared: PreparedOperation, variables: Given, connection: Connection, sink: ResultSink
    ) -> tuple[Source[Any], Renderer] | Refusal:
        """The source of a subscription's events, which graphql-core creates, and how they are rendered.

        Raises:
            GraphQLError: The source cannot be created.
        """
        new_operation = partial(Operation, connection, self._workload, self._json_values)
        core = await self._bind_core(prepared, variables, new_operation())
        if isinstance(core, list):
            return self._refusal(core, Fault.DOCUMENT)
        created: Any = create_source_event_stream(core)
        source = await created if core.is_awaitable(created) else created
        if not isinstance(source, Source):
            raise source.errors[0]
        renderer: Renderer
        if prepared.compiled is None:
            renderer = GraphQLCoreRenderer(core, new_operation, source, self._results, with_token=sink.with_token)
        else:
            bound = Bound(core.variable_values.coerced, variables)
            renderer = self._renderings.renderer(
                prepared.compiled, bound, connection.access, source, self._results, with_token=sink.with_token
            )
        return source, renderer

    async def _bind_core(
        self, prepared: PreparedOperation, variables: Given, operation: Operation
    ) -> MeteredExecutor | list[GraphQLError]:
        build: Callable[[], Any] = partial(
            MeteredExecutor.build,
            prepared.schema,
            prepared.document,
            context_value=operation,
            raw_variable_values=dict(variables or {}),
            operation_name=prepared.name,
        )
        core: MeteredExecutor | list[GraphQLError]
        core = await self._documents.aside(build) if _are_many(variables) else build()
        return core

    def _refusal(self, errors: list[GraphQLError], fault: Fault) -> Refusal:
        self._silence(errors)
        return Refusal(present(errors, self._metrics), fault)


async def _deliver(source: Source[Any], renderer: Renderer, sink: ResultSink) -> None:
    """Send every event of a source to a sink: directly while its client keeps up, else waiting for the client."""
    direct = Sink(renderer.render_shared, sink.take)
    async with aclosing(source.pages(direct)) as pages:
        async for page in pages:
            for event in page:
                if source.prepare is not None:
                    await source.prepare(event)
                await sink.send(await renderer.render(event))


def _are_many(variables: Given) -> bool:
    """Whether the values of variables have so many parts that others would notice how long their coercion takes."""
    if variables:
        for value in variables.values():
            if isinstance(value, _HAVE_PARTS) and len(value) > _PARTS_MAX:
                return True
    return False


def _as_graphql_error(error: Exception) -> GraphQLError:
    return error if isinstance(error, GraphQLError) else GraphQLError(str(error), original_error=error)


def _are_unavailable(errors: list[GraphQLError]) -> bool:
    return all((error.extensions or {}).get("code") == Unavailable.code for error in errors)
