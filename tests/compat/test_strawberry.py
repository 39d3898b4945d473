"""Canaries for what this project uses of Strawberry without a promise."""

from collections.abc import AsyncIterator

import strawberry
from graphql import GraphQLSchema
from strawberry import Info
from strawberry.permission import BasePermission, PermissionExtension

from kvs_graphql.compat.strawberry import graphql_schema, python_name_of, resolver_of


class Refusing(BasePermission):
    def has_permission(self, source: object, info: Info, **_: object) -> bool:
        return False


@strawberry.type
class Query:
    plain: int = 1

    @strawberry.field
    def computed(self, some_number: int = 1) -> int:
        return some_number

    @strawberry.field(permission_classes=[Refusing])
    async def guarded(self, info: Info) -> int:
        return 1


@strawberry.type
class Subscription:
    @strawberry.subscription
    def numbers(self) -> AsyncIterator[int]:
        raise NotImplementedError


SCHEMA = graphql_schema(strawberry.Schema(query=Query, subscription=Subscription))


def test_schema_of_strawberry_leads_to_the_one_of_graphql_core() -> None:
    message = "strawberry.Schema._schema is not graphql-core's schema any more: mend compat.strawberry.graphql_schema"
    assert isinstance(SCHEMA, GraphQLSchema), message


def test_field_leads_to_the_function_of_its_resolver() -> None:
    assert SCHEMA.query_type is not None
    fields = SCHEMA.query_type.fields
    message = "Strawberry's fields no longer lead to their resolvers: mend compat.strawberry.resolver_of"
    assert resolver_of(fields["plain"])[:4] == ("plain", None, False, False), message
    computed, guarded = resolver_of(fields["computed"]), resolver_of(fields["guarded"])
    assert computed.function is not None, message
    assert computed.function(None, some_number=3) == 3, message
    assert (computed.is_async, computed.wants_info, computed.extensions) == (False, False, ()), message
    assert (guarded.is_async, guarded.wants_info) == (True, True), message


def test_permission_classes_are_among_the_extensions_of_a_field() -> None:
    assert SCHEMA.query_type is not None
    (extension,) = resolver_of(SCHEMA.query_type.fields["guarded"]).extensions
    message = "Strawberry's permissions are no extension of their field any more: compiled operations would skip them"
    assert isinstance(extension, PermissionExtension), message
    assert [type(permission) for permission in extension.permissions] == [Refusing], message


def test_argument_leads_to_the_name_of_its_parameter() -> None:
    assert SCHEMA.query_type is not None
    argument = SCHEMA.query_type.fields["computed"].args["someNumber"]
    message = "Strawberry's arguments no longer lead to their parameters: mend compat.strawberry.python_name_of"
    assert python_name_of(argument) == "some_number", message


def test_subscription_keeps_what_its_resolver_returns() -> None:
    assert SCHEMA.subscription_type is not None
    resolver = resolver_of(SCHEMA.subscription_type.fields["numbers"])
    message = "A subscription's resolver that is no async generator is not called as it is any more"
    assert (resolver.is_async, resolver.function is not None) == (False, True), message
