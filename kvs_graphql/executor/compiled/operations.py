"""Compiled operations: of documents that select fields whose resolvers are plain functions, and nothing else.

graphql-core looks up every field of every object again; for a page of entries that is nearly all of the time. A
compiled operation calls the same resolvers with the same arguments, and knows beforehand what comes of them.
graphql-core stays the reference: whatever is not fully honoured here does not compile.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from cachetools import LRUCache
from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    Undefined,
)

from kvs_graphql.access import Access
from kvs_graphql.api import Operation
from kvs_graphql.api.permissions import AccessPermission
from kvs_graphql.compat.strawberry import resolver_of
from kvs_graphql.executor.compiled.arguments import Arguments, Bound, NotCompilable, Variables
from kvs_graphql.executor.compiled.completion import Completion
from kvs_graphql.executor.compiled.selections import Selected, Selections, Show, permissions_of, show_of

_SHOWS_PER_FIELD_MAX = 64
_SHARED_CHARACTERS_MAX = 256


class Result(NamedTuple):
    """The result of an operation, or of one event of a subscription."""

    data: dict[str, Any] | None
    errors: list[GraphQLError]


class ResolveInfo:
    """What resolvers of root fields use of Strawberry's `Info`."""

    __slots__ = ("context",)

    def __init__(self, context: Operation) -> None:
        self.context = context


class RootField:
    """A root field: how it is called, and how what it gives is shown."""

    def __init__(
        self,
        selected: Selected,
        resolve: Callable[..., Any] | None = None,
        arguments: Arguments | None = None,
        permissions: tuple[AccessPermission, ...] = (),
    ) -> None:
        """Without `resolve` for the field of a subscription: graphql-core creates its source."""
        self.selected = selected
        self.name = selected.name
        self._resolve = resolve
        self._arguments = arguments
        self._permissions = permissions
        self._used = sorted(set[str]().union(*(below.variables for below in selected.below)))
        self._shows: LRUCache[Hashable, Show] = LRUCache(_SHOWS_PER_FIELD_MAX)
        self._latest: tuple[Hashable, Show] | None = None

    def call(self, operation: Operation, bound: Bound) -> Awaitable[Any]:
        """Authorise the field, and begin to resolve it.

        Raises:
            GraphQLError: The principal may not read it, or a variable is null where an argument must not be.
        """
        for permission in self._permissions:
            if not permission.allows(operation.access):
                permission.on_unauthorized()
        assert self._resolve is not None
        assert self._arguments is not None
        resolving: Awaitable[Any] = self._resolve(None, info=ResolveInfo(operation), **self._arguments.values(bound))
        return resolving

    def show(self, bound: Bound, access: Access) -> Show:
        """How the field's value is shown: one object for all requests with the same selection and fingerprint.

        Raises:
            GraphQLError: A variable is null where an argument must not be.
        """
        key = (access.fingerprint, *[bound.values.get(name, Undefined) for name in self._used])
        if self._latest is not None and self._latest[0] == key:
            return self._latest[1]
        show = self._shows.get(key)
        if show is None:
            show = show_of(self.selected.below, self.selected.type, bound, access) or _as_it_is
            if any(isinstance(value, str) and len(value) > _SHARED_CHARACTERS_MAX for value in key):
                return show
            self._shows[key] = show
        self._latest = key, show
        return show

    def within(self, bound: Bound) -> Bound:
        """The variables that the selection below the field uses."""
        given = bound.given or {}
        return Bound(
            {name: bound.values[name] for name in self._used if name in bound.values},
            {name: given[name] for name in self._used if name in given},
        )


@dataclass(frozen=True, slots=True)
class CompiledOperation:
    """A compiled query, or the compiled rendering of a subscription's events."""

    variables: Variables
    fields: tuple[RootField, ...]

    async def execute(self, operation: Operation, bound: Bound) -> Result:
        """The result of a query; its errors are those that graphql-core would give."""
        found: Any = Undefined
        if len(self.fields) == 1:
            (field,) = self.fields
            try:
                found = await field.call(operation, bound)
                return Result({field.name: field.show(bound, operation.access)(found)}, [])
            except Exception as error:  # noqa: BLE001 - it is reported at its path
                found = error if found is Undefined else found
            return self._completed((found,), bound, operation.access)
        calls = [_outcome(field, operation, bound) for field in self.fields]
        return self.result(await asyncio.gather(*calls, return_exceptions=True), bound, operation.access)

    def result(self, found: Sequence[Any], bound: Bound, access: Access) -> Result:
        """The result, from what each root field gave: a value or an exception."""
        data: dict[str, Any] = {}
        try:
            for field, value in zip(self.fields, found, strict=True):
                if isinstance(value, BaseException):
                    return self._completed(found, bound, access)
                data[field.name] = field.show(bound, access)(value)
        except Exception:  # noqa: BLE001 - found again, with its path
            return self._completed(found, bound, access)
        return Result(data, [])

    def _completed(self, found: Sequence[Any], bound: Bound, access: Access) -> Result:
        completion = Completion(bound, access)
        data: dict[str, Any] = {}
        # Fields whose resolvers failed come first: where one of them must not be null, nothing else is completed.
        order = sorted(zip(self.fields, found, strict=True), key=lambda one: not isinstance(one[1], BaseException))
        try:
            for field, value in order:
                data[field.name] = completion.field(field.selected, partial(_value, value), (field.name,))
        except GraphQLError as error:
            return Result(None, [*completion.errors, error])
        return Result({field.name: data[field.name] for field in self.fields}, completion.errors)


def compile_operation(
    schema: GraphQLSchema, operation: OperationDefinitionNode, fragments: Sequence[FragmentDefinitionNode]
) -> CompiledOperation:
    """Compile an operation of a valid document.

    Raises:
        NotCompilable: Something of it is left to graphql-core.
    """
    kind = schema.get_root_type(operation.operation)
    if kind is None or operation.directives or operation.operation is OperationType.MUTATION:
        raise NotCompilable
    variables = Variables(schema, tuple(operation.variable_definitions or ()))
    selections = Selections(schema, {fragment.name.value: fragment for fragment in fragments}, variables)
    subscribed = operation.operation is OperationType.SUBSCRIPTION
    fields = selections.of_type(kind, [operation.selection_set])
    return CompiledOperation(
        variables,
        tuple(_root(selections, variables, kind, name, nodes, subscribed=subscribed) for name, nodes in fields.items()),
    )


def _root(
    selections: Selections,
    variables: Variables,
    kind: GraphQLObjectType,
    name: str,
    nodes: list[FieldNode],
    *,
    subscribed: bool,
) -> RootField:
    field = kind.fields.get(nodes[0].name.value)
    if field is None:
        raise NotCompilable
    below = selections.below(field.type, nodes)
    selected = Selected(name, nodes, kind.name, field.type, _no_reader, below, frozenset())
    if subscribed:
        return RootField(selected)
    resolver = resolver_of(field)
    if not (resolver.is_async and resolver.wants_info and resolver.is_plain):
        raise NotCompilable
    arguments, permissions = Arguments(variables, field, nodes[0]), permissions_of(resolver.extensions)
    return RootField(selected, resolver.function, arguments, permissions)


async def _outcome(field: RootField, operation: Operation, bound: Bound) -> Any:
    return await field.call(operation, bound)


def _value(found: Any) -> Any:
    if isinstance(found, BaseException):
        raise found
    return found


def _as_it_is(value: Any) -> Any:
    return value


def _no_reader(*_: Any) -> Show:
    raise AssertionError("a root field is not read from an object")
