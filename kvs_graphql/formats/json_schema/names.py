"""The names in GraphQL of all that a model has."""

from dataclasses import dataclass, field

from kvs_graphql.formats.json_schema.model import Entries, Items, Model, Record, Union, Use, Words
from kvs_graphql.formats.json_schema.modelling import Modeller
from kvs_graphql.formats.names import enum_value_names, field_names, member_names, unique_type_names


@dataclass(frozen=True, slots=True)
class Names:
    """By the keys of types, then by the schema's own words."""

    types: dict[str, str]
    fields: dict[str, dict[str, str]] = field(default_factory=dict)
    words: dict[str, dict[str, str]] = field(default_factory=dict)
    members: dict[str, dict[str, str]] = field(default_factory=dict)


def names_of(modeller: Modeller, name: str, reserved: frozenset[str]) -> Names:
    """The names of a model whose root has this name."""
    wanted = {key: one for key, one in modeller.names.items() if key != modeller.root_key}
    names = Names({modeller.root_key: name} | unique_type_names(wanted, reserved | {name}))
    pending = [modeller.root]
    seen = set()
    while pending:
        model = pending.pop().model
        if id(model) not in seen:
            seen.add(id(model))
            pending.extend(_name_parts(model, names))
    return names


def _name_parts(model: Model, names: Names) -> list[Use]:
    """Name the parts of one model. Return the models in it."""
    match model:
        case Words():
            names.words[model.key] = enum_value_names(model.words)
        case Items():
            return [model.item]
        case Entries():
            return [model.value]
        case Record():
            names.fields[model.key] = field_names(one.key for one in model.properties)
            return [one.use for one in model.properties]
        case Union():
            names.members[model.key] = member_names({word: word for word in model.members})
            return [Use(record) for record in model.members.values()]
    return []
