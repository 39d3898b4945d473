"""From values as GraphQL's inputs give them to what the library encodes."""

from collections.abc import Callable
from typing import Any

from kvs_graphql.formats.avro.defaults import Defaults
from kvs_graphql.formats.avro.leaves import json_leaf, leaf_of, make_string
from kvs_graphql.formats.avro.misfits import Misfit
from kvs_graphql.formats.avro.naming import Names
from kvs_graphql.formats.avro.types import (
    NO_DEFAULT,
    Array,
    AvroType,
    Enumerated,
    Fixed,
    Map,
    Primitive,
    Record,
    RecordField,
    Union,
    label,
)
from kvs_graphql.formats.avro.wire import Wire, is_plain_record
from kvs_graphql.formats.errors import one_line
from kvs_graphql.formats.limits import FormatLimits


class Room:
    """What a value may still hold."""

    __slots__ = ("_depth_max", "_items_left", "_items_max")

    def __init__(self, limits: FormatLimits) -> None:
        self._depth_max = limits.depth_max
        self._items_max = self._items_left = limits.items_max

    def take_items(self, count: int) -> None:
        """Count items of lists and maps."""
        self._items_left -= count
        if self._items_left < 0:
            raise Misfit(f"a value has at most {self._items_max:,} items")

    def deeper(self, depth: int) -> int:
        """The next level."""
        if depth >= self._depth_max:
            raise Misfit(f"a value is nested at most {self._depth_max:,} levels deep")
        return depth + 1


Make = Callable[[Any, Room, int], Any]
"""Makes a value that lies so deep. It raises Misfit."""

_FieldMaker = tuple[str, str, Make, Any]
"""A field's names in GraphQL and in the schema, what makes its values, and what stands for it if it is left out."""


class Maker:
    """Makes values of one schema's types."""

    def __init__(self, wire: Wire, names: Names, limits: FormatLimits) -> None:
        self._wire = wire
        self._names = names
        self._limits = limits
        self._defaults = Defaults(wire, limits, encoding=True)
        self._records: dict[Record, Make] = {}

    def root(self, root: AvroType) -> Make:
        """What makes whole values."""
        make = self._of(root)
        return _record_maker([("value", "value", make, _null(root))]) if self._wire.wraps_root else make

    def _of(self, avro_type: AvroType) -> Make:
        match avro_type:
            case Record():
                return self._record(avro_type) if avro_type.fields else _leaf(json_leaf(empty={}).make)
            case Enumerated():
                return _leaf(_symbol_maker({name: key for key, name in self._names.symbols[avro_type].items()}))
            case Array():
                return _list_maker(self._of(avro_type.items))
            case Map():
                return _map_maker(self._of(avro_type.values))
            case Union():
                return self._union(avro_type)
            case Primitive() | Fixed():
                return _leaf(leaf_of(avro_type, self._limits).make)

    def _record(self, record: Record) -> Make:
        if record not in self._records:
            fields: list[_FieldMaker] = []
            self._records[record] = _record_maker(fields)
            names = self._names.fields[record]
            fields.extend(
                (names[each.name], each.name, self._of(each.type), self._absent(each)) for each in record.fields
            )
        return self._records[record]

    def _absent(self, field: RecordField) -> Any:
        """What stands for a field that is left out."""
        default = self._defaults.of(field.type, field.default)
        return _null(field.type) if default is NO_DEFAULT else default

    def _union(self, union: Union) -> Make:
        makers = [self._of(branch) for branch in union.branches]
        if union not in self._wire.tags:
            return self._simple_union(union, makers)
        members = {
            self._names.members[union][label(branch)]: (tag, make, not is_plain_record(branch))
            for branch, tag, make in zip(union.branches, self._wire.tags[union], makers, strict=True)
            if branch.kind != "null"
        }
        return _choice_maker(members, nullable=union.nullable)

    def _simple_union(self, union: Union, makers: list[Make]) -> Make:
        names = [self._wire.branch_name(union, index) for index in range(len(makers))]
        others = [(name, make) for name, make in zip(names, makers, strict=True) if name != "null"]

        def make_simple(value: Any, room: Room, depth: int) -> Any:
            if value is None and union.nullable:
                return "null", None
            if not others:
                raise Misfit("must be null")
            name, make = others[0]
            return name, make(value, room, depth)

        return make_simple


