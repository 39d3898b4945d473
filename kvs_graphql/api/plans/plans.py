"""Plans: operations compiled once, for documents that select plain fields of entries and updates and nothing else.

graphql-core looks up every field of every object again; for a page of entries that is nearly all of the time. A plan
calls the same resolvers with the same arguments, and knows beforehand what comes of them. What it does not know how
to do, and whatever goes wrong in it, is left to graphql-core, which stays the reference: a document is planned when
graphql-core has run it once, and an operation that fails is run again by it.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
)
from strawberry.schema.schema_converter import GraphQLCoreConverter

from kvs_graphql.api.context import Operation
from kvs_graphql.api.plans.arguments import (
    Argument,
    NotPlain,
    Values,
    Variable,
    arguments_of,
    bind,
    called_with,
    variables_of,
)
from kvs_graphql.api.plans.selections import Selections, Show
from kvs_graphql.service import Update


class Paged(NamedTuple):
    """A root field that is a stream of updates."""

    watched: Callable[..., AsyncGenerator[list[Update], None]]
    """How to get these a few at a time."""
    view: Callable[[Update], Any]
    """The schema's object of an update."""


Encode = Callable[[Any], bytes]
"""From what a stream gives, an update where it is one of updates, to the data of an event.

Raises:
    KvsError: There is more to tell than data.
"""

_SELECTIONS_MAX = 16
_DOCUMENT_CHARACTERS_MAX = 16 * 1024
_WAITING = frozenset({"at_least", "max_wait"})
"""Arguments that make a read wait: run again, it would wait twice."""


class PlanInfo:
    """What resolvers of root fields use of Strawberry's `Info`."""

    __slots__ = ("context",)

    def __init__(self, context: Operation) -> None:
        self.context = context


class Shape(NamedTuple):
    """How what a root field gives is shown: within an answer, and as the data of an event."""

    show: Show
    encode: Encode


@dataclass(frozen=True, slots=True)
class Root:
    """A field of the operation: how it is called, and how what it gives is shown."""

    name: str
    """As the answer names it."""
    resolve: Callable[..., Any]
    arguments: tuple[Argument, ...]
    shape: Callable[[Values], Shape]
    """How what it gives is shown; the same object wherever the same is shown."""
    paged: Paged | None
    """Where it is a stream of updates."""

    def watched(self, operation: Operation, values: Values) -> AsyncGenerator[list[Update], None]:
        """The updates of a stream of them."""
        assert self.paged is not None
        return self.paged.watched(PlanInfo(operation), **called_with(self.arguments, values))

    def call(self, operation: Operation, values: Values) -> Any:
        """What the resolver returns: a coroutine, or the stream of a subscription."""
        return self.resolve(None, info=PlanInfo(operation), **called_with(self.arguments, values))


@dataclass(frozen=True, slots=True)
class Plan:
    """One operation of one document."""

    document: DocumentNode
    operation_name: str | None
    type: OperationType
    variables: tuple[Variable, ...]
    roots: tuple[Root, ...]

    def bind(self, given: dict[str, Any] | None) -> Values:
        """What a request gives for the variables.

        Raises:
            NotPlain: graphql-core has to look at it.
        """
        return bind(self.variables, given)

    async def read(self, operation: Operation, values: Values) -> dict[str, Any]:
        """The data of a query.

        Raises:
            NotPlain: graphql-core has to run it.
            Exception: Whatever a resolver raises.
        """
        if len(self.roots) == 1:
            (root,) = self.roots
            return {root.name: root.shape(values).show(await root.call(operation, values))}
        found = await asyncio.gather(*[root.call(operation, values) for root in self.roots])
        return {root.name: root.shape(values).show(one) for root, one in zip(self.roots, found, strict=True)}


def plan(schema: GraphQLSchema, document: DocumentNode, operation_name: str | None, paged: Mapping[str, Paged]) -> Plan:
    """The plan of a valid document's operation.

    Raises:
        NotPlain: There is none.
    """
    operations = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
    named = [o for o in operations if operation_name is None or (o.name and o.name.value == operation_name)]
    if len(named) != 1:
        raise NotPlain
    (operation,) = named
    kind = schema.get_root_type(operation.operation)
    if kind is None or operation.directives or operation.operation is OperationType.MUTATION:
        raise NotPlain
    fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
    selections = Selections(schema, fragments)
    fields = selections.collect(kind, [operation.selection_set])
    roots = tuple(_root(selections, kind, name, nodes, paged) for name, nodes in fields.items())
    variables = variables_of(schema, operation.variable_definitions or ())
    return Plan(document, operation_name, operation.operation, variables, roots)


def _root(
    selections: Selections,
    kind: GraphQLObjectType,
    name: str,
    nodes: list[FieldNode],
    all_paged: Mapping[str, Paged],
) -> Root:
    named = nodes[0].name.value
    field = kind.fields.get(named)
    if field is None:
        raise NotPlain
    definition = field.extensions[GraphQLCoreConverter.DEFINITION_BACKREF]
    arguments = arguments_of(field, nodes[0])
    if any(argument.python_name in _WAITING for argument in arguments):
        raise NotPlain
    used = sorted(selections.variables(field.type, nodes))
    paged = all_paged.get(named) if kind.name == "Subscription" else None

    @lru_cache(_SELECTIONS_MAX)
    def compiled(*given: tuple[str, Any]) -> Shape:
        show = selections.compile(field.type, nodes, dict(given))
        return Shape(show, _encoder(name, show, paged))

    def shape(values: Values) -> Shape:
        return compiled(*((name, values[name]) for name in used if name in values))

    # Without values, to know now whether there is a way.
    always = compiled()
    resolve = definition.base_resolver.wrapped_func
    return Root(name, resolve, arguments, shape if used else lambda _: always, paged)


def _encoder(name: str, show: Show, paged: Paged | None) -> Encode:
    dumps = orjson.dumps
    if paged is None:
        return lambda found: dumps({name: show(found)})
    view = paged.view
    return lambda update: dumps({name: show(view(update))})


class Plans:
    """The plans of the documents seen last; None for those that have none."""

    def __init__(self, schema: GraphQLSchema, paged: Mapping[str, Paged], *, documents_max: int) -> None:
        """`paged` are the root fields that are streams of updates, by name."""
        self._schema = schema
        self._paged = paged
        self._documents_max = documents_max
        self._plans: OrderedDict[tuple[str, str | None], Plan | None] = OrderedDict()

    def get(self, query: str | None, operation_name: str | None) -> Plan | None:
        """The plan of an operation that was learnt; None where graphql-core has to run it."""
        return None if query is None else self._plans.get((query, operation_name))

    def learn(self, query: str, operation_name: str | None, document: DocumentNode) -> None:
        """Plan the operation of a document that graphql-core found valid."""
        if (query, operation_name) in self._plans or len(query) > _DOCUMENT_CHARACTERS_MAX:
            return
        try:
            found = plan(self._schema, document, operation_name, self._paged)
        except NotPlain:
            found = None
        self._plans[query, operation_name] = found
        if len(self._plans) > self._documents_max:
            self._plans.popitem(last=False)
