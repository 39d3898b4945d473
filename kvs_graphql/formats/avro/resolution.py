"""What a reader's schema makes of values that were written with another one: Avro's schema resolution.

The library decodes by the writer's schema alone, which is faster than by two. What follows from the two schemas is
decided once here, before any value: whether the reader can read everything that the writer can write, and how.
"""

import struct
from collections.abc import Callable
from operator import itemgetter
from typing import Any

from kvs_graphql.formats.avro.defaults import Defaults
from kvs_graphql.formats.avro.types import (
    NO_DEFAULT,
    Array,
    AvroType,
    Enumerated,
    Fixed,
    LogicalKind,
    Map,
    Named,
    Primitive,
    Record,
    RecordField,
    Union,
    label,
    own_name,
)
from kvs_graphql.formats.avro.wire import Wire, is_plain_record

Conversion = Callable[[Any], Any] | None
"""From a value that was decoded by the writer's schema to what the reader's has for it; None if that is the same."""

_FLOAT = struct.Struct("<f")
_EXACT_MAX = 2**53
_LOWEST = 2**11 - 1
"""The bits of a number of 64 bits of which a double has the highest at most."""


def _nearest_float(number: int) -> float:
    """The number that a float of Avro, which has 24 bits, has for it."""
    if abs(number) > _EXACT_MAX and number & _LOWEST:
        # It becomes a double first. Rounded there, it could come to lie in the middle between two floats.
        number = (number & ~_LOWEST) + 2**10
    (nearest,) = _FLOAT.unpack(_FLOAT.pack(number))
    return float(nearest)


_PROMOTIONS: dict[tuple[str, str], Conversion] = {
    ("int", "long"): None,
    ("int", "float"): _nearest_float,
    ("int", "double"): float,
    ("long", "float"): _nearest_float,
    ("long", "double"): float,
    ("float", "double"): None,
    ("string", "bytes"): str.encode,
    ("bytes", "string"): bytes.decode,
}


class Unreadable(Exception):
    """The reader cannot read all that the writer can write."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.path: list[str] = []

    def __str__(self) -> str:
        path = "".join(reversed(self.path)).removeprefix(".")
        return f"{path}: {self.args[0]}" if path else str(self.args[0])


class Resolver:
    """Resolves the types of one writer's schema with those of one reader's."""

    def __init__(self, reader: Wire, writer: Wire, defaults: Defaults) -> None:
        """Resolve types of these schemas, with the defaults of the reader's."""
        self._reader = reader
        self._writer = writer
        self._defaults = defaults
        self.defaults: dict[Record, int] = {}
        """How many fields with defaults each of the writer's records gets at most."""
        self._records: dict[tuple[Record, Record], Conversion] = {}
        self._unreadable: dict[tuple[Record, Record], str] = {}

    def resolve(self, reader: AvroType, writer: AvroType) -> Conversion:
        """How values of the writer's type become values of the reader's.

        Raises:
            Unreadable: Not all of them can.
        """
        match reader, writer:
            case _, Union():
                return self._from_union(reader, writer)
            case Union(), _:
                return self._placed(reader, *self._chosen(reader, writer))
            case Record(), Record():
                return self._record(reader, writer)
            case (Array(), Array()) | (Map(), Map()):
                return self._items(reader, writer)
            case _:
                return _leaf(reader, writer)

    def _items(self, reader: Any, writer: Any) -> Conversion:
        try:
            if isinstance(reader, Array):
                return _of_list(self.resolve(reader.items, writer.items))
            return _of_map(self.resolve(reader.values, writer.values))
        except Unreadable as error:
            error.path.append("[]" if isinstance(reader, Array) else "{}")
            raise

    def _from_union(self, reader: AvroType, writer: Union) -> Conversion:
        """A reader has to read all types of a writer's union."""
        tags = self._writer.tags.get(writer)
        if isinstance(reader, Union):
            chosen = [self._chosen(reader, branch) for branch in writer.branches]
            own_tags = self._reader.tags.get(reader)
            same_tags = own_tags and tags == tuple(own_tags[index] for index, _ in chosen)
            if same_tags and not any(conversion for _, conversion in chosen):
                return None
            conversions = [self._placed(reader, index, conversion) for index, conversion in chosen]
        else:
            conversions = [self.resolve(reader, branch) for branch in writer.branches]
        if not tags:
            others = [c for branch, c in zip(writer.branches, conversions, strict=True) if branch.kind != "null"]
            return _unless_null(others[0] if others else None)
        unwrapped = map(_unwrapping, writer.branches, conversions)
        return _by_tag(dict(zip(tags, unwrapped, strict=True)))

    def _chosen(self, reader: Union, writer: AvroType) -> tuple[int, Conversion]:
        """Which branch of a reader's union reads a type, and how: the same type, else the first that can."""
        name = label(writer)
        order = sorted(range(len(reader.branches)), key=lambda index: label(reader.branches[index]) != name)
        reason: Unreadable | None = None
        for index in order:
            try:
                return index, self.resolve(reader.branches[index], writer)
            except Unreadable as error:
                if label(reader.branches[index]) == name:
                    reason = error
        raise reason or Unreadable(f"{name} was written, which no type of the reader's union reads")

    def _placed(self, reader: Union, index: int, conversion: Conversion) -> Conversion:
        """The conversion into a branch of a reader's union."""
        tags = self._reader.tags.get(reader)
        branch = reader.branches[index]
        if not tags or branch.kind == "null":
            return conversion
        return _tagging(tags[index], conversion, wrapping=not is_plain_record(branch))

    def _record(self, reader: Record, writer: Record) -> Conversion:
        pair = reader, writer
        if pair in self._records:
            return self._records[pair]
        if pair in self._unreadable:
            raise Unreadable(self._unreadable[pair])
        _require_same_name(reader, writer)
        known = len(self._records)
        # Until it is known, what lies within these records takes it that they can be read.
        late = _Late()
        self._records[pair] = late
        try:
            conversion = self._fields(reader, writer)
        except Unreadable as error:
            for relying in list(self._records)[known:]:
                del self._records[relying]
            self._unreadable[pair] = str(error)
            raise
        late.conversion = conversion
        self._records[pair] = conversion
        return conversion

    def _fields(self, reader: Record, writer: Record) -> Conversion:
        written = {each.name: each.type for each in writer.fields}
        template: dict[str, Any] = {}
        taken: list[tuple[str, str, Conversion]] = []
        for each in reader.fields:
            source = next((name for name in (each.name, *each.aliases) if name in written), None)
            try:
                if source is None:
                    template[each.name] = self._default(each)
                else:
                    template[each.name] = None
                    taken.append((each.name, source, self.resolve(each.type, written[source])))
            except Unreadable as error:
                error.path.append(f".{each.name}")
                raise
        self.defaults[writer] = max(self.defaults.get(writer, 0), len(template) - len(taken))
        same_names = [name for name, _, _ in taken] == list(template) == list(written)
        if same_names and not any(conversion for _, _, conversion in taken):
            return None
        return _record_conversion(template, taken)

    def _default(self, field: RecordField) -> Any:
        default = self._defaults.of(field.type, field.default)
        if default is NO_DEFAULT:
            problem = "has no default" if field.default is NO_DEFAULT else "has a default that does not fit its type"
            raise Unreadable(f"it was not written, and {problem}")
        return default


