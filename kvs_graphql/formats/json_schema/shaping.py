"""Makes the shape of a model."""

from collections.abc import Mapping
from operator import itemgetter
from typing import Any

from kvs_graphql.formats.json_schema import reading
from kvs_graphql.formats.json_schema.model import Entries, Items, Leaf, Model, Property, Record, Union, Use, Words
from kvs_graphql.formats.json_schema.names import Names
from kvs_graphql.formats.shapes import (
    Choice,
    Enumeration,
    EnumValue,
    Field,
    Many,
    Member,
    Scalar,
    ScalarKind,
    Shape,
    Struct,
)

_SHOWN: Mapping[ScalarKind, reading.Read] = {ScalarKind.INT64: str, ScalarKind.JSON: reading.show_json}
_DEPRECATED = "Deprecated in the schema."


class Shaper:
    """Makes the shapes of all models, each once."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._made: dict[str, Shape] = {}
        self._pending: list[tuple[Struct, Record]] = []

    def root(self, use: Use) -> Shape:
        """The shape of the root, of whose values `codec.JsonSchemaCodec.decode` says what they are."""
        match use.model:
            case Record() | Union() as model:
                shape = self._shape(model)
            case Items() | Entries() as model:
                shape = self._many(model, "the value", unwraps=True)
            case _ as model:
                check = reading.checked(model, "the value")
                kind = model.kind if isinstance(model, Leaf) else ScalarKind.STRING
                show = _SHOWN.get(kind, _same)
                shape = Scalar(kind, lambda root: show(check(root.value)))
        while self._pending:
            struct, record = self._pending.pop()
            names = self._names.fields[record.key]
            struct.fields.extend(self._field(struct, names[one.key], one) for one in record.properties)
        return shape

    def _shape(self, model: Model, where: str = "") -> Shape:
        match model:
            case Leaf():
                return Scalar(model.kind, _SHOWN.get(model.kind))
            case Items() | Entries():
                return self._many(model, where)
        if (made := self._made.get(model.key)) is None:
            made = self._made[model.key] = self._named(model)
        return made

    def _named(self, model: Words | Record | Union) -> Shape:
        name = self._names.types[model.key]
        match model:
            case Words():
                names = self._names.words[model.key]
                values = tuple(EnumValue(names[word], word) for word in model.words)
                return Enumeration(name, values, model.description)
            case Union():
                members = tuple(self._member(model, word, record) for word, record in model.members.items())
                return Choice(name, members, model.description)
            case Record():
                struct = Struct(name, description=model.description)
                self._pending.append((struct, model))
                return struct

    def _member(self, union: Union, word: str, record: Record) -> Member:
        struct = self._shape(record)
        assert isinstance(struct, Struct)
        tag = union.tag
        return Member(self._names.members[union.key][word], struct, lambda value: value.get(tag) == word, _same)

    def _field(self, struct: Struct, name: str, one: Property) -> Field:
        where = f"{struct.name}.{name}"
        return Field(
            name,
            one.key,
            self._shape(one.use.model, where),
            one.nullable,
            reading.of_property(one.key, one.use, one.nullable, where),
            one.description,
            _DEPRECATED if one.deprecated else None,
            optional=not one.nullable and one.constant is not None,
            sure=reading.sure(one.key, one.use),
        )

    def _many(self, model: Items | Entries, where: str, unwraps: bool = False) -> Many:
        if isinstance(model, Items):
            shape = self._shape(model.item.model, f"an item of {where}")
            items = reading.items(model.item, f"an item of {where}")
            return Many(shape, model.item.nullable, _unwrapped(items, model) if unwraps else items)
        if (entry := self._made.get(model.key)) is None:
            entry = self._made[model.key] = Struct(self._names.types[model.key])
            value = self._shape(model.value.model, f"a value of {where}")
            entry.fields.append(Field("key", "key", Scalar(ScalarKind.STRING), False, itemgetter(0)))
            entry.fields.append(Field("value", "value", value, model.value.nullable, itemgetter(1)))
        items = reading.entries(model.value, f"a value of {where}")
        return Many(entry, False, _unwrapped(items, model) if unwraps else items, is_map=True)


def _unwrapped(items: reading.Read, model: Model) -> reading.Read:
    check = reading.checked(model, "the value")
    return lambda root: items(check(root.value))


def _same(value: Any) -> Any:
    return value
