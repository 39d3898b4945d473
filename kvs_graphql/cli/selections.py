"""Selections of typed data that are built from a service's types, and what they select as the inputs of mutations.

So what the commands print is what they take: unions are shown as the input types write them, `{"card": {...}}`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from graphql import (
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLUnionType,
    get_named_type,
    get_nullable_type,
    is_list_type,
)

from kvs_graphql.errors import RemoteError

# A service allows 10 levels, 2,000 tokens and 100 aliases by default, of which the fields around take a few.
_LEVELS_MAX = 6
_TOKENS_MAX = 1_500
_ALIASES_MAX = 90


class Incomplete(Exception):
    """A value is nested deeper than it was selected."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What to select of a value, and how to show what comes of it."""

    text: str
    """A selection set; empty for a value without parts."""
    show: Callable[[Any], Any]
    """From what was selected to the input that writes it.

    Raises:
        Incomplete: There is more of it.
        RemoteError: A part of it cannot be decoded.
    """


class _TooLarge(Exception):
    """A selection is larger than documents may be."""


def selection_of(output: Any, given: Any = None) -> Selection:
    """The selection of a value with that type, as deep as a document may be.

    `given` is the type of the same value as an input. Without it, unions are shown as they are selected.
    """
    for levels in range(_LEVELS_MAX, 0, -1):
        try:
            return _Selecting().of(output, given, levels)
        except _TooLarge:
            continue
    return _cut()


class _Selecting:
    """One attempt to select everything down to some level."""

    def __init__(self) -> None:
        self._tokens = 0
        self._aliases = 0

    def of(self, output: Any, given: Any, levels: int) -> Selection:
        output, given = get_nullable_type(output), get_nullable_type(given)
        if is_list_type(output):
            one = self.of(output.of_type, given.of_type if is_list_type(given) else None, levels)
            return Selection(one.text, _nullable(lambda items: [one.show(item) for item in items]))
        if isinstance(output, GraphQLObjectType):
            return self._object(output, given, levels) if levels else _cut()
        if isinstance(output, GraphQLUnionType):
            return self._union(output, given, levels) if levels else _cut()
        return Selection("", _nullable(lambda value: value))

    def _object(self, output: GraphQLObjectType, given: Any, levels: int) -> Selection:
        inputs = given.fields if isinstance(given, GraphQLInputObjectType) else {}
        parts = {name: self._field(name, field, inputs, levels) for name, field in output.fields.items()}
        text = " ".join(f"{name} {part.text}".rstrip() for name, part in parts.items())
        return Selection(
            f"{{ {text} }}",
            _nullable(lambda value: {name: part.show(value[name]) for name, part in parts.items()}),
        )

    def _field(self, name: str, field: Any, inputs: Any, levels: int) -> Selection:
        self._spend(tokens=3)
        return self.of(field.type, inputs[name].type if name in inputs else None, levels - 1)

    def _union(self, output: GraphQLUnionType, given: Any, levels: int) -> Selection:
        inputs = list(given.fields.items()) if isinstance(given, GraphQLInputObjectType) else []
        texts = ["__typename"]
        shows: dict[str, Callable[[Any], Any]] = {}
        for number, member in enumerate(output.types):
            # The members of a union and the fields of its input are in the same order.
            name, kind = (inputs[number][0], inputs[number][1].type) if inputs else ("", None)
            is_wrapped = bool(inputs) and _name_of(kind) != f"{member.name}Input"
            text, parts = self._member(number, member, kind, levels, is_wrapped=is_wrapped)
            texts.append(f"... on {member.name} {{ {text} }}")
            shows[member.name] = _shown_member(name, member.name, parts, is_wrapped=is_wrapped)
        return Selection(f"{{ {' '.join(texts)} }}", _nullable(lambda value: shows[value["__typename"]](value)))

    def _member(
        self, number: int, member: GraphQLObjectType, given: Any, levels: int, *, is_wrapped: bool
    ) -> tuple[str, list[tuple[str, str, Selection]]]:
        """The fields of one member. They have aliases, since those of another member may have other types."""
        named = get_nullable_type(given)
        inputs = named.fields if isinstance(named, GraphQLInputObjectType) and not is_wrapped else {}
        parts = list[tuple[str, str, Selection]]()
        for name, field in member.fields.items():
            self._spend(tokens=5, aliases=1)
            kind = given if is_wrapped else inputs[name].type if name in inputs else None
            parts.append((f"{name}_{number}", name, self.of(field.type, kind, levels - 1)))
        return " ".join(f"{alias}: {name} {part.text}".rstrip() for alias, name, part in parts), parts

    def _spend(self, *, tokens: int, aliases: int = 0) -> None:
        self._tokens += tokens
        self._aliases += aliases
        if self._tokens > _TOKENS_MAX or self._aliases > _ALIASES_MAX:
            raise _TooLarge


def _name_of(kind: Any) -> str:
    name: str = get_named_type(kind).name
    return name


def _shown_member(
    name: str, typename: str, parts: list[tuple[str, str, Selection]], *, is_wrapped: bool
) -> Callable[[Any], Any]:
    def show(value: Any) -> Any:
        shown = {field: part.show(value[alias]) for alias, field, part in parts}
        if not name:
            return {"__typename": typename, **shown}
        return {name: shown["value"] if is_wrapped else shown}

    return show


def _nullable(show: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def shown(value: Any) -> Any:
        if isinstance(value, RemoteError):
            raise value
        return None if value is None else show(value)

    return shown


def _cut() -> Selection:
    """Of an object, nothing but whether it is there."""

    def refuse(_: Any) -> Any:
        raise Incomplete

    return Selection("{ __typename }", _nullable(refuse))
