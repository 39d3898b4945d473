"""What a document selects of an object, compiled into one function from the object to its form in JSON.

The fields' own resolvers are called, as graphql-core would, but nothing is looked up again for each object. Non-null
fields are not checked for null: the types of resolvers are those of the schema, and a type checker holds them to it.
The function raises whatever goes wrong in it; `completion` then finds out where.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from operator import attrgetter
from typing import Any, NamedTuple

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
    GraphQLString,
    GraphQLUnionType,
    InlineFragmentNode,
    SelectionNode,
    SelectionSetNode,
    get_named_type,
    get_nullable_type,
    is_abstract_type,
    is_leaf_type,
)
from strawberry.extensions import FieldExtension
from strawberry.permission import PermissionExtension

from kvs_graphql.access import Access
from kvs_graphql.api.permissions import AccessPermission
from kvs_graphql.api.scalars import WRITTEN_AS_THEY_ARE
from kvs_graphql.api.typed import ChoiceUnion, Part
from kvs_graphql.compat.strawberry import checks_objects, is_made_as, metadata_of, resolver_of
from kvs_graphql.executor.compiled.arguments import Arguments, Bound, NotCompilable, Variables
from kvs_graphql.executor.compiled.displays import Show, Shown, display
from kvs_graphql.turns import TooMuchAtOnce

_WEIGHT_MAX = 4_096
"""Units of typed data that are shown in one piece; one takes about half a microsecond."""
_CONVERTED_WEIGHT = 4


class Selected(NamedTuple):
    """A field that a document selects."""

    name: str
    """As the answer names it."""
    nodes: list[FieldNode]
    parent: str
    """The name of the type that has the field."""
    type: Any
    """graphql-core's type of the field."""
    reader: "Callable[[Bound, Access], Show]"
    """How the field is read from its object, for the variables and the principal of a request."""
    below: "tuple[Selected, ...]"
    """What is selected of the field's value, where that is an object."""
    choices: "Mapping[str, tuple[Selected, ...]]"
    """What is selected of the field's value, by the name of its type, where that is of a union."""
    variables: frozenset[str]
    """The variables that the field's arguments use, and those of all below."""
    decodes: bool = False
    """Whether its value is decoded from the bytes of a record."""
    part: Part | None = None
    """The part of typed data that it is; None for other fields."""
    weight: int = 0
    """About how many units of work showing one value of it takes, typed data alone; one item, where it is a list."""

    @property
    def parts(self) -> "Iterator[Selected]":
        """All that is selected of the field's value, whatever its type."""
        yield from self.below
        for below in self.choices.values():
            yield from below


