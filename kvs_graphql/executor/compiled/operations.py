"""Compiled operations: of documents that select fields whose resolvers are plain functions, and nothing else.

graphql-core looks up every field of every object again; for a page of entries that is nearly all of the time. A
compiled operation calls the same resolvers with the same arguments, and knows the shape of their results in advance.
graphql-core stays the reference: whatever is not fully honoured here does not compile.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any, NamedTuple

from cachetools import LRUCache
from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLID,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLString,
    OperationDefinitionNode,
    OperationType,
    Undefined,
    get_named_type,
)

from kvs_graphql.access import Access
from kvs_graphql.api import Operation
from kvs_graphql.api.permissions import AccessPermission
from kvs_graphql.budget import Budget
from kvs_graphql.compat.strawberry import resolver_of
from kvs_graphql.executor.compiled.arguments import Arguments, Bound, NotCompilable, Variables
from kvs_graphql.executor.compiled.completion import Completion
from kvs_graphql.executor.compiled.displays import Show
from kvs_graphql.executor.compiled.selections import Selected, Selections, permissions_of, show_of, weight_of
from kvs_graphql.turns import TURN_SECONDS, TooMuchAtOnce

_SHOWS_PER_FIELD_MAX = 64
_SHARED_CHARACTERS_MAX = 256
_TEXTS_PER_DATA = 32
"""Decoding typed data and showing its parts takes about as long as so many texts of its bytes."""
_TEXTS = frozenset({GraphQLString.name, GraphQLID.name})

# Units of work; see `CompiledOperation.work`. What is small does not wait for a turn; what is large waits for room.
_BYTES_PER_UNIT = 512
_SMALL_WORK_MAX = 2_000
_TURN_WORK_MAX = 16_000
_LARGE_WORK_MIN = 64_000
_LARGE_BYTES_MIN = 4 * 1_048_576
"""Text that is made in turns stays in memory until all of it is: of so much, only few operations make any at once."""
_SMALL_BYTES_MAX = 8 * 1_048_576


class Result(NamedTuple):
    """The result of an operation, or of one event of a subscription."""

    data: dict[str, Any] | None
    errors: list[GraphQLError]
    in_turns: bool = False
    """Whether it is to be encoded in turns."""


class ResolveInfo:
    """What resolvers of root fields use of `SelectionInfo`."""

    __slots__ = ("context", "selected_names")

    def __init__(self, context: Operation, selected_names: frozenset[str]) -> None:
        self.context = context
        self.selected_names = selected_names


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
        self._resolve: Callable[..., Any] = resolve or _no_reader
        self._values = _no_values if arguments is None else arguments.values
        self._permissions = permissions
        self._selected_names = frozenset(below.nodes[0].name.value for below in selected.below)
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
        info = ResolveInfo(operation, self._selected_names)
        resolving: Awaitable[Any] = self._resolve(None, info=info, **self._values(bound))
        return resolving

    def show(self, bound: Bound, access: Access) -> Show:
        """How the field's value is shown: one object for all requests with the same selection and fingerprint.

        Raises:
            GraphQLError: A variable is null where an argument must not be.
        """
        key: tuple[Hashable, ...] = (access.fingerprint,)
        if self._used:
            key += tuple([bound.values.get(name, Undefined) for name in self._used])
        if self._latest is not None and self._latest[0] == key:
            return self._latest[1]
        show = self._shows.get(key)
        if show is None:
            show = show_of(self.selected, self.selected.type, bound, access) or _as_it_is
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
    fields_per_record: int
    """How many fields are selected."""
    texts_per_record: int
    """How often the bytes of a record are made text, at most: once for a text, four times for JSON, more for data."""

    async def execute(self, operation: Operation, bound: Bound) -> Result:
        """The result of a query; its errors are those that graphql-core would give.

        Raises:
            BudgetExceeded: It is more than an operation may have.
        """
        outcomes: Sequence[Any]
        is_begun = False
        if len(self.fields) == 1:
            (field,) = self.fields
            found: Any = Undefined
            try:
                found = await field.call(operation, bound)
                usage = operation.usage
                # Inline, as `work` has it: a call would cost a query one per cent.
                work = usage.records * self.fields_per_record
                if work + usage.size_bytes * self.texts_per_record // _BYTES_PER_UNIT <= _SMALL_WORK_MAX:
                    is_begun = True
                    return Result({field.name: field.show(bound, operation.access)(found)}, [])
            except Exception as error:  # noqa: BLE001 - it is reported at its path
                found = error if found is Undefined else found
            outcomes = (found,)
        else:
            calls = [_outcome(field, operation, bound) for field in self.fields]
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
        usage = operation.usage
        if self.work(usage.records, usage.size_bytes) > _SMALL_WORK_MAX:
            await operation.budget.turn()
        size = usage.records, usage.size_bytes
        return await self.result(outcomes, bound, operation.access, operation.budget, *size, is_begun=is_begun)

    def is_large(self, records: int, size_bytes: int) -> bool:
        """Whether so much is to be shown that others would have to wait."""
        return self.work(records, size_bytes) > _TURN_WORK_MAX

    def work(self, records: int, size_bytes: int) -> int:
        """About how much is to be shown of records that have so many bytes; one unit takes a third of a microsecond."""
        return records * self.fields_per_record + size_bytes * self.texts_per_record // _BYTES_PER_UNIT

    async def result(
        self,
        found: Sequence[Any],
        bound: Bound,
        access: Access,
        budget: Budget,
        records: int,
        size_bytes: int,
        *,
        is_begun: bool,
    ) -> Result:
        """The result, from what each root field gave: a value or an exception; in turns where that is much work.

        `is_begun` where showing it at once failed, or took too long.

        Raises:
            BudgetExceeded: It is more than an operation may have.
        """
        work = self.work(records, size_bytes)
        if not is_begun and work <= _TURN_WORK_MAX:
            try:
                data, began = dict[str, Any](), perf_counter()
                for field, value in zip(self.fields, found, strict=True):
                    # Each may be as much as is shown in one piece.
                    if data and perf_counter() - began >= TURN_SECONDS:
                        raise TooMuchAtOnce  # noqa: TRY301 - as what shows a field does
                    data[field.name] = field.show(bound, access)(_value(value))
                return Result(data, [])
            except Exception:  # noqa: BLE001, S110 - found again, with its path
                pass
        if work > _LARGE_WORK_MIN or size_bytes * self.texts_per_record > _LARGE_BYTES_MIN:
            await budget.enlarge()
        small_bytes_max = _SMALL_BYTES_MAX // max(1, self.texts_per_record)
        completion = Completion(
            bound,
            access,
            budget,
            small_bytes_max,
            all_are_small=size_bytes <= small_bytes_max,
        )
        return await self._completed(found, completion)

    async def _completed(self, found: Sequence[Any], completion: Completion) -> Result:
        data: dict[str, Any] = {}
        # Fields whose resolvers failed come first: where one of them must not be null, nothing else is completed.
        order = sorted(zip(self.fields, found, strict=True), key=lambda one: not isinstance(one[1], BaseException))
        try:
            for field, value in order:
                data[field.name] = await completion.field(field.selected, partial(_value, value), (field.name,))
        except GraphQLError as error:
            return Result(None, [*completion.errors, error])
        return Result({field.name: data[field.name] for field in self.fields}, completion.errors, in_turns=True)


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
    roots = tuple(
        _root(selections, variables, kind, name, nodes, subscribed=subscribed) for name, nodes in fields.items()
    )
    selected = [below for root in roots for below in _all_below(root.selected)]
    return CompiledOperation(variables, roots, len(selected), sum(map(_texts_in, selected)))


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
    below, choices = selections.below(field.type, nodes)
    weight = weight_of(None, below, choices)
    selected = Selected(name, nodes, kind.name, field.type, _no_reader, below, choices, frozenset(), weight=weight)
    if subscribed:
        return RootField(selected)
    resolver = resolver_of(field)
    if not (resolver.is_async and resolver.wants_info and resolver.is_plain):
        raise NotCompilable
    arguments, permissions = Arguments(variables, field, nodes[0]), permissions_of(resolver.extensions)
    return RootField(selected, resolver.function, arguments, permissions)


def _all_below(field: Selected) -> Iterator[Selected]:
    for below in field.parts:
        yield below
        yield from _all_below(below)


def _texts_in(field: Selected) -> int:
    if field.decodes:
        return _TEXTS_PER_DATA
    name = get_named_type(field.type).name
    return 4 if name == "JSON" else int(name in _TEXTS)


async def _outcome(field: RootField, operation: Operation, bound: Bound) -> Any:
    return await field.call(operation, bound)


def _value(found: Any) -> Any:
    if isinstance(found, BaseException):
        raise found
    return found


def _as_it_is(value: Any) -> Any:
    return value


def _no_reader(*_: Any, **__: Any) -> Any:
    raise AssertionError("a root field is not read from an object")


def _no_values(_: Bound) -> dict[str, Any]:
    return {}
