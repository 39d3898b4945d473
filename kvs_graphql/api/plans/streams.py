"""Subscriptions by their plans: what an update shows is worked out and encoded once for all who are told of it.

What is shown depends on the selection and on the update alone, not on which keys a subscriber asked for. So all that
are synced and select the same share one payload, and a change costs each of them little more than a write to its
socket. Whoever is still in its backlog is told updates of its own, and so served alone.
"""

from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any, NamedTuple

import orjson
from graphql import ExecutionResult, GraphQLError, GraphQLSchema, execute

from kvs_graphql.api.context import Operation
from kvs_graphql.api.errors import coded
from kvs_graphql.api.plans.arguments import Values
from kvs_graphql.api.plans.plans import Encode, Paged, Plan
from kvs_graphql.errors import KvsError
from kvs_graphql.service import Cursor, Flush, Push, Update

Send = Callable[[bytes], Flush | None]
"""Takes the data of an event, which goes out by what it returns; None where it cannot take it now."""


class Payload(NamedTuple):
    """One event of a subscription."""

    data: bytes | None
    """JSON; None where nothing can be told."""
    errors: list[GraphQLError] | None
    """As the client may see them."""
    cursor: Cursor | None
    """Just after it; None where events have no cursor."""


class Streams:
    """Runs subscriptions that have a plan."""

    def __init__(self, schema: GraphQLSchema, *, shared_bytes_max: int) -> None:
        self._schema = schema
        self._shared = _SharedData(shared_bytes_max)

    async def pages(
        self,
        plan: Plan,
        operation: Operation,
        variables: dict[str, Any] | None,
        values: Values,
        send: Send | None = None,
    ) -> AsyncGenerator[list[Payload], None]:
        """The events of a subscription, a few at a time; an error that ends it is its last event.

        What `send` could take is not among them.
        """
        (root,) = plan.roots
        event = _Event(self._schema, plan, root.shape(values).encode, operation, variables)
        try:
            if root.paged is None:
                async with aclosing(root.call(operation, values)) as found:
                    async for value in found:
                        yield [event.payload(value, value)]
                return
            if send is not None:
                operation.push = Push(event.encode, send)
            pages = root.watched(operation, values)
            with operation.connection.place():
                async with aclosing(pages):
                    async for page in pages:
                        yield [self._update(event, root.paged, update) for update in page]
        except Exception as error:  # noqa: BLE001 - it is told to the client
            errors = [GraphQLError(str(error), original_error=error)]
            yield [Payload(None, coded(errors, operation.connection.metrics), None)]

    def _update(self, event: "_Event", paged: Paged, update: Update) -> Payload:
        data = self._shared.get(event.encode, update)
        if data is not None:
            return Payload(data, None, update.cursor)
        payload = event.payload(update, paged.view(update), update.cursor)
        if payload.errors is None and payload.data is not None and update.record is not None:
            self._shared.keep(event.encode, update, payload.data)
        return payload


class _Event:
    """How one subscriber is shown what happens."""

    def __init__(
        self,
        schema: GraphQLSchema,
        plan: Plan,
        encode: Encode,
        operation: Operation,
        variables: dict[str, Any] | None,
    ) -> None:
        self.encode = encode
        self._schema = schema
        self._plan = plan
        self._operation = operation
        self._variables = variables

    def payload(self, found: Any, value: Any, cursor: Cursor | None = None) -> Payload:
        """Of what was found, and of the schema's object of it."""
        try:
            return Payload(self.encode(found), None, cursor)
        except KvsError:
            return self._by_graphql_core(value, cursor)

    def _by_graphql_core(self, value: Any, cursor: Cursor | None) -> Payload:
        result = execute(
            self._schema,
            self._plan.document,
            root_value=value,
            context_value=self._operation,
            variable_values=self._variables,
            operation_name=self._plan.operation_name,
        )
        assert isinstance(result, ExecutionResult), "only plain fields have a plan"
        errors = None if result.errors is None else coded(result.errors, self._operation.connection.metrics)
        return Payload(orjson.dumps(result.data), errors, cursor)


class _SharedData:
    """The encoded data of the newest updates, by how it is encoded; the oldest go when there are too many bytes."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        # Held with what they belong to: an identity is only one as long as its object lives.
        self._kept: OrderedDict[tuple[int, int], tuple[Encode, Update, bytes]] = OrderedDict()

    def get(self, encode: Encode, update: Update) -> bytes | None:
        kept = self._kept.get((id(encode), id(update)))
        return None if kept is None else kept[2]

    def keep(self, encode: Encode, update: Update, data: bytes) -> None:
        self._kept[id(encode), id(update)] = encode, update, data
        self._bytes += len(data)
        while self._bytes > self._bytes_max:
            _, (_, _, dropped) = self._kept.popitem(last=False)
            self._bytes -= len(dropped)