class Selections:
    """The selections of one operation, whatever of them can be compiled."""

    def __init__(
        self, schema: GraphQLSchema, fragments: Mapping[str, FragmentDefinitionNode], variables: Variables
    ) -> None:
        self._schema = schema
        self._fragments = fragments
        self._variables = variables

    def of_type(self, kind: GraphQLObjectType, selections: Sequence[SelectionSetNode]) -> dict[str, list[FieldNode]]:
        """The fields of a type by their names in the answer, in the order in which they first appear.

        Raises:
            NotCompilable: A directive decides at execution time what is selected.
        """
        fields: dict[str, list[FieldNode]] = {}
        spread: set[str] = set()
        for selection in selections:
            for node in self._flat(kind, selection, spread):
                fields.setdefault(node.alias.value if node.alias else node.name.value, []).append(node)
        return fields

    def below(
        self, kind: Any, nodes: Sequence[FieldNode]
    ) -> tuple[tuple[Selected, ...], Mapping[str, tuple[Selected, ...]]]:
        """What these nodes select of a value of a type, or of each type of a union; nothing of a leaf.

        Raises:
            NotCompilable: Something of it is left to graphql-core.
        """
        kind = get_named_type(kind)
        if is_leaf_type(kind):
            return (), _NO_CHOICES
        if isinstance(kind, GraphQLUnionType) and is_made_as(kind, ChoiceUnion):
            return (), {member.name: self._below_object(member, nodes) for member in kind.types}
        return self._below_object(kind, nodes), _NO_CHOICES

    def _below_object(self, kind: Any, nodes: Sequence[FieldNode]) -> tuple[Selected, ...]:
        if not isinstance(kind, GraphQLObjectType) or checks_objects(kind):
            raise NotCompilable
        selections = [node.selection_set for node in nodes if node.selection_set is not None]
        return tuple(self._selected(kind, name, nodes) for name, nodes in self.of_type(kind, selections).items())

    def _selected(self, kind: GraphQLObjectType, name: str, nodes: list[FieldNode]) -> Selected:
        field = kind.fields.get(nodes[0].name.value)
        if field is None:
            return _meta_field(kind, name, nodes)
        arguments = Arguments(self._variables, field, nodes[0])
        below, choices = self.below(field.type, nodes)
        selected = Selected(
            name, nodes, kind.name, field.type, reader_of(field, arguments), below, choices, arguments.variables
        )
        variables = arguments.variables.union(*(one.variables for one in selected.parts))
        part: Part | None = getattr(resolver_of(field).function, "part", None)
        return selected._replace(
            variables=variables,
            decodes=bool(metadata_of(field).get("decodes")),
            part=part,
            weight=weight_of(part, below, choices),
        )

    def _flat(self, kind: GraphQLObjectType, selection: SelectionSetNode, spread: set[str]) -> Iterator[FieldNode]:
        for node in selection.selections:
            if node.directives:
                raise NotCompilable
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
            raise NotCompilable
        if condition is None or self._is_of(kind, condition.name.value):
            yield from self._flat(kind, fragment.selection_set, spread)

    def _is_of(self, kind: GraphQLObjectType, name: str) -> bool:
        """Whether objects of a type are of the type with that name, which may be an interface or a union."""
        condition = self._schema.type_map[name]
        return condition is kind or (is_abstract_type(condition) and self._schema.is_sub_type(condition, kind))


def reader_of(field: GraphQLField, arguments: Arguments) -> Callable[[Bound, Access], Show]:
    """How a field is read from its object: by its resolver, or as an attribute.

    Raises:
        NotCompilable: Its resolver is a coroutine or wants more than the object and its arguments, or it has an
            extension other than permissions that depend on the principal alone.
    """
    resolver = resolver_of(field)
    permissions = permissions_of(resolver.extensions)
    if resolver.is_async or resolver.wants_info or not resolver.is_plain:
        raise NotCompilable
    part: Part | None = getattr(resolver.function, "part", None)
    if part is not None:
        # The function of the codec, without Strawberry's resolver around it.
        read = part.read
        plain: Callable[[Bound], Show] = lambda _: read  # noqa: E731
    elif resolver.function is None:
        plain = lambda _: attrgetter(resolver.python_name)  # noqa: E731
    else:
        plain = partial(_called, resolver.function, arguments)

    def reader(bound: Bound, access: Access) -> Show:
        refusing = next((one for one in permissions if not one.allows(access)), None)
        return plain(bound) if refusing is None else lambda _: refusing.on_unauthorized()

    return reader


def permissions_of(extensions: Sequence[FieldExtension]) -> tuple[AccessPermission, ...]:
    """The permissions of a field, in order.

    Raises:
        NotCompilable: It has another extension, or a permission that depends on more than the principal.
    """
    permissions: list[AccessPermission] = []
    for extension in extensions:
        if not isinstance(extension, PermissionExtension) or extension.fail_silently:
            raise NotCompilable
        for permission in extension.permissions:
            if not isinstance(permission, AccessPermission):
                raise NotCompilable
            permissions.append(permission)
    return tuple(permissions)


def weight_of(part: Part | None, below: Sequence[Selected], choices: Mapping[str, Sequence[Selected]]) -> int:
    """The weight of a field of which that is selected. The items of a list below weigh when they are shown."""
    own = 0 if part is None else 1 if part.convert is None else _CONVERTED_WEIGHT
    return own + _weight(below) + max(map(_weight, choices.values()), default=0)


def _weight(fields: Sequence[Selected]) -> int:
    return sum(
        min(one.weight, 1) if isinstance(get_nullable_type(one.type), GraphQLList) else one.weight for one in fields
    )


