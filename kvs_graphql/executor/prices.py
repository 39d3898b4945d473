"""The price of an operation, foreseen from its document and its variables before anything is read.

The schema states what fields cost, and which arguments say how long lists are (`api.costs`). A field costs its weight;
one more for each 64 characters of text among its arguments, unless it is a root field; and for each of its items the
price of what is selected of it. Fields that a directive may leave out are counted. `__schema` and `__type` have a price
of their own, whatever is selected of them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    StringValueNode,
    Undefined,
    ValueNode,
    VariableNode,
    get_named_type,
    value_from_ast_untyped,
)

from kvs_graphql.api.costs import Cost, ListSize
from kvs_graphql.compat.strawberry import directives_of

Given = Mapping[str, Any]
Amount = int | Callable[[Given], int]
"""A number that is known beforehand, or depends on the variables of a request."""

_INTROSPECTION = 10_000
_CHARACTERS_PER_UNIT = 64
_SIZE_MAX = 2**31


class Price:
    """The price of one operation."""

    def __init__(self, amount: Amount, defaults: Given) -> None:
        self._amount = amount
        self._defaults = defaults
        self.known = amount if isinstance(amount, int) else None
        """The price of every request; None where it depends on variables."""

    def of(self, given: Given | None) -> int:
        """The price with the variables of a request, whose values may have any form."""
        amount = self._amount
        return amount if isinstance(amount, int) else amount({**self._defaults, **(given or {})})


def price_of(
    schema: GraphQLSchema, operation: OperationDefinitionNode, fragments: Sequence[FragmentDefinitionNode]
) -> Price:
    """The price of an operation of a valid document."""
    kind = schema.get_root_type(operation.operation)
    assert kind is not None
    prices = _Prices(schema, {fragment.name.value: fragment for fragment in fragments})
    defaults = {
        definition.variable.name.value: value_from_ast_untyped(definition.default_value)
        for definition in operation.variable_definitions or ()
        if definition.default_value is not None
    }
    return Price(prices.below(kind, [operation.selection_set], _NO_SIZES), defaults)


class _Selected(NamedTuple):
    kind: GraphQLNamedType
    node: FieldNode


class _Sizes(NamedTuple):
    """The size of some lists of an object, which a field above it says."""

    fields: tuple[str, ...]
    size: Amount


_NO_SIZES = _Sizes((), 1)


class _Prices:
    def __init__(self, schema: GraphQLSchema, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self._schema = schema
        self._fragments = fragments
        self._roots = (schema.query_type, schema.mutation_type, schema.subscription_type)

    def below(self, kind: GraphQLNamedType, selections: Sequence[SelectionSetNode], sizes: _Sizes) -> Amount:
        """The price of what is selected of one object."""
        fields: dict[str, list[_Selected]] = {}
        spread: set[str] = set()
        for selection in selections:
            self._collect(kind, selection, fields, spread)
        return _sum([self._of_field(selected, sizes) for selected in fields.values()])

    def _text_of(self, kind: GraphQLNamedType, node: FieldNode) -> Amount:
        """The price of texts that are looked at again for each object."""
        is_root = kind in self._roots
        return 0 if is_root else _sum([_text(argument.value) for argument in node.arguments or ()])

    def _collect(
        self, kind: GraphQLNamedType, selection: SelectionSetNode, fields: dict[str, list[_Selected]], spread: set[str]
    ) -> None:
        """Every field that objects of a type may show, whatever their own type."""
        for node in selection.selections:
            if isinstance(node, FieldNode):
                name = node.alias.value if node.alias else node.name.value
                fields.setdefault(name, []).append(_Selected(kind, node))
                continue
            fragment: FragmentDefinitionNode | InlineFragmentNode
            if isinstance(node, FragmentSpreadNode):
                if node.name.value in spread:
                    continue
                spread.add(node.name.value)
                fragment = self._fragments[node.name.value]
            else:
                assert isinstance(node, InlineFragmentNode)
                fragment = node
            condition = fragment.type_condition
            below = kind if condition is None else self._schema.type_map[condition.name.value]
            self._collect(below, fragment.selection_set, fields, spread)

    def _of_field(self, selected: Sequence[_Selected], sizes: _Sizes) -> Amount:
        kind, node = selected[0]
        name = node.name.value
        if name.startswith("__"):
            return 1 if name == "__typename" else _INTROSPECTION
        assert isinstance(kind, GraphQLObjectType | GraphQLInterfaceType)
        field = kind.fields[name]
        stated = directives_of(field)
        weight = next((int(one.weight) for one in stated if isinstance(one, Cost)), 1)
        listed = next((one for one in stated if isinstance(one, ListSize)), None)
        size: Amount = sizes.size if name in sizes.fields else 1
        inner = _NO_SIZES
        if listed is not None and listed.sized_fields:
            inner = _Sizes(tuple(listed.sized_fields), _size_of(field, node, listed))
        elif listed is not None:
            size = _size_of(field, node, listed)
        selections = [one.node.selection_set for one in selected if one.node.selection_set is not None]
        below = self.below(get_named_type(field.type), selections, inner) if selections else 0
        return _sum([weight, self._text_of(kind, node), _product(size, below)])


def _size_of(field: GraphQLField, node: FieldNode, listed: ListSize) -> Amount:
    """How many items a list has at most, by the arguments of its field."""
    names = listed.slicing_arguments or ()
    given = [argument.value for argument in node.arguments or () if argument.name.value in names]
    variables = [value.name.value for value in given if isinstance(value, VariableNode)]
    known = [_length(value) for value in given if not isinstance(value, VariableNode)]
    defaults = [field.args[name].default_value for name in names]
    otherwise = next((_size(value) for value in defaults if value is not Undefined), None) or listed.assumed_size or 1
    if not variables:
        return max(known, default=otherwise)

    def size(values: Given) -> int:
        sizes = [_size(values[name]) for name in variables if values.get(name) is not None]
        return max(*sizes, *known) if len(sizes) + len(known) > 1 else next(iter(sizes or known), otherwise)

    return size


def _length(node: ValueNode) -> int:
    """The size that a literal says."""
    if isinstance(node, ListValueNode):
        return len(node.values)
    return max(0, int(node.value)) if isinstance(node, IntValueNode) else 1


def _size(value: Any) -> int:
    """The size that a value says: a number, or the length of a list; one value can stand for a list of it."""
    if isinstance(value, list):
        return len(value)
    return max(0, int(value)) if isinstance(value, int | float) and abs(value) < _SIZE_MAX else 1


def _text(node: ValueNode) -> Amount:
    """The price of an argument: of the text that it is, if it is one."""
    if isinstance(node, StringValueNode):
        return len(node.value) // _CHARACTERS_PER_UNIT
    if not isinstance(node, VariableNode):
        return 0
    name = node.name.value
    return lambda values: len(text) // _CHARACTERS_PER_UNIT if isinstance(text := values.get(name), str) else 0


def _sum(amounts: Sequence[Amount]) -> Amount:
    known = sum(amount for amount in amounts if isinstance(amount, int))
    unknown = [amount for amount in amounts if not isinstance(amount, int)]
    if not unknown:
        return known
    return lambda values: known + sum(amount(values) for amount in unknown)


def _product(size: Amount, below: Amount) -> Amount:
    if isinstance(size, int):
        if isinstance(below, int):
            return size * below
        return lambda values: size * below(values)
    if isinstance(below, int):
        return lambda values: size(values) * below
    return lambda values: size(values) * below(values)
