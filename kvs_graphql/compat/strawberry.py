"""Strawberry: from its graphql-core schema back to the Python functions that it wraps.

Compiled operations call these functions directly. Strawberry keeps the way back in the `extensions` of graphql-core's
fields and arguments, under a key that it does not document.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLArgument,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    InlineFragmentNode,
    get_named_type,
    is_input_object_type,
)
from strawberry import Info, Schema
from strawberry.extensions import FieldExtension
from strawberry.relay import GlobalID
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.base import StrawberryContainer, StrawberryMaybe
from strawberry.types.field import StrawberryField
from strawberry.types.union import StrawberryUnion


class Resolver(NamedTuple):
    """How Strawberry gets the value of a field."""

    python_name: str
    """The attribute of the source that is read where there is no function."""
    function: Callable[..., Any] | None
    is_async: bool
    wants_info: bool
    extensions: tuple[FieldExtension, ...]
    """What wraps the function, permissions among them."""
    is_plain: bool
    """Whether the function takes the source first, and all else by name: `info`, where it wants that, and arguments."""


def graphql_schema(schema: Schema) -> GraphQLSchema:
    """graphql-core's schema. Strawberry has no public way to it: `_schema`.

    Raises:
        ValueError: It has extensions, which only Strawberry's own execution would call.
    """
    if schema.extensions:
        raise ValueError("The extensions of a schema would never be called, because Strawberry does not execute it.")
    found: GraphQLSchema = schema._schema
    return found


def tell_one_of(schema: Schema) -> None:
    """Tell graphql-core which input objects take exactly one field; found by `DEFINITION_BACKREF` too.

    Strawberry does not: it checks values itself, and names no path. Introspection then denies the directive.
    """
    for kind in graphql_schema(schema).type_map.values():
        if isinstance(kind, GraphQLInputObjectType):
            kind.is_one_of = bool(kind.extensions[GraphQLCoreConverter.DEFINITION_BACKREF].is_one_of)


def resolver_of(field: GraphQLField) -> Resolver:
    """The resolver behind a field.

    Undocumented: `DEFINITION_BACKREF`, `base_resolver`, `get_result`, and the parameters of a resolver that have a
    meaning of their own.
    """
    definition = field.extensions[GraphQLCoreConverter.DEFINITION_BACKREF]
    resolver = definition.base_resolver
    extensions = tuple(definition.extensions)
    is_plain = type(definition).get_result is StrawberryField.get_result
    if resolver is None:
        return Resolver(definition.python_name, None, False, False, extensions, is_plain)
    info = resolver.info_parameter
    by_name = info is None or info.name == "info"
    source_first = resolver.self_parameter is not None and resolver.root_parameter is resolver.parent_parameter is None
    return Resolver(
        definition.python_name,
        resolver.wrapped_func,
        resolver.is_async,
        info is not None,
        extensions,
        is_plain and by_name and source_first,
    )


def directives_of(field: GraphQLField) -> Sequence[object]:
    """The schema directives of a field; found by `DEFINITION_BACKREF` too."""
    found: Sequence[object] = field.extensions[GraphQLCoreConverter.DEFINITION_BACKREF].directives
    return found


def metadata_of(field: GraphQLField) -> Mapping[Any, Any]:
    """The metadata of a field; found by `DEFINITION_BACKREF` too."""
    found: Mapping[Any, Any] = field.extensions[GraphQLCoreConverter.DEFINITION_BACKREF].metadata
    return found


def is_made_as(kind: GraphQLUnionType, definition: type[StrawberryUnion]) -> bool:
    """Tell whether a union is of that class of Strawberry's; found by `DEFINITION_BACKREF` too."""
    return isinstance(kind.extensions[GraphQLCoreConverter.DEFINITION_BACKREF], definition)


def checks_objects(kind: GraphQLObjectType) -> bool:
    """Tell whether a type has an `is_type_of` of its own; found by `DEFINITION_BACKREF` too."""
    return kind.extensions[GraphQLCoreConverter.DEFINITION_BACKREF].is_type_of is not None


def selected_names(info: Info) -> frozenset[str]:
    """The names of the fields that are selected of a field's value, at once or in fragments.

    Undocumented: `_raw_info`. The public `selected_fields` expands each fragment as often as it is spread.
    """
    raw = info._raw_info
    names, spread = set[str](), set[str]()
    waiting = [node.selection_set for node in raw.field_nodes]
    while waiting:
        selected = waiting.pop()
        for selection in () if selected is None else selected.selections:
            if isinstance(selection, FieldNode):
                names.add(selection.name.value)
            elif isinstance(selection, InlineFragmentNode):
                waiting.append(selection.selection_set)
            elif isinstance(selection, FragmentSpreadNode) and selection.name.value not in spread:
                spread.add(selection.name.value)
                waiting.append(raw.fragments[selection.name.value].selection_set)
    return frozenset(names)


def is_converted(argument: GraphQLArgument) -> bool:
    """Tell whether Strawberry makes another object of an argument's value (`convert_argument`) before it passes it."""
    kind = argument.extensions[GraphQLCoreConverter.DEFINITION_BACKREF].type
    while isinstance(kind, StrawberryContainer) and not isinstance(kind, StrawberryMaybe):
        kind = kind.of_type
    return isinstance(kind, StrawberryMaybe) or kind is GlobalID or is_input_object_type(get_named_type(argument.type))


def python_name_of(argument: GraphQLArgument) -> str:
    """The name of the parameter that takes an argument; found by `DEFINITION_BACKREF` too."""
    name: str = argument.extensions[GraphQLCoreConverter.DEFINITION_BACKREF].python_name
    return name