def show_of(field: Selected, kind: Any, bound: Bound, access: Access) -> Show | None:
    """How a value of a type is shown; None where the encoder writes it as it is.

    What it gives raises `TooMuchAtOnce` where lists have so many parts of typed data that others would have to wait.

    Raises:
        GraphQLError: A variable is null where an argument must not be.
    """
    shows = _Shows(bound, access)
    show = shows.of(field, kind)
    return show if show is None or not shows.scales.are_used else shows.scales.emptied_before(show)


class _Scales:
    """Weighs what is shown in one piece. It outlives a request, as what shows values does, and keeps nothing of one."""

    def __init__(self) -> None:
        self.are_used = False
        self._left = 0

    def emptied_before(self, show: Show) -> Show:
        """How a value is shown from which the weight is counted."""

        def shown(value: Any) -> Any:
            self._left = _WEIGHT_MAX
            return show(value)

        return shown

    def items(self, weight: int, item: Show | None) -> Show:
        """How a list is shown each of whose items has that weight, and is shown as `item` says."""
        self.are_used = True

        def shown(items: Any) -> Any:
            self._left -= weight * len(items)
            if self._left < 0:
                raise TooMuchAtOnce
            return items if item is None else [item(one) for one in items]

        return shown


class _Shows:
    """How the values below one are shown for a request."""

    def __init__(self, bound: Bound, access: Access) -> None:
        self.scales = _Scales()
        self._bound = bound
        self._access = access

    def of(self, field: Selected, kind: Any) -> Show | None:
        if isinstance(kind, GraphQLNonNull):
            return self._of_present(field, kind.of_type)
        show = self._of_present(field, kind)
        return None if show is None else lambda value: None if value is None else show(value)

    def _of_present(self, field: Selected, kind: Any) -> Show | None:
        if isinstance(kind, GraphQLList):
            return self._list(field, kind.of_type)
        if isinstance(kind, GraphQLObjectType):
            return self._fields(field.below)
        if isinstance(kind, GraphQLUnionType):
            return self._union(field.choices)
        if kind.name in WRITTEN_AS_THEY_ARE or (field.part is not None and isinstance(kind, GraphQLEnumType)):
            return None
        if isinstance(kind, GraphQLEnumType):
            return {kind.parse_value(name): name for name in kind.values}.__getitem__
        serialize: Show = kind.serialize
        return serialize

    def _list(self, field: Selected, kind: Any) -> Show | None:
        item = self.of(field, kind)
        if field.weight:
            return self.scales.items(field.weight, item)
        return None if item is None else lambda value: [item(one) for one in value]

    def _union(self, choices: Mapping[str, tuple[Selected, ...]]) -> Show:
        """Objects of unions say which type they have."""
        shows = {name: self._fields(below) for name, below in choices.items()}
        return lambda chosen: shows[chosen.typename](chosen.value)

    def _fields(self, fields: Sequence[Selected]) -> Show:
        """A dictionary of the fields."""
        return display([self._field(one) for one in fields])

    def _field(self, field: Selected) -> Shown:
        part, is_nullable = field.part, not isinstance(field.type, GraphQLNonNull)
        show = self._of_present(field, field.type if is_nullable else field.type.of_type)
        if part is None:
            return Shown(
                field.name, field.reader(self._bound, self._access), () if show is None else (show,), is_nullable
            )
        shows = tuple(one for one in (part.convert, show) if one is not None)
        return Shown(field.name, part.field.read, shows, is_nullable, part.field.sure)


def _called(function: Callable[..., Any], arguments: Arguments, bound: Bound) -> Show:
    values = arguments.values(bound)
    return partial(function, **values) if values else function


def _meta_field(kind: GraphQLObjectType, name: str, nodes: list[FieldNode]) -> Selected:
    if nodes[0].name.value != "__typename":
        raise NotCompilable
    typename = kind.name
    return Selected(name, nodes, kind.name, _TYPENAME, lambda *_: lambda _: typename, (), _NO_CHOICES, frozenset())


_TYPENAME = GraphQLNonNull(GraphQLString)
_NO_CHOICES: Mapping[str, tuple[Selected, ...]] = {}
