"""From the text of an Avro schema to its types, by Avro's specification 1.12.

It is as lenient as registries are: about characters in names, defaults that do not fit, and logical types that do not
apply, which the specification says are ignored.
"""

import json
from typing import Any, TypeVar

from kvs_graphql.formats.avro.types import (
    NO_DEFAULT,
    PRIMITIVES,
    Array,
    AvroType,
    Enumerated,
    Fixed,
    Logical,
    LogicalKind,
    Map,
    Named,
    Primitive,
    Record,
    RecordField,
    Union,
    label,
)
from kvs_graphql.formats.codec import SchemaText
from kvs_graphql.formats.errors import BadSchema, one_line
from kvs_graphql.formats.limits import FormatLimits, require_size

_TIMESTAMPS = (
    *(LogicalKind.TIMESTAMP_MILLIS, LogicalKind.TIMESTAMP_MICROS, LogicalKind.TIMESTAMP_NANOS),
    *(LogicalKind.LOCAL_TIMESTAMP_MILLIS, LogicalKind.LOCAL_TIMESTAMP_MICROS, LogicalKind.LOCAL_TIMESTAMP_NANOS),
)
_LOGICAL_KINDS: dict[str, tuple[LogicalKind, ...]] = {
    "int": (LogicalKind.DATE, LogicalKind.TIME_MILLIS),
    "long": (LogicalKind.TIME_MICROS, *_TIMESTAMPS),
    "bytes": (LogicalKind.DECIMAL,),
    "string": (LogicalKind.UUID,),
    "fixed": (LogicalKind.DECIMAL, LogicalKind.UUID, LogicalKind.DURATION),
}
_NamedType = TypeVar("_NamedType", Record, Enumerated, Fixed)
_FIXED_SIZES = {LogicalKind.UUID: 16, LogicalKind.DURATION: 12}


def parse_schema(schema: SchemaText, limits: FormatLimits) -> AvroType:
    """The type that a schema describes.

    Raises:
        BadSchema: It is not a schema of Avro, or too large.
    """
    require_size(schema, limits)
    return _Parser(limits).text(schema, 0)


