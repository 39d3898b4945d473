"""Canaries for what this project uses of Strawberry without a promise."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import strawberry
from graphql import GraphQLInputObjectType, GraphQLObjectType, GraphQLSchema
from strawberry import Info, Maybe
from strawberry.extensions import SchemaExtension
from strawberry.permission import BasePermission, PermissionExtension
from strawberry.relay import GlobalID
from strawberry.schema_directive import Location
from strawberry.types.field import StrawberryField

from kvs_graphql.compat.strawberry import (
    checks_objects,
    directives_of,
    graphql_schema,
    is_converted,
    python_name_of,
    resolver_of,
    selected_names,
    tell_one_of,
)


class Refusing(BasePermission):
    def has_permission(self, source: object, info: Info, **_: object) -> bool:
        return False


@strawberry.schema_directive(locations=[Location.FIELD_DEFINITION])
class Marked:
    how: str


@strawberry.type
class Query:
    plain: int = 1
    marked: int = strawberry.field(default=1, directives=[Marked(how="well")])

    @strawberry.field
    def computed(self, some_number: int = 1) -> int:
        return some_number

    @strawberry.field(permission_classes=[Refusing])
    async def guarded(self, info: Info) -> int:
        return 1


@strawberry.type
class Page:
    one: int = 1
    two: int = 2


@strawberry.type
class Selecting:
    @strawberry.field
    def page(self, info: Info) -> Page:
        selected.append(selected_names(info))
        return Page()


selected: list[frozenset[str]] = []


@strawberry.type
class Subscription:
    @strawberry.subscription
    def numbers(self) -> AsyncIterator[int]:
        raise NotImplementedError


SCHEMA = graphql_schema(strawberry.Schema(query=Query, subscription=Subscription))


def test_names_that_are_selected_are_found_in_fragments_each_of_which_is_visited_once() -> None:
    schema = strawberry.Schema(query=Selecting)
    doubling = " ".join(f"fragment F{n} on Page {{ ...F{n + 1} ...F{n + 1} }}" for n in range(60))
    document = f"{{ page {{ a: one ... {{ ...F0 }} }} }} {doubling} fragment F60 on Page {{ two @include(if: false) }}"
    assert schema.execute_sync(document).errors is None
    assert selected.pop() == {"one", "two"}, "Info._raw_info changed: mend compat.strawberry.selected_names"
    assert schema.execute_sync("{ page { one } }").errors is None
    assert selected.pop() == {"one"}


def test_schema_of_strawberry_leads_to_the_one_of_graphql_core() -> None:
    message = "strawberry.Schema._schema is not graphql-core's schema any more: mend compat.strawberry.graphql_schema"
    assert isinstance(SCHEMA, GraphQLSchema), message


def test_schema_with_extensions_is_refused() -> None:
    with pytest.raises(ValueError, match="never be called"):
        graphql_schema(strawberry.Schema(Query, extensions=[SchemaExtension]))


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


def test_field_leads_to_its_schema_directives() -> None:
    assert SCHEMA.query_type is not None
    fields = SCHEMA.query_type.fields
    message = "Strawberry's fields no longer lead to their directives: mend compat.strawberry.directives_of"
    assert (list(directives_of(fields["marked"])), list(directives_of(fields["plain"]))) == (
        [Marked(how="well")],
        [],
    ), message


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


class OwnField(StrawberryField):
    def get_result(self, source: Any, info: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:
        return super().get_result(source, info, args, kwargs)


@strawberry.input
class Input:
    number: int


@strawberry.type
class Checked:
    number: int = 1

    @classmethod
    def is_type_of(cls, *_: object) -> bool:
        return True


def of_root(root: object) -> int:
    return id(root)


def of_parent(parent: strawberry.Parent[object]) -> int:
    return id(parent)


def of_nothing(number: int) -> int:
    return number


@strawberry.type
class Fields:
    attribute: int = 1
    own: int = OwnField(python_name="own", graphql_name="own", type_annotation=None, default=1)  # type: ignore[assignment]
    of_root: int = strawberry.field(resolver=of_root)
    of_parent: int = strawberry.field(resolver=of_parent)
    of_nothing: int = strawberry.field(resolver=of_nothing)

    @strawberry.field
    def plain(self, info: Info, number: int | None, numbers: list[int], identity: strawberry.ID) -> Checked:
        return Checked()

    @strawberry.field
    def renamed(self, about: Info) -> int:
        return 1

    @strawberry.field
    def converted(self, one: Input, many: list[Input] | None, perhaps: Maybe[int], identity: GlobalID) -> int:
        return 1


WITH_FIELDS = graphql_schema(strawberry.Schema(query=Fields))
assert WITH_FIELDS.query_type is not None
FIELDS = WITH_FIELDS.query_type.fields


@pytest.mark.parametrize("name", ["attribute", "plain"])
def test_field_with_an_ordinary_resolver_is_plain(name: str) -> None:
    assert resolver_of(FIELDS[name]).is_plain, "Strawberry's resolvers are not told apart any more: nothing compiles"


@pytest.mark.parametrize("name", ["own", "ofRoot", "ofParent", "ofNothing", "renamed"])
def test_field_that_is_called_in_another_way_is_not_plain(name: str) -> None:
    message = "Strawberry's resolvers are not told apart any more: mend compat.strawberry.resolver_of"
    assert not resolver_of(FIELDS[name]).is_plain, message


def test_arguments_that_strawberry_converts_are_known() -> None:
    message = "Strawberry's conversions are not known any more: mend compat.strawberry.is_converted"
    assert {name: is_converted(argument) for name, argument in FIELDS["converted"].args.items()} == {
        "one": True,
        "many": True,
        "perhaps": True,
        "identity": True,
    }, message
    assert not any(is_converted(argument) for argument in FIELDS["plain"].args.values()), message


def test_type_with_a_check_of_its_own_is_known() -> None:
    message = "A type's own is_type_of is not found any more: mend compat.strawberry.checks_objects"
    kinds = [WITH_FIELDS.type_map["Checked"], WITH_FIELDS.type_map["Fields"]]
    assert [isinstance(kind, GraphQLObjectType) and checks_objects(kind) for kind in kinds] == [True, False], message


@strawberry.input(one_of=True)
class Payment:
    card: str | None = strawberry.UNSET
    iban: str | None = strawberry.UNSET


@strawberry.input
class Order:
    payments: list[Payment]


@strawberry.type
class Paying:
    @strawberry.field
    def pay(self, order: Order) -> int:
        return len(order.payments)


def test_input_objects_that_take_exactly_one_field_are_known_to_graphql_core() -> None:
    schema = strawberry.Schema(Paying)
    kinds = graphql_schema(schema).type_map
    document = "query($order: Order!) { pay(order: $order) }"
    wrong = {"order": {"payments": [{"card": "1"}, {"card": "1", "iban": "DE0"}]}}
    assert "payments" not in str(schema.execute_sync(document, variable_values=wrong).errors), (
        "it names the path itself"
    )
    tell_one_of(schema)
    inputs = [kind for kind in kinds.values() if isinstance(kind, GraphQLInputObjectType)]
    assert {kind.name: kind.is_one_of for kind in inputs} == {"Payment": True, "Order": False}
    told = schema.execute_sync(document, variable_values=wrong).errors
    assert "Variable '$order' has invalid value at .payments[1]: " in str(told)
    right = {"order": {"payments": [{"card": "1"}]}}
    assert schema.execute_sync(document, variable_values=right).data == {"pay": 1}
