"""Selections of everything in a shape, and what of a value they select."""

from collections import Counter
from typing import Any

from kvs_graphql.formats import Choice, Many, Shape, Struct

Selection = dict[str, Any] | None
"""Of an object, what is selected of each field; of a union, the same by the name of each type; None of a scalar."""

# A type that lies in itself is selected so often.
_TIMES_MAX = 3


def everything(shape: Shape, seen: Counter[str] | None = None) -> Selection:
    """All that a shape has; of what lies in itself, only so deep."""
    seen = Counter() if seen is None else seen
    match shape:
        case Many():
            return everything(shape.item, seen)
        case Struct():
            deeper = seen + Counter([shape.name])
            parts = {field.name: field.shape for field in shape.fields}
            return {name: everything(part, deeper) for name, part in parts.items() if not _too_often(part, deeper)}
        case Choice():
            return {member.struct.name: everything(member.struct, seen) for member in shape.members}
    return None


def _too_often(shape: Shape, seen: Counter[str]) -> bool:
    match shape:
        case Many():
            return _too_often(shape.item, seen)
        case Struct():
            return seen[shape.name] >= _TIMES_MAX
        case Choice():
            return any(seen[member.struct.name] >= _TIMES_MAX for member in shape.members)
    return False


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


def selected(shape: Shape, selection: Selection, value: Any) -> Any:
    """What a selection has of a whole value."""
    if value is None or selection is None:
        return value
    match shape:
        case Many():
            return [selected(shape.item, selection, item) for item in value]
        case Choice():
            name = value["__typename"]
            (struct,) = (member.struct for member in shape.members if member.struct.name == name)
            return {"__typename": name, **selected(struct, selection[name], value)}
        case Struct():
            shapes = {field.name: field.shape for field in shape.fields}
            return {name: selected(shapes[name], one, value[name]) for name, one in selection.items()}
    raise AssertionError(shape)
