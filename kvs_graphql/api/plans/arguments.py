"""Arguments and variables without graphql-core: only in the exact forms that need no coercion.

Whatever has another form, right or wrong, is `NotPlain`: graphql-core deals with it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    FieldNode,
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    Undefined,
    ValueNode,
    VariableDefinitionNode,
    VariableNode,
    type_from_ast,
    value_from_ast,
)
from strawberry.schema.schema_converter import GraphQLCoreConverter

Coerce = Callable[[Any], Any]
Values = Mapping[str, Any]
"""The value of each variable that has one."""

_INT_MAX = 2**31


class NotPlain(Exception):
    """This is left to graphql-core."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of an operation."""

    name: str
    coerce: Coerce
    default: Any


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a field as its resolver takes it: a constant, or the value of a variable."""

    python_name: str
    constant: Any
    variable: str | None
    nullable: bool


def variables_of(schema: GraphQLSchema, definitions: tuple[VariableDefinitionNode, ...]) -> tuple[Variable, ...]:
    """The variables that an operation declares."""
    return tuple(_variable(schema, definition) for definition in definitions)


def bind(variables: tuple[Variable, ...], given: Mapping[str, Any] | None) -> dict[str, Any]:
    """What a request gives for the variables of an operation.

    Raises:
        NotPlain: Something is missing, or of another form.
    """
    values: dict[str, Any] = {}
    for variable in variables:
        value = Undefined if given is None else given.get(variable.name, Undefined)
        if value is not Undefined:
            values[variable.name] = variable.coerce(value)
        elif variable.default is not Undefined:
            values[variable.name] = variable.default
        else:
            variable.coerce(None)
    return values


def arguments_of(field: GraphQLField, node: FieldNode) -> tuple[Argument, ...]:
    """The arguments that a field is called with; those that are left out have their default in the resolver.

    Raises:
        NotPlain: A variable stands within a list or an object.
    """
    return tuple(_argument(field.args[given.name.value], given.value) for given in node.arguments or ())


def called_with(arguments: tuple[Argument, ...], values: Values) -> dict[str, Any]:
    """The keyword arguments of a resolver.

    Raises:
        NotPlain: A variable is null where an argument must not be.
    """
    found: dict[str, Any] = {}
    for argument in arguments:
        if argument.variable is None:
            found[argument.python_name] = argument.constant
        elif argument.variable in values:
            value = found[argument.python_name] = values[argument.variable]
            if value is None and not argument.nullable:
                raise NotPlain
    return found


def _variable(schema: GraphQLSchema, definition: VariableDefinitionNode) -> Variable:
    kind: Any = type_from_ast(schema, definition.type)
    default = Undefined if definition.default_value is None else value_from_ast(definition.default_value, kind)
    return Variable(definition.variable.name.value, _coercer(kind), default)


def _argument(argument: GraphQLArgument, node: ValueNode) -> Argument:
    name: str = argument.extensions[GraphQLCoreConverter.DEFINITION_BACKREF].python_name
    nullable = not isinstance(argument.type, GraphQLNonNull)
    if isinstance(node, VariableNode):
        return Argument(name, None, node.name.value, nullable)
    constant = value_from_ast(node, argument.type)
    if constant is Undefined:
        raise NotPlain
    return Argument(name, constant, None, nullable)


def _coercer(kind: GraphQLInputType) -> Coerce:
    if isinstance(kind, GraphQLNonNull):
        return _required(_coercer_of_present(kind.of_type))
    present = _coercer_of_present(kind)
    return lambda value: None if value is None else present(value)


def _coercer_of_present(kind: Any) -> Coerce:
    if isinstance(kind, GraphQLList):
        return _list_of(_coercer(kind.of_type))
    if isinstance(kind, GraphQLEnumType):
        return _member_of(kind)
    found = _SCALARS.get(kind.name)
    if found is None:
        raise NotPlain
    return found


def _required(coerce: Coerce) -> Coerce:
    def present(value: Any) -> Any:
        if value is None:
            raise NotPlain
        return coerce(value)

    return present


def _list_of(coerce: Coerce) -> Coerce:
    def coerce_list(value: Any) -> Any:
        if type(value) is not list:
            raise NotPlain
        return [coerce(item) for item in value]

    return coerce_list


def _member_of(kind: GraphQLEnumType) -> Coerce:
    members = {name: kind.parse_value(name) for name in kind.values}

    def coerce_enum(value: Any) -> Any:
        if type(value) is not str or value not in members:
            raise NotPlain
        return members[value]

    return coerce_enum


def _of_type(expected: type) -> Coerce:
    def same(value: Any) -> Any:
        if type(value) is not expected:
            raise NotPlain
        return value

    return same


def _int(value: Any) -> int:
    if type(value) is not int or not -_INT_MAX <= value < _INT_MAX:
        raise NotPlain
    return value


def _float(value: Any) -> float:
    if type(value) is not float and (type(value) is not int or not -_INT_MAX <= value < _INT_MAX):
        raise NotPlain
    return float(value)


_SCALARS: dict[str, Coerce] = {
    "String": _of_type(str),
    "ID": _of_type(str),
    "Cursor": _of_type(str),
    "Boolean": _of_type(bool),
    "Int": _int,
    "Float": _float,
}
