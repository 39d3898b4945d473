"""What GraphQL makes of shapes and decoded values, without GraphQL."""

from typing import Any

from kvs_graphql.formats.shapes import Choice, Enumeration, Many, Scalar, Shape, Struct


def data(shape: Shape, decoded: Any) -> Any:
    """A decoded value as a query of everything in it shows it. It must not be recursive."""
    match shape:
        case Scalar():
            return decoded if shape.show is None else shape.show(decoded)
        case Enumeration():
            names = {value.decoded: value.name for value in shape.values}
            return names.get(decoded, shape.unrecognized) if shape.unrecognized else names[decoded]
        case Many():
            items = decoded if shape.items is None else shape.items(decoded)
            return [None if item is None and shape.item_nullable else data(shape.item, item) for item in items]
        case Struct():
            return {field.name: _part(field.shape, field.read(decoded), field.nullable) for field in shape.fields}
        case Choice():
            member = next(member for member in shape.members if member.matches(decoded))
            return {"__typename": member.struct.name, **data(member.struct, member.read(decoded))}


def _part(shape: Shape, decoded: Any, nullable: bool) -> Any:
    if decoded is None:
        assert nullable
        return None
    return data(shape, decoded)


def without_wrappers(shown: Any) -> Any:
    """What `data` shows, with members of unions as they are and not in their types."""
    if isinstance(shown, list):
        return [without_wrappers(item) for item in shown]
    if not isinstance(shown, dict):
        return shown
    if shown.keys() == {"__typename", "value"}:
        return without_wrappers(shown["value"])
    return {name: without_wrappers(one) for name, one in shown.items() if name != "__typename"}


def sdl(shape: Shape) -> str:
    """The types of a shape in GraphQL's language, with `=` where writers may leave out what is not null."""
    types: dict[str, str] = {}
    root = _name(shape, types)
    return "\n".join([*types.values(), *([] if root in types else [root])])


def _name(shape: Shape, types: dict[str, str]) -> str:
    match shape:
        case Scalar():
            return shape.kind.value
        case Many():
            return f"[{_name(shape.item, types)}{'' if shape.item_nullable else '!'}]"
        case Enumeration():
            types[shape.name] = f"enum {shape.name} {{ {' '.join(value.name for value in shape.values)} }}"
        case Choice() if shape.name not in types:
            types[shape.name] = ""
            names = [_name(member.struct, types) for member in shape.members]
            types[shape.name] = f"union {shape.name} = {' | '.join(names)}"
        case Struct() if shape.name not in types:
            types[shape.name] = ""
            fields = [
                f"{field.name}: {_name(field.shape, types)}{'' if field.nullable else '!'}{' =' * field.optional}"
                for field in shape.fields
            ]
            types[shape.name] = f"type {shape.name} {{ {', '.join(fields)} }}"
    return shape.name
