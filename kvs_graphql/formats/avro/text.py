"""Decoded values as JSON text."""

from collections.abc import Callable
from typing import Any

from kvs_graphql.formats.avro.leaves import leaf_of
from kvs_graphql.formats.avro.types import Array, AvroType, Enumerated, Fixed, Map, Primitive, Record, Union
from kvs_graphql.formats.avro.wire import Wire, is_plain_record
from kvs_graphql.formats.limits import FormatLimits

Convert = Callable[[Any], Any] | None
"""From a decoded value to what JSON has for it; None where that is the same."""


class Converter:
    """Makes the conversions of one schema's types."""

    def __init__(self, wire: Wire, limits: FormatLimits) -> None:
        self._wire = wire
        self._limits = limits
        self._records: dict[Record, Convert] = {}

    def root(self, root: AvroType) -> Convert:
        """The conversion of whole values."""
        convert = self._of(root)
        if not self._wire.wraps_root:
            return convert
        return lambda value: convert(value["value"]) if convert else value["value"]

    def _of(self, avro_type: AvroType) -> Convert:
        match avro_type:
            case Record():
                return self._record(avro_type)
            case Array():
                return _of_list(self._of(avro_type.items))
            case Map():
                return _of_map(self._of(avro_type.values))
            case Union():
                return self._union(avro_type)
            case Primitive() | Fixed():
                return leaf_of(avro_type, self._limits).json
            case Enumerated():
                return None

    def _record(self, record: Record) -> Convert:
        if record not in self._records:
            converted: list[tuple[str, Callable[[Any], Any]]] = []
            # A record that lies in itself finds its conversion here before it is known whether one is needed.
            self._records[record] = _of_fields(converted)
            for each in record.fields:
                convert = self._of(each.type)
                if convert:
                    converted.append((each.name, convert))
            if not converted:
                self._records[record] = None
        return self._records[record]

    def _union(self, union: Union) -> Convert:
        if union not in self._wire.tags:
            return _unless_null(self._of(union.others[0])) if union.others else None
        converts = {
            tag: (self._of(branch), is_plain_record(branch))
            for branch, tag in zip(union.branches, self._wire.tags[union], strict=True)
        }

        def convert(value: Any) -> Any:
            if value is None:
                return None
            tag, inner = value
            inside, is_record = converts[tag]
            plain = inner if is_record else inner["value"]
            return inside(plain) if inside else plain

        return convert


def _of_list(item: Convert) -> Convert:
    return item and (lambda value: [item(one) for one in value])


def _of_map(item: Convert) -> Convert:
    return item and (lambda value: {key: item(one) for key, one in value.items()})


def _unless_null(other: Convert) -> Convert:
    return other and (lambda value: None if value is None else other(value))


def _of_fields(converted: list[tuple[str, Callable[[Any], Any]]]) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        shown = value.copy()
        for name, convert_field in converted:
            shown[name] = convert_field(value[name])
        return shown

    return convert