class _Late:
    """The conversion of a record that is not known yet."""

    conversion: Conversion = None

    def __call__(self, value: Any) -> Any:
        return self.conversion(value) if self.conversion else value


def _leaf(reader: AvroType, writer: AvroType) -> Conversion:
    match reader, writer:
        case Enumerated(), Enumerated():
            return _enumerated(reader, writer)
        case Fixed(), Fixed():
            _require_same_name(reader, writer)
            if reader.size != writer.size:
                raise Unreadable(f"{writer.size:,} bytes were written, and the reader has {reader.size:,}")
            _require_same_meaning(reader, writer)
            return None
        case Primitive(), Primitive():
            pair = writer.kind, reader.kind
            if reader.kind == writer.kind or pair in _PROMOTIONS:
                _require_same_meaning(reader, writer)
                return _PROMOTIONS.get(pair)
    raise Unreadable(f"{label(writer)} was written, and the reader has {label(reader)}")


def _require_same_name(reader: Named, writer: Named) -> None:
    """By the specification, namespaces need not be the same."""
    if own_name(reader.name) != own_name(writer.name) and writer.name not in reader.aliases:
        raise Unreadable(f"{writer.name} was written, and the reader has {reader.name} without that alias")


def _require_same_meaning(reader: Primitive | Fixed, writer: Primitive | Fixed) -> None:
    """The specification allows other meanings, but a millisecond that is read as a microsecond is wrong."""
    if reader.logical and writer.logical:
        if reader.logical.kind is not writer.logical.kind:
            kinds = writer.logical.kind.value, reader.logical.kind.value
            raise Unreadable(f"{kinds[0]} was written, and the reader has {kinds[1]}")
        if reader.logical.kind is LogicalKind.DECIMAL and reader.logical.scale != writer.logical.scale:
            scales = writer.logical.scale, reader.logical.scale
            raise Unreadable(f"a decimal of scale {scales[0]} was written, and the reader has scale {scales[1]}")


def _enumerated(reader: Enumerated, writer: Enumerated) -> Conversion:
    _require_same_name(reader, writer)
    unknown = [symbol for symbol in writer.symbols if symbol not in frozenset(reader.symbols)]
    if not unknown:
        return None
    if reader.default is None:
        raise Unreadable(f"the symbol {unknown[0]} is unknown to the reader, which has no default for it")
    known = {symbol: symbol for symbol in reader.symbols}
    return {symbol: known.get(symbol, reader.default) for symbol in writer.symbols}.__getitem__


def _of_list(item: Conversion) -> Conversion:
    return item and (lambda value: [item(one) for one in value])


def _of_map(item: Conversion) -> Conversion:
    return item and (lambda value: {key: item(one) for key, one in value.items()})


def _unless_null(other: Conversion) -> Conversion:
    return other and (lambda value: None if value is None else other(value))


def _unwrapping(branch: AvroType, conversion: Conversion) -> Conversion:
    """From the dictionary of a union's branch."""
    if is_plain_record(branch):
        return conversion
    return (lambda value: conversion(value["value"])) if conversion else itemgetter("value")


def _tagging(tag: str, conversion: Conversion, *, wrapping: bool) -> Conversion:
    def convert(value: Any) -> Any:
        inner = conversion(value) if conversion else value
        return tag, {"value": inner} if wrapping else inner

    return convert


def _by_tag(conversions: dict[str, Conversion]) -> Conversion:
    def convert(value: Any) -> Any:
        if value is None:
            return None
        tag, inner = value
        conversion = conversions[tag]
        return conversion(inner) if conversion else inner

    return convert


def _record_conversion(template: dict[str, Any], taken: list[tuple[str, str, Conversion]]) -> Conversion:
    def convert(value: Any) -> Any:
        record = template.copy()
        for name, source, conversion in taken:
            record[name] = conversion(value[source]) if conversion else value[source]
        return record

    return convert
