"""Object types, enumerations and unions from shapes."""

from collections.abc import Callable, Collection, Generator, Iterable
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from functools import partial
from types import new_class
from typing import Any

import strawberry
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.field import StrawberryField
from strawberry.types.union import StrawberryUnion

from kvs_graphql.api.fields import IN_TURNS
from kvs_graphql.api.typed.scalars import SCALAR_TYPES
from kvs_graphql.formats import Choice, Enumeration, Field, Many, Scalar, Shape, Struct, Undecodable
from kvs_graphql.turns import Aside, InTurns

_CONVERTED_AT_ONCE_MAX = 1_024
_CONVERTED_PER_PIECE = 256
"""Parts of lists; each takes up to four microseconds."""

Convert = Callable[[Any], Any]
"""From a decoded value to what GraphQL's execution expects of its type."""


class Chosen:
    """A value of a choice, with the type that it has."""

    __slots__ = ("typename", "value")

    def __init__(self, typename: str, value: Any) -> None:
        self.typename = typename
        self.value = value


@dataclass(frozen=True, slots=True)
class Part:
    """A field of a struct, in GraphQL."""

    field: Field
    convert: Convert | None
    """The conversion of what is read of the field, if that is not null; None where it stays as it is."""

    @property
    def read(self) -> Convert:
        """From an object to what GraphQL's execution expects of the field."""
        read, convert = self.field.read, self.convert
        if convert is None:
            return read
        if self.field.nullable:
            return lambda value: None if (part := read(value)) is None else convert(part)
        return lambda value: convert(read(value))


class ChoiceUnion(StrawberryUnion):
    """A union of types whose objects are `Chosen`."""

    def get_type_resolver(self, type_map: Any) -> Any:
        """How graphql-core finds the type of an object."""
        return lambda chosen, *_: chosen.typename


class OutputTypes:
    """The GraphQL types of one schema, each made once."""

    def __init__(self) -> None:
        self._namespace: dict[str, Any] = {}
        self._begun: set[str] = set()
        self._enumerations: dict[str, type[Enum]] = {}

    @property
    def names(self) -> AbstractSet[str]:
        """The names of the types that were made, in GraphQL."""
        return self._begun

    def of(self, shape: Shape) -> Any:
        """The type of a shape, as an annotation."""
        self._name(shape)
        return self._namespace.get(self._expression(shape)) or StrawberryAnnotation(
            self._expression(shape), namespace=self._namespace
        )

    def enumeration(self, shape: Enumeration) -> type[Enum]:
        """The enumeration of a shape."""
        self._name(shape)
        return self._enumerations[shape.name]

    def part(self, field: Field) -> Part:
        """A field of a struct in GraphQL."""
        return Part(field, self.converter(field.shape))

    def converter(self, shape: Shape) -> Convert | None:
        """The conversion of a present value; None where it stays as it is."""
        match shape:
            case Scalar():
                return shape.show if shape.show is None or shape.is_long is None else _aside(shape.show, shape.is_long)
            case Enumeration():
                # The name itself: a member would have to be looked up again.
                return _Names(shape).__getitem__
            case Many():
                return self._list(shape)
            case Choice():
                return _choose(shape)
            case Struct():
                return None

    def _list(self, shape: Many) -> Convert | None:
        items, convert = shape.items, self.converter(shape.item)
        if convert is None:
            if isinstance(shape.item, Struct):
                return _objects(items)
            return None if items is None else lambda value: list(items(value))
        each = _unless_null(convert) if shape.item_nullable else convert
        parts = _parts if isinstance(shape.item, Many) else _one

        def converted(value: Any) -> list[Any]:
            found = value if items is None else items(value)
            number = len(found)
            if number <= _CONVERTED_AT_ONCE_MAX and parts is not _one:
                number = sum(map(parts, found))
            if number <= _CONVERTED_AT_ONCE_MAX:
                # One item may take long by itself.
                with suppress(InTurns):
                    return [each(item) for item in found]
            raise InTurns(_converted(each, found, parts))

        return converted

    def _name(self, shape: Shape) -> str:
        """The name of a shape's type in the namespace, where it now is; that of a list is of its items."""
        match shape:
            case Scalar():
                name = shape.kind.value
                self._namespace[name] = SCALAR_TYPES[shape.kind]
                return name
            case Many():
                return self._name(shape.item)
            case _:
                if shape.name not in self._begun:
                    # A type that refers to itself finds its name there only later, as Strawberry expects.
                    self._begun.add(shape.name)
                    self._namespace[shape.name] = self._made(shape)
                return shape.name

    def _made(self, shape: Enumeration | Struct | Choice) -> Any:
        match shape:
            case Enumeration():
                return self._enumeration(shape)
            case Choice():
                return self._union(shape)
            case Struct():
                return self._object(shape)

    def _enumeration(self, shape: Enumeration) -> Any:
        # Names of their own: Python's enumerations cannot have members called `mro`, or `_any_` with such underscores.
        values = {
            f"value_{number}": strawberry.enum_value(value.name, value.name, description=value.description or None)
            for number, value in enumerate(shape.values)
        }
        kind = Enum(shape.name, values)  # type: ignore[misc]
        self._enumerations[shape.name] = kind
        return strawberry.enum(kind, name=shape.name, description=shape.description or None)

    def _union(self, shape: Choice) -> Any:
        names = [self._name(member.struct) for member in shape.members]
        members = tuple(StrawberryAnnotation(name, namespace=self._namespace) for name in names)
        return ChoiceUnion(shape.name, members, shape.description or None)

    def _object(self, shape: Struct) -> Any:
        names = {f"field_{number}": field for number, field in enumerate(shape.fields)}
        body = {name: self._field(field) for name, field in names.items()}
        kind: Any = new_class(shape.name, (), {}, lambda own: own.update(body))
        made = strawberry.type(kind, name=shape.name, description=shape.description or None)
        # Only now: Strawberry would look the types up at once, and they may refer to this one.
        for field in made.__strawberry_definition__.fields:
            field.type_annotation = self._annotation(names[field.python_name])
        return made

    def _field(self, field: Field) -> StrawberryField:
        self._name(field.shape)
        made: StrawberryField = strawberry.field(
            resolver=_resolver(self.part(field)),
            name=field.name,
            graphql_type=object,
            metadata=IN_TURNS if _may_take_long(field.shape) else None,
            description=field.description or None,
            deprecation_reason=field.deprecated,
        )
        return made

    def _annotation(self, field: Field) -> StrawberryAnnotation:
        optional = " | None" if field.nullable else ""
        return StrawberryAnnotation(self._expression(field.shape) + optional, namespace=self._namespace)

    def _expression(self, shape: Shape) -> str:
        match shape:
            case Scalar():
                return shape.kind.value
            case Many():
                return f"list[{self._expression(shape.item)}{' | None' if shape.item_nullable else ''}]"
            case _:
                return shape.name


