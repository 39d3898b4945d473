"""Selections of all that a value has."""

from collections.abc import Sequence
from typing import Any

from kvs_graphql.formats import Choice, Many, Shape, Struct

Selection = dict[str, Any] | None
"""Of an object, what is selected of each field; of a union, the same by the name of each type; None of a scalar."""


def everything_in(shape: Shape, values: Sequence[Any]) -> Selection:
    """All that any of these values has; of what is null in all of them, nothing but that."""
    present = [value for value in values if value is not None]
    match shape:
        case Many():
            return everything_in(shape.item, [item for value in present for item in value])
        case Struct():
            return (
                {
                    field.name: everything_in(field.shape, [value[field.name] for value in present])
                    for field in shape.fields
                }
                if present
                else {}
            )
        case Choice():
            structs = {member.struct.name: member.struct for member in shape.members}
            named = {name: [one for one in present if one["__typename"] == name] for name in structs}
            return {name: everything_in(structs[name], own) for name, own in named.items() if own}
    return None


def text_of(shape: Shape, selection: Selection) -> str:
    """A selection in GraphQL. Fields in unions have aliases, because those of two types may be of different types."""
    if selection is None:
        return ""
    match shape:
        case Many():
            return text_of(shape.item, selection)
        case Choice():
            members = {member.struct.name: member.struct for member in shape.members}
            parts = [f"... on {name} {{ {_fields(members[name], one, name)} }}" for name, one in selection.items()]
            return f"{{ __typename {' '.join(parts)} }}"
        case Struct():
            return f"{{ {_fields(shape, selection, '')} }}"
    raise AssertionError(shape)


def _fields(struct: Struct, selection: dict[str, Any], before: str) -> str:
    shapes = {field.name: field.shape for field in struct.fields}
    alias = f"{before}_{{0}}: {{0}}" if before else "{0}"
    parts = [f"{alias.format(name)} {text_of(shapes[name], one)}" for name, one in selection.items()]
    return " ".join(parts) or "__typename"


def without_aliases(shape: Shape, value: Any) -> Any:
    """An answer as if its selection had no aliases."""
    if value is None:
        return None
    match shape:
        case Many():
            return [without_aliases(shape.item, item) for item in value]
        case Choice():
            name = value.pop("__typename")
            (struct,) = (member.struct for member in shape.members if member.struct.name == name)
            own = {key.removeprefix(f"{name}_"): part for key, part in value.items()}
            return {"__typename": name, **without_aliases(struct, own)}
        case Struct():
            shapes = {field.name: field.shape for field in shape.fields}
            return {name: without_aliases(shapes[name], part) for name, part in value.items() if name in shapes}
    return value
