"""The types of an Avro schema, with all names resolved. A type may contain itself."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

NO_DEFAULT: Any = object()
"""Stands for the default of a field that has none; null is a default."""

PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})


class LogicalKind(Enum):
    """The logical types, by their names in Avro."""

    DECIMAL = "decimal"
    DATE = "date"
    TIME_MILLIS = "time-millis"
    TIME_MICROS = "time-micros"
    TIMESTAMP_MILLIS = "timestamp-millis"
    TIMESTAMP_MICROS = "timestamp-micros"
    TIMESTAMP_NANOS = "timestamp-nanos"
    LOCAL_TIMESTAMP_MILLIS = "local-timestamp-millis"
    LOCAL_TIMESTAMP_MICROS = "local-timestamp-micros"
    LOCAL_TIMESTAMP_NANOS = "local-timestamp-nanos"
    UUID = "uuid"
    DURATION = "duration"


@dataclass(frozen=True, slots=True)
class Logical:
    """What the values of a type mean."""

    kind: LogicalKind
    precision: int = 0
    scale: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Primitive:
    """A type without a name and without parts."""

    kind: str
    logical: Logical | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Fixed:
    """A number of bytes that is always the same."""

    name: str
    aliases: tuple[str, ...]
    size: int
    logical: Logical | None = None
    kind: str = "fixed"


@dataclass(frozen=True, slots=True, eq=False)
class Enumerated:
    """One of a list of symbols."""

    name: str
    aliases: tuple[str, ...]
    symbols: tuple[str, ...]
    default: str | None = None
    """The symbol that a reader takes for one that it does not know."""
    doc: str = ""
    kind: str = "enum"


@dataclass(frozen=True, slots=True, eq=False)
class Array:
    """A list."""

    items: "AvroType"
    kind: str = "array"


@dataclass(frozen=True, slots=True, eq=False)
class Map:
    """Values by strings."""

    values: "AvroType"
    kind: str = "map"


@dataclass(frozen=True, slots=True, eq=False)
class Union:
    """A value of one of several types."""

    branches: tuple["AvroType", ...]
    kind: str = "union"

    @property
    def nullable(self) -> bool:
        """Whether null is one of the types."""
        return any(branch.kind == "null" for branch in self.branches)

    @property
    def others(self) -> tuple["AvroType", ...]:
        """The types that are not null. With at most one, decoded values are those of that type or None."""
        return tuple(branch for branch in self.branches if branch.kind != "null")


@dataclass(frozen=True, slots=True, eq=False)
class RecordField:
    """A field of a record. `default` is JSON."""

    name: str
    aliases: tuple[str, ...]
    type: "AvroType"
    default: Any = NO_DEFAULT
    doc: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """Named fields. They are filled once all types are known."""

    name: str
    aliases: tuple[str, ...]
    fields: list[RecordField] = field(default_factory=list)
    doc: str = ""
    kind: str = "record"


Named = Record | Enumerated | Fixed
AvroType = Primitive | Named | Array | Map | Union


def own_name(full_name: str) -> str:
    """A name without its namespace."""
    return full_name.rpartition(".")[2]


def namespace_of(full_name: str) -> tuple[str, ...]:
    """The parts of the namespace of a name."""
    namespace = full_name.rpartition(".")[0]
    return tuple(namespace.split(".")) if namespace else ()


def label(avro_type: AvroType) -> str:
    """What tells a type from the others of a union: its name, else its kind."""
    return avro_type.name if isinstance(avro_type, Record | Enumerated | Fixed) else avro_type.kind


def inner_types(avro_type: AvroType) -> tuple[AvroType, ...]:
    """The types that a type is directly made of."""
    match avro_type:
        case Array():
            return (avro_type.items,)
        case Map():
            return (avro_type.values,)
        case Union():
            return avro_type.branches
        case Record():
            return tuple(each.type for each in avro_type.fields)
        case _:
            return ()


def direct_records(avro_type: AvroType) -> list[Record]:
    """The records that a type contains other than within further records."""
    found: list[Record] = []
    pending = list(reversed(inner_types(avro_type)))
    while pending:
        one = pending.pop()
        if isinstance(one, Record):
            found.append(one)
        else:
            pending.extend(reversed(inner_types(one)))
    return found