def _null(avro_type: AvroType) -> Any:
    """What the library encodes for null, or NO_DEFAULT where that is no value of the type."""
    if isinstance(avro_type, Union) and avro_type.nullable:
        return "null", None
    return None if avro_type.kind == "null" else NO_DEFAULT


def _leaf(make: Callable[[Any], Any]) -> Make:
    return lambda value, _room, _depth: make(value)


def _symbol_maker(symbols: dict[str, str]) -> Callable[[Any], str]:
    def make(value: Any) -> str:
        if not isinstance(value, str) or value not in symbols:
            raise Misfit(f"{one_line(repr(value), 60)} is not a value of the enumeration")
        return symbols[value]

    return make


def _list_maker(make: Make) -> Make:
    def make_list(value: Any, room: Room, depth: int) -> list[Any]:
        items, below = _list(value, room), room.deeper(depth)
        made = []
        for index, item in enumerate(items):
            try:
                made.append(make(item, room, below))
            except Misfit as misfit:
                raise _at(misfit, index) from misfit
        return made

    return make_list


def _map_maker(make: Make) -> Make:
    def make_map(value: Any, room: Room, depth: int) -> dict[str, Any]:
        entries, below = _list(value, room), room.deeper(depth)
        made: dict[str, Any] = {}
        for index, entry in enumerate(entries):
            if not isinstance(entry, dict) or entry.keys() - {"key", "value"}:
                raise _at(Misfit("must be an object with the fields key and value"), index)
            try:
                key = make_string(entry.get("key"))
            except Misfit as misfit:
                raise _at(misfit, "key", index) from misfit
            if key in made:
                raise _at(Misfit(f"{one_line(repr(key), 60)} is there twice"), "key", index)
            try:
                made[key] = make(entry.get("value"), room, below)
            except Misfit as misfit:
                raise _at(misfit, "value", index) from misfit
        return made

    return make_map


def _at(misfit: Misfit, *path: str | int) -> Misfit:
    """The same misfit, with steps of its path from the inside out."""
    misfit.path.extend(path)
    return misfit


def _list(value: Any, room: Room) -> list[Any]:
    if not isinstance(value, list):
        raise Misfit("must be a list")
    room.take_items(len(value))
    return value


def _record_maker(fields: list[_FieldMaker]) -> Make:
    """`fields` may be filled later, for a record may lie in itself."""

    def make_record(value: Any, room: Room, depth: int) -> dict[str, Any]:
        if not isinstance(value, dict) or value.keys() - {name for name, _, _, _ in fields}:
            raise Misfit("must be an object with the fields of its type")
        below = room.deeper(depth)
        made = {}
        for name, key, make, absent in fields:
            if name not in value:
                if absent is NO_DEFAULT:
                    raise _at(Misfit("is missing, and has no default"), name)
                made[key] = absent
                continue
            try:
                made[key] = make(value[name], room, below)
            except Misfit as misfit:
                raise _at(misfit, name) from misfit
        return made

    return make_record


def _choice_maker(members: dict[str, tuple[str, Make, bool]], *, nullable: bool) -> Make:
    def make_choice(value: Any, room: Room, depth: int) -> tuple[str, Any]:
        if value is None and nullable:
            return "null", None
        if not isinstance(value, dict) or len(value) != 1 or not value.keys() <= members.keys():
            raise Misfit(f"must be an object with exactly one of the fields {', '.join(members)}")
        ((name, inner),) = value.items()
        tag, make, is_wrapped = members[name]
        try:
            made = make(inner, room, depth)
        except Misfit as misfit:
            raise _at(misfit, name) from misfit
        return tag, {"value": made} if is_wrapped else made

    return make_choice