def _resolver(part: Part) -> Convert:
    read = part.read

    def resolve(self: Any) -> Any:
        return read(self.value if type(self) is Chosen else self)

    resolve.part = part  # type: ignore[attr-defined]
    return resolve


class _Names(dict[Any, str]):
    """The names of an enumeration's values in GraphQL, by what decoded data has for them."""

    def __init__(self, shape: Enumeration) -> None:
        super().__init__({value.decoded: value.name for value in shape.values})
        self._shape = shape

    def __missing__(self, decoded: Any) -> str:
        if self._shape.unrecognized:
            return self._shape.unrecognized
        raise Undecodable(f"{self._shape.name} has no value {decoded}")


def _may_take_long(shape: Shape) -> bool:
    return isinstance(shape, Many) or (isinstance(shape, Scalar) and shape.is_long is not None)


def _aside(show: Convert, is_long: Callable[[Any], bool]) -> Convert:
    """The conversion of a scalar that is done in a thread where it takes long."""

    def pieces(value: Any) -> Generator[Any, Any, Any]:
        return (yield Aside(partial(show, value)))

    def shown(value: Any) -> Any:
        if is_long(value):
            raise InTurns(pieces(value))
        return show(value)

    return shown


def _choose(shape: Choice) -> Convert:
    members = [(member.matches, member.read, member.struct.name) for member in shape.members]

    def choose(value: Any) -> Chosen:
        for matches, read, typename in members:
            if matches(value):
                return Chosen(typename, read(value))
        raise Undecodable(f"The value is of no member of {shape.name}")

    return choose


def _objects(items: Callable[[Any], Collection[Any]] | None) -> Convert:
    """A list of objects, which are shown one after the other: a long one in turns."""

    def listed(value: Any) -> Any:
        found = value if items is None else items(value)
        if len(found) > _CONVERTED_AT_ONCE_MAX:
            raise InTurns(_converted(_same, found, _one))
        return found if found.__class__ is list else list(found)

    return listed


def _unless_null(convert: Convert) -> Convert:
    return lambda item: None if item is None else convert(item)


def _same(value: Any) -> Any:
    return value


def _one(_: Any) -> int:
    return 1


def _parts(value: Any) -> int:
    """About how many parts a value has that is converted as a whole: an item, or a list of lists."""
    if value.__class__ is list:
        return 1 + sum(map(_parts, value))
    return 1 + len(value) if value.__class__ is dict else 1


def _converted(convert: Convert, items: Iterable[Any], parts: Callable[[Any], int]) -> Generator[Any, Any, list[Any]]:
    """A long list, read and converted in pieces."""
    converted, left = [], 0
    for item in items:
        if left <= 0:
            yield
            left = _CONVERTED_PER_PIECE
        left -= parts(item)
        try:
            converted.append(convert(item))
        except InTurns as work:
            converted.append((yield from work.pieces))
    return converted
