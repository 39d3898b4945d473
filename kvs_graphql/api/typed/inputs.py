"""Input types from shapes, and their values as codecs take them."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from enum import Enum
from types import new_class
from typing import Any

import strawberry
from strawberry import UNSET
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.field import StrawberryField

from kvs_graphql.api.typed.outputs import OutputTypes
from kvs_graphql.api.typed.scalars import SCALAR_TYPES
from kvs_graphql.formats import Choice, Enumeration, Field, Many, Member, Scalar, Shape, Struct


class InputTypes:
    """The input types of one schema, each made once. Enumerations are those of its output types."""

    def __init__(self, outputs: OutputTypes) -> None:
        self._outputs = outputs
        self._namespace: dict[str, Any] = {}
        self._begun: set[str] = set()

    @property
    def names(self) -> AbstractSet[str]:
        """The names of the types that were made, in GraphQL."""
        return {_input(name) for name in self._begun}

    def of(self, shape: Shape) -> StrawberryAnnotation:
        """The type of a shape, as an annotation."""
        self._name(shape)
        return StrawberryAnnotation(self._expression(shape), namespace=self._namespace)

    def value(self, shape: Shape, given: Any) -> Any:
        """What a codec takes, of an argument of that shape as Strawberry gives it."""
        if given is None:
            return None
        match shape:
            case Scalar():
                return given
            case Enumeration():
                return given.value if isinstance(given, Enum) else given
            case Many():
                return [self.value(shape.item, item) for item in given]
            case Struct():
                return self._fields(_by_python_name(shape.fields), given)
            case Choice():
                return {
                    member.name: self.value(_member_shape(member), part)
                    for name, member in _by_python_name(shape.members).items()
                    if (part := getattr(given, name)) is not UNSET
                }

    def _fields(self, fields: Mapping[str, Field], given: Any) -> dict[str, Any]:
        return {
            field.name: self.value(field.shape, part)
            for name, field in fields.items()
            if (part := getattr(given, name)) is not UNSET
        }

    def _name(self, shape: Shape) -> None:
        match shape:
            case Scalar():
                self._namespace[shape.kind.value] = SCALAR_TYPES[shape.kind]
            case Enumeration():
                self._namespace[shape.name] = self._outputs.enumeration(shape)
            case Many():
                self._name(shape.item)
            case Struct() | Choice():
                if shape.name not in self._begun:
                    self._begun.add(shape.name)
                    self._namespace[_input(shape.name)] = self._made(shape)

    def _made(self, shape: Struct | Choice) -> Any:
        if isinstance(shape, Struct):
            parts: dict[str, Field | Member] = dict(_by_python_name(shape.fields))
        else:
            parts = dict(_by_python_name(shape.members))
        body = {name: _field(part) for name, part in parts.items()}
        annotations = dict.fromkeys(body, object)
        kind: Any = new_class(_input(shape.name), (), {}, lambda own: own.update(body, __annotations__=annotations))
        made = strawberry.input(
            kind,
            name=_input(shape.name),
            description=shape.description or None,
            one_of=isinstance(shape, Choice) or None,
        )
        for field in made.__strawberry_definition__.fields:
            field.type_annotation = self._annotation(parts[field.python_name])
        return made

    def _annotation(self, part: Field | Member) -> StrawberryAnnotation:
        shape = part.shape if isinstance(part, Field) else _member_shape(part)
        self._name(shape)
        expression = self._expression(shape) + (" | None" if _may_be_left_out(part) else "")
        return StrawberryAnnotation(expression, namespace=self._namespace)

    def _expression(self, shape: Shape) -> str:
        match shape:
            case Scalar():
                return shape.kind.value
            case Enumeration():
                return shape.name
            case Many():
                return f"list[{self._expression(shape.item)}{' | None' if shape.item_nullable else ''}]"
            case Struct() | Choice():
                return _input(shape.name)


def _input(name: str) -> str:
    return f"{name}Input"


def _by_python_name(parts: Any) -> dict[str, Any]:
    """Names in GraphQL may be words of Python."""
    return {f"field_{number}": part for number, part in enumerate(parts)}


def _member_shape(member: Member) -> Shape:
    """What a member's input is: of a wrapper, what it wraps."""
    return member.struct.fields[0].shape if member.is_wrapper else member.struct


def _may_be_left_out(part: Field | Member) -> bool:
    return isinstance(part, Member) or part.nullable or part.optional


def _field(part: Field | Member) -> StrawberryField:
    made: StrawberryField = strawberry.field(
        name=part.name,
        graphql_type=object,
        description=(part.description if isinstance(part, Field) else "") or None,
        **({"default": UNSET} if _may_be_left_out(part) else {}),
    )
    return made
