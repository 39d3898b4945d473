"""Variables and arguments of compiled operations.

Values that have the exact form of their type need no coercion. All others, right or wrong, are left to graphql-core.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from graphql import (
    FieldNode,
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLError,
    GraphQLField,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    Undefined,
    ValueNode,
    VariableDefinitionNode,
    VariableNode,
    get_argument_values,
    get_variable_values,
    type_from_ast,
    value_from_ast,
)

from kvs_graphql.compat.strawberry import is_converted, python_name_of

Given = Mapping[str, Any] | None
"""What a request gives for the variables of its operation."""
Exact = Callable[[Any], Any]
"""The coerced value of a value that has exactly the form of a type; `Undefined` for any other."""

_INT_MAX = 2**31
# As graphql-core's own execution has it.
_ERRORS_MAX = 50


class NotCompilable(Exception):
    """The document has something that only graphql-core can execute."""


class Bound(NamedTuple):
    """The variables of one request."""

    values: Mapping[str, Any]
    """The coerced value of each variable that has one."""
    given: Given


class _Variable(NamedTuple):
    name: str
    exact: Exact
    default: Any
    optional: bool


@dataclass(frozen=True, slots=True)
class _Argument:
    """An argument as its resolver takes it: a constant, or the value of a variable."""

    python_name: str
    constant: Any
    variable: str | None
    nullable: bool


class Variables:
    """The variables that an operation declares."""

    def __init__(self, schema: GraphQLSchema, definitions: tuple[VariableDefinitionNode, ...]) -> None:
        self._schema = schema
        self._definitions = definitions
        self._variables = tuple(_variable(schema, definition) for definition in definitions)

    def bind(self, given: Given) -> Bound | list[GraphQLError]:
        """The values of the variables in one request, or what is wrong with them."""
        values: dict[str, Any] = {}
        for name, exact, default, optional in self._variables:
            value = Undefined if given is None else given.get(name, Undefined)
            if value is not Undefined:
                value = exact(value)
            elif default is not Undefined:
                value = default
            elif optional:
                continue
            if value is Undefined:
                return self._coerce(given)
            values[name] = value
        return Bound(values, given)

    def _coerce(self, given: Given) -> Bound | list[GraphQLError]:
        coerced = get_variable_values(self._schema, self._definitions, dict(given or {}), max_errors=_ERRORS_MAX)
        return coerced if isinstance(coerced, list) else Bound(coerced.coerced, given)

    def check_arguments(self, field: GraphQLField, node: FieldNode, given: Given) -> None:
        """Raise graphql-core's own error about the arguments of a field, where there is one."""
        coerced = get_variable_values(self._schema, self._definitions, dict(given or {}), max_errors=_ERRORS_MAX)
        if not isinstance(coerced, list):
            get_argument_values(field, node, coerced)


class Arguments:
    """The arguments that a field is called with; those that are left out have their default in the resolver."""

    def __init__(self, variables: Variables, field: GraphQLField, node: FieldNode) -> None:
        """Raises: NotCompilable: A variable stands within a list or an object, or Strawberry converts an argument."""
        arguments = [_argument(field.args[given.name.value], given.value) for given in node.arguments or ()]
        self._of_operation = variables
        self._field = field
        self._node = node
        self._constants = {one.python_name: one.constant for one in arguments if one.variable is None}
        self._variables = tuple((one.python_name, one.variable, one.nullable) for one in arguments if one.variable)
        self.variables = frozenset(one.variable for one in arguments if one.variable)
        """The names of the variables among them."""

    def values(self, bound: Bound) -> dict[str, Any]:
        """The keyword arguments of the resolver.

        Raises:
            GraphQLError: A variable is null where the argument must not be.
        """
        if not self._variables:
            return self._constants
        found = dict(self._constants)
        for python_name, variable, nullable in self._variables:
            value = bound.values.get(variable, Undefined)
            if value is None and not nullable:
                self._of_operation.check_arguments(self._field, self._node, bound.given)
            if value is not Undefined:
                found[python_name] = value
        return found


def _variable(schema: GraphQLSchema, definition: VariableDefinitionNode) -> _Variable:
    kind: Any = type_from_ast(schema, definition.type)
    default = Undefined if definition.default_value is None else value_from_ast(definition.default_value, kind)
    return _Variable(definition.variable.name.value, _exact(kind), default, not isinstance(kind, GraphQLNonNull))


def _argument(argument: GraphQLArgument, node: ValueNode) -> _Argument:
    if is_converted(argument):
        raise NotCompilable
    name, nullable = python_name_of(argument), not isinstance(argument.type, GraphQLNonNull)
    if isinstance(node, VariableNode):
        return _Argument(name, None, node.name.value, nullable)
    constant = value_from_ast(node, argument.type)
    if constant is Undefined:
        raise NotCompilable
    return _Argument(name, constant, None, nullable)


def _exact(kind: Any) -> Exact:
    if isinstance(kind, GraphQLNonNull):
        # No exact form of a present value is None.
        return _exact_if_present(kind.of_type)
    present = _exact_if_present(kind)
    return lambda value: None if value is None else present(value)


def _exact_if_present(kind: Any) -> Exact:
    if isinstance(kind, GraphQLList):
        return _exact_list(_exact(kind.of_type))
    if isinstance(kind, GraphQLEnumType):
        members = {name: kind.parse_value(name) for name in kind.values}
        return lambda value: members.get(value, Undefined) if type(value) is str else Undefined
    # Scalars and input objects that are not here are always left to graphql-core.
    return _EXACT_SCALARS.get(kind.name, lambda _: Undefined)


def _exact_list(exact: Exact) -> Exact:
    def exact_list(value: Any) -> Any:
        if type(value) is not list:
            return Undefined
        items = [exact(item) for item in value]
        return Undefined if Undefined in items else items

    return exact_list


def _exact_type(expected: type) -> Exact:
    return lambda value: value if type(value) is expected else Undefined


def _exact_int(value: Any) -> Any:
    return value if type(value) is int and -_INT_MAX <= value < _INT_MAX else Undefined


def _exact_float(value: Any) -> Any:
    if type(value) is float:
        return value
    return Undefined if _exact_int(value) is Undefined else float(value)


_EXACT_SCALARS: dict[str, Exact] = {
    "String": _exact_type(str),
    "ID": _exact_type(str),
    "Cursor": _exact_type(str),
    "Boolean": _exact_type(bool),
    "Int": _exact_int,
    "Float": _exact_float,
}
