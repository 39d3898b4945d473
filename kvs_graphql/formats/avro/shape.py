"""The shape of the values that an Avro schema describes."""

from collections.abc import Callable, Collection
from operator import itemgetter
from typing import Any

from kvs_graphql.formats.avro.leaves import leaf_of
from kvs_graphql.formats.avro.naming import Names
from kvs_graphql.formats.avro.types import (
    NO_DEFAULT,
    Array,
    AvroType,
    Enumerated,
    Map,
    Record,
    Union,
    label,
)
from kvs_graphql.formats.avro.wire import Wire
from kvs_graphql.formats.limits import FormatLimits
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

_map_items: Callable[[Any], Collection[Any]] = dict.items


class Shaper:
    """Makes the shapes of one schema's types."""

    def __init__(
        self, wire: Wire, names: Names, limits: FormatLimits, has_default: Callable[[AvroType, Any], bool]
    ) -> None:
        """Take the names from `names`, and ask `has_default` whether a field has a default that can be used."""
        self._wire = wire
        self._names = names
        self._limits = limits
        self._has_default = has_default
        self._structs: dict[Record, Struct] = {}
        self._enumerations: dict[Enumerated, Enumeration] = {}
        self._unfilled: list[tuple[Record, Struct]] = []

    def root(self, root: AvroType, name: str) -> Struct:
        """The shape of the root: a struct with the one field `value` where it is none itself."""
        if isinstance(root, Record) and root.fields:
            struct = self._struct(root)
        else:
            struct = Struct(name, [self._value_field(root)])
        while self._unfilled:
            self._fill(*self._unfilled.pop())
        return struct

    def _shape(self, avro_type: AvroType) -> Shape:
        """The shape of a type, apart from whether it is nullable."""
        match avro_type:
            case Record():
                return self._struct(avro_type) if avro_type.fields else Scalar(ScalarKind.JSON)
            case Enumerated():
                return self._enumeration(avro_type)
            case Array():
                return Many(self._shape(avro_type.items), _is_nullable(avro_type.items))
            case Map():
                return Many(self._entry(avro_type), items=_map_items, is_map=True)
            case Union():
                return self._union(avro_type)
            case _:
                leaf = leaf_of(avro_type, self._limits)
                return Scalar(leaf.kind, leaf.show)

    def _struct(self, record: Record) -> Struct:
        if record not in self._structs:
            self._structs[record] = Struct(self._names.types[record], description=record.doc)
            self._unfilled.append((record, self._structs[record]))
        return self._structs[record]

    def _fill(self, record: Record, struct: Struct) -> None:
        names = self._names.fields[record]
        for each in record.fields:
            nullable = _is_nullable(each.type)
            struct.fields.append(
                Field(
                    names[each.name],
                    each.name,
                    self._shape(each.type),
                    nullable,
                    itemgetter(each.name),
                    each.doc,
                    optional=not nullable
                    and each.default is not NO_DEFAULT
                    and self._has_default(each.type, each.default),
                )
            )

    def _value_field(self, avro_type: AvroType, read: Callable[[Any], Any] = itemgetter("value")) -> Field:
        return Field("value", "value", self._shape(avro_type), _is_nullable(avro_type), read)

    def _entry(self, a_map: Map) -> Struct:
        key = Field("key", "key", Scalar(ScalarKind.STRING), nullable=False, read=itemgetter(0))
        return Struct(self._names.types[a_map], [key, self._value_field(a_map.values, itemgetter(1))])

    def _enumeration(self, enumerated: Enumerated) -> Enumeration:
        if enumerated not in self._enumerations:
            names = self._names.symbols[enumerated]
            values = tuple(EnumValue(names[symbol], symbol) for symbol in enumerated.symbols)
            self._enumerations[enumerated] = Enumeration(self._names.types[enumerated], values, enumerated.doc)
        return self._enumerations[enumerated]

    def _union(self, union: Union) -> Shape:
        if union not in self._wire.tags:
            return self._shape((union.others or union.branches)[0])
        members = [
            self._member(union, branch, tag)
            for branch, tag in zip(union.branches, self._wire.tags[union], strict=True)
            if branch.kind != "null"
        ]
        return Choice(self._names.types[union], tuple(members))

    def _member(self, union: Union, branch: AvroType, tag: str) -> Member:
        name = self._names.members[union][label(branch)]
        if isinstance(branch, Record) and branch.fields:
            return Member(name, self._struct(branch), _has_tag(tag), itemgetter(1))
        wrapper = Struct(self._names.wrappers[union, label(branch)], [self._value_field(branch)])
        return Member(name, wrapper, _has_tag(tag), itemgetter(1), is_wrapper=True)


def _has_tag(tag: str) -> Callable[[Any], bool]:
    return lambda value: bool(value[0] == tag)


def _is_nullable(avro_type: AvroType) -> bool:
    return avro_type.kind == "null" or (isinstance(avro_type, Union) and avro_type.nullable)
