"""Strawberry: from its graphql-core schema back to the Python functions that it wraps.

Compiled operations call these functions directly. Strawberry keeps the way back in the `extensions` of graphql-core's
fields and arguments, under a key that it does not document.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from graphql import GraphQLArgument, GraphQLField, GraphQLSchema
from strawberry import Schema
from strawberry.extensions import FieldExtension
from strawberry.schema.schema_converter import GraphQLCoreConverter


class Resolver(NamedTuple):
    """How Strawberry gets the value of a field."""

    python_name: str
    """The attribute of the source that is read where there is no function."""
    function: Callable[..., Any] | None
    is_async: bool
    wants_info: bool
    extensions: tuple[FieldExtension, ...]
    """What wraps the function, permissions among them."""


def graphql_schema(schema: Schema) -> GraphQLSchema:
    """graphql-core's schema. Strawberry has no public way to it: `_schema`."""
    found: GraphQLSchema = schema._schema
    return found


def resolver_of(field: GraphQLField) -> Resolver:
    """The resolver behind a field. `DEFINITION_BACKREF`, `base_resolver`, `info_parameter` are undocumented."""
    definition = field.extensions[GraphQLCoreConverter.DEFINITION_BACKREF]
    resolver = definition.base_resolver
    extensions = tuple(definition.extensions)
    if resolver is None:
        return Resolver(definition.python_name, None, False, False, extensions)
    wants_info = resolver.info_parameter is not None
    return Resolver(definition.python_name, resolver.wrapped_func, resolver.is_async, wants_info, extensions)


def python_name_of(argument: GraphQLArgument) -> str:
    """The name of the parameter that takes an argument; found by `DEFINITION_BACKREF` too."""
    name: str = argument.extensions[GraphQLCoreConverter.DEFINITION_BACKREF].python_name
    return name
