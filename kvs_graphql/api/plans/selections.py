"""What a document selects of an object, compiled into one function from the object to what JSON shows of it.

The fields' own resolvers are called, as graphql-core would, but without looking anything up again for each object.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLEnumType,
    GraphQLField,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    SelectionNode,
    SelectionSetNode,
    VariableNode,
    is_leaf_type,
)
from strawberry.schema.schema_converter import GraphQLCoreConverter

from kvs_graphql.api.plans.arguments import NotPlain, Values, arguments_of, called_with

Show = Callable[[Any], Any]
"""From an object to what JSON shows of it."""
Fields = dict[str, list[FieldNode]]
"""The fields to show, by the name that the answer gives them."""

_PLAIN_TYPES = frozenset({"Entry", "Header", "Update", "EntryConnection", "EntryEdge", "PageInfo"})
# The encoder writes a time as DateTime does.
_AS_THEY_ARE = frozenset({"String", "ID", "Cursor", "Boolean", "Int", "Long", "JSON", "DateTime"})


class Selections:
    """What one document selects, whatever of it may be compiled."""

    def __init__(self, schema: GraphQLSchema, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self._schema = schema
        self._fragments = fragments

    def collect(self, kind: GraphQLObjectType, selections: Sequence[SelectionSetNode]) -> Fields:
        """The fields of a type, in the order in which they are first named.

        Raises:
            NotPlain: There are directives, of which graphql-core knows what they mean.
        """
        fields: Fields = {}
        spread: set[str] = set()
        for selection in selections:
            for node in self._flat(kind, selection, spread):
                fields.setdefault(node.alias.value if node.alias else node.name.value, []).append(node)
        return fields

    def variables(self, kind: Any, nodes: Sequence[FieldNode]) -> frozenset[str]:
        """The variables that the arguments within a field's selection use."""
        used: set[str] = set()
        inner = _named(kind)
        if isinstance(inner, GraphQLObjectType):
            for below in self.collect(inner, _selections(nodes)).values():
                values = [argument.value for argument in below[0].arguments or ()]
                used.update(value.name.value for value in values if isinstance(value, VariableNode))
                if below[0].name.value in inner.fields:
                    used |= self.variables(inner.fields[below[0].name.value].type, below)
        return frozenset(used)

    def compile(self, kind: Any, nodes: Sequence[FieldNode], values: Values) -> Show:
        """How a value of that type is shown.

        Raises:
            NotPlain: Something of it is left to graphql-core.
        """
        names = _Names()
        shown = self._value(names, kind, nodes, values, "value")
        show: Show = eval(f"lambda value: {shown}", names.given)  # noqa: S307 - of names made here, and a schema's
        return show

    def _value(self, names: "_Names", kind: Any, nodes: Sequence[FieldNode], values: Values, source: str) -> str:
        """A Python expression for a value of that type; `source` is the expression that the value comes from."""
        kind = kind.of_type if isinstance(kind, GraphQLNonNull) else kind
        if is_leaf_type(kind) and kind.name in _AS_THEY_ARE:
            return source
        value = names.new()
        return f"(None if ({value} := {source}) is None else {self._present(names, kind, nodes, values, value)})"

    def _present(self, names: "_Names", kind: Any, nodes: Sequence[FieldNode], values: Values, value: str) -> str:
        if isinstance(kind, GraphQLList):
            item = names.new()
            return f"[{self._value(names, kind.of_type, nodes, values, item)} for {item} in {value}]"
        if isinstance(kind, GraphQLObjectType):
            return self._object(names, kind, nodes, values, value)
        if not is_leaf_type(kind):
            raise NotPlain
        if isinstance(kind, GraphQLEnumType):
            return f"{names.of({kind.parse_value(name): name for name in kind.values})}[{value}]"
        return f"{names.of(kind.serialize)}({value})"

    def _object(
        self, names: "_Names", kind: GraphQLObjectType, nodes: Sequence[FieldNode], values: Values, value: str
    ) -> str:
        if kind.name not in _PLAIN_TYPES:
            raise NotPlain
        shown = []
        for name, below in self.collect(kind, _selections(nodes)).items():
            if below[0].name.value == "__typename":
                shown.append(f"{name!r}: {kind.name!r}")
                continue
            field = kind.fields[below[0].name.value]
            read = _read(names, field, below[0], values, value)
            shown.append(f"{name!r}: {self._value(names, field.type, below, values, read)}")
        return f"{{{', '.join(shown)}}}"

    def _flat(self, kind: GraphQLObjectType, selection: SelectionSetNode, spread: set[str]) -> Iterator[FieldNode]:
        for node in selection.selections:
            if node.directives:
                raise NotPlain
            if isinstance(node, FieldNode):
                yield node
            else:
                yield from self._of_fragment(kind, node, spread)

    def _of_fragment(self, kind: GraphQLObjectType, node: SelectionNode, spread: set[str]) -> Iterator[FieldNode]:
        if isinstance(node, FragmentSpreadNode):
            if node.name.value in spread:
                return
            spread.add(node.name.value)
            fragment: FragmentDefinitionNode | InlineFragmentNode = self._fragments[node.name.value]
        else:
            assert isinstance(node, InlineFragmentNode)
            fragment = node
        condition = fragment.type_condition
        if fragment.directives:
            raise NotPlain
        if condition is None or condition.name.value in {kind.name, *(i.name for i in kind.interfaces)}:
            yield from self._flat(kind, fragment.selection_set, spread)


class _Names:
    """The names in a compiled expression."""

    def __init__(self) -> None:
        self.given: dict[str, Any] = {"__builtins__": {}}
        self._count = 0

    def new(self) -> str:
        self._count += 1
        return f"_{self._count}"

    def of(self, value: Any) -> str:
        name = self.new()
        self.given[name] = value
        return name


def _read(names: _Names, field: GraphQLField, node: FieldNode, values: Values, source: str) -> str:
    """How a field is read from its object: by its resolver, or as an attribute.

    Raises:
        NotPlain: Its resolver is a coroutine, or wants more than the object and plain arguments.
    """
    definition = field.extensions[GraphQLCoreConverter.DEFINITION_BACKREF]
    resolver = definition.base_resolver
    if resolver is None:
        return f"{source}.{definition.python_name}"
    if resolver.is_async or resolver.info_parameter is not None:
        raise NotPlain
    arguments = called_with(arguments_of(field, node), values)
    given = "".join(f", {name}={names.of(value)}" for name, value in arguments.items())
    return f"{names.of(resolver.wrapped_func)}({source}{given})"


def _named(kind: Any) -> Any:
    while isinstance(kind, GraphQLNonNull | GraphQLList):
        kind = kind.of_type
    return kind


def _selections(nodes: Sequence[FieldNode]) -> list[SelectionSetNode]:
    return [node.selection_set for node in nodes if node.selection_set is not None]