class _Parser:
    def __init__(self, limits: FormatLimits) -> None:
        self._limits = limits
        self._fields_left = limits.schema_fields_max
        self._named: dict[str, Named] = {}
        self._references: set[str] = set()

    def text(self, schema: SchemaText, depth: int) -> AvroType:
        """The type of a text, after the types of the texts that it refers to."""
        self._require_depth(depth)
        if schema.format != "avro":
            raise BadSchema(f"a schema of the format {schema.format} is not one of Avro")
        for name, referred in schema.references:
            if name not in self._references:
                self._references.add(name)
                self.text(referred, depth + 1)
        try:
            parsed = json.loads(schema.text)
        except (ValueError, RecursionError) as error:
            raise BadSchema(f"the schema is not JSON: {one_line(error)}") from error
        return self._type(parsed, "", 0)

    def _type(self, node: Any, namespace: str, depth: int) -> AvroType:
        self._require_depth(depth)
        match node:
            case str():
                return self._lookup(node, namespace)
            case list():
                return self._union(node, namespace, depth)
            case {"type": "array", "items": items}:
                return Array(self._type(items, namespace, depth + 1))
            case {"type": "map", "values": values}:
                return Map(self._type(values, namespace, depth + 1))
            case {"type": str(kind)} if kind in PRIMITIVES:
                return Primitive(kind, self._logical(node, kind, 0))
            case _:
                return self._named_type(node, namespace, depth)

    def _named_type(self, node: Any, namespace: str, depth: int) -> AvroType:
        match node:
            case {"type": "record" | "error"}:
                return self._record(node, namespace, depth)
            case {"type": "enum"}:
                return self._enumerated(node, namespace)
            case {"type": "fixed"}:
                return self._fixed(node, namespace)
            case {"type": inner}:
                return self._type(inner, namespace, depth + 1)
            case _:
                raise BadSchema(f"{_shown(node)} is not a type")

    def _lookup(self, name: str, namespace: str) -> AvroType:
        if name in PRIMITIVES:
            return Primitive(name)
        found = self._named.get(_qualified(name, namespace)) or self._named.get(name)
        if not found:
            raise BadSchema(f"the type {_shown(name)} is not defined")
        return found

    def _union(self, node: list[Any], namespace: str, depth: int) -> Union:
        self._count(len(node))
        branches = tuple(self._type(one, namespace, depth + 1) for one in node)
        labels = [label(branch) for branch in branches]
        if not branches or len(set(labels)) < len(labels) or "union" in labels:
            raise BadSchema(f"the union of {one_line(labels)} is empty, contains a union, or has a type twice")
        return Union(branches)

    def _record(self, node: dict[str, Any], namespace: str, depth: int) -> Record:
        name = _full_name(node, namespace)
        record = Record(name, _aliases(node, name.rpartition(".")[0]), doc=_text(node.get("doc")))
        self._define(record)
        fields = node.get("fields")
        if not isinstance(fields, list):
            raise BadSchema(f"the record {_shown(name)} has no list of fields")
        self._count(len(fields))
        for each in fields:
            record.fields.append(self._field(each, name, depth))
        if len({each.name for each in record.fields}) < len(fields):
            raise BadSchema(f"the record {_shown(name)} has a field twice")
        return record

    def _field(self, node: Any, record: str, depth: int) -> RecordField:
        if not isinstance(node, dict) or not isinstance(node.get("name"), str) or not node["name"]:
            raise BadSchema(f"the record {_shown(record)} has a field without a name")
        return RecordField(
            node["name"],
            tuple(_strings(node.get("aliases", []))),
            self._type(node.get("type"), record.rpartition(".")[0], depth + 1),
            node.get("default", NO_DEFAULT),
            _text(node.get("doc")),
        )

    def _enumerated(self, node: dict[str, Any], namespace: str) -> Enumerated:
        name = _full_name(node, namespace)
        symbols, default = tuple(_strings(node.get("symbols"))), node.get("default")
        self._count(len(symbols))
        if not symbols or len(set(symbols)) < len(symbols):
            raise BadSchema(f"the enum {_shown(name)} has no symbols, or one of them twice")
        if default is not None and default not in symbols:
            raise BadSchema(f"the default of the enum {_shown(name)} is not one of its symbols")
        aliases = _aliases(node, name.rpartition(".")[0])
        return self._define(Enumerated(name, aliases, symbols, default, _text(node.get("doc"))))

    def _fixed(self, node: dict[str, Any], namespace: str) -> Fixed:
        name, size = _full_name(node, namespace), node.get("size")
        aliases = _aliases(node, name.rpartition(".")[0])
        if type(size) is not int or not 0 <= size < 2**31:
            raise BadSchema(f"the fixed {_shown(name)} has no size")
        return self._define(Fixed(name, aliases, size, self._logical(node, "fixed", size)))

    def _logical(self, node: dict[str, Any], kind: str, size: int) -> Logical | None:
        for one in _LOGICAL_KINDS.get(kind, ()):
            if one.value == node.get("logicalType"):
                if one is LogicalKind.DECIMAL:
                    return self._decimal(node, size if kind == "fixed" else None)
                return Logical(one) if kind != "fixed" or size == _FIXED_SIZES[one] else None
        return None

    def _decimal(self, node: dict[str, Any], size: int | None) -> Logical | None:
        precision, scale = node.get("precision"), node.get("scale", 0)
        if type(precision) is not int or type(scale) is not int or not 0 <= scale <= precision or precision < 1:
            return None
        if precision > self._limits.decimal_digits_max:
            raise BadSchema(f"a decimal has more than {self._limits.decimal_digits_max:,} digits")
        if size is not None and 10**precision > 2 ** min(8 * size, 4 * precision + 8) // 2:
            return None
        return Logical(LogicalKind.DECIMAL, precision, scale)

    def _define(self, named: _NamedType) -> _NamedType:
        if named.name in self._named:
            raise BadSchema(f"the type {_shown(named.name)} is defined twice")
        if len(self._named) >= self._limits.schema_types_max:
            raise BadSchema(f"the schema has more than {self._limits.schema_types_max:,} types")
        self._named[named.name] = named
        return named

    def _count(self, fields: int) -> None:
        self._fields_left -= fields
        if self._fields_left < 0:
            raise BadSchema(f"the schema has more than {self._limits.schema_fields_max:,} fields")

    def _require_depth(self, depth: int) -> None:
        if depth > self._limits.depth_max:
            raise BadSchema(f"the schema is nested deeper than {self._limits.depth_max:,} levels")


def _full_name(node: dict[str, Any], namespace: str) -> str:
    name, own_namespace = node.get("name"), node.get("namespace", namespace)
    if not isinstance(name, str) or not name or name in PRIMITIVES:
        raise BadSchema(f"a type is named {_shown(name)}")
    return _qualified(name, own_namespace if isinstance(own_namespace, str) else namespace)


def _qualified(name: str, namespace: str) -> str:
    return name if "." in name or not namespace else f"{namespace}.{name}"


def _aliases(node: dict[str, Any], namespace: str) -> tuple[str, ...]:
    return tuple(_qualified(alias, namespace) for alias in _strings(node.get("aliases", [])))


def _strings(node: Any) -> list[str]:
    if not isinstance(node, list) or not all(isinstance(one, str) for one in node):
        raise BadSchema(f"{_shown(node)} is not a list of names")
    return node


def _text(node: Any) -> str:
    return node if isinstance(node, str) else ""


def _shown(node: Any) -> str:
    return one_line(repr(node), 80)
