"""Shapes of decoded values: what GraphQL types are made of, and how their parts are read and shown.

A codec makes the shape of its schema, and says how its decoded values are read: those of Avro are dictionaries, those
of Protobuf are messages. So nothing outside of this room knows of formats.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class ScalarKind(Enum):
    """The scalars of typed data, by their names in GraphQL."""

    BOOLEAN = "Boolean"
    INT = "Int"
    INT64 = "Int64"
    FLOAT = "Float"
    STRING = "String"
    BASE64 = "Base64"
    DECIMAL = "Decimal"
    DATE = "Date"
    TIME = "Time"
    DATETIME = "DateTime"
    LOCAL_DATETIME = "LocalDateTime"
    UUID = "UUID"
    DURATION = "Duration"
    JSON = "JSON"


@dataclass(frozen=True, slots=True, eq=False)
class Scalar:
    """A value without parts."""

    kind: ScalarKind
    show: Callable[[Any], Any] | None = None
    """From the decoded value to what JSON has for it; None where that is the same."""
    is_long: Callable[[Any], bool] | None = None
    """Whether `show` may take long for a value: it is then called in a thread. None where it never does."""


@dataclass(frozen=True, slots=True)
class EnumValue:
    """One value of an enumeration."""

    name: str
    """In GraphQL."""
    decoded: Any
    """What decoded data has for it."""
    description: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Enumeration:
    """One of a fixed set of values."""

    name: str
    values: tuple[EnumValue, ...]
    description: str = ""
    unrecognized: str = ""
    """The name in GraphQL of decoded values that are none of these; empty where there are none such."""


@dataclass(frozen=True, slots=True, eq=False)
class Many:
    """A list, or a map as a list of structs with a `key` and a `value`."""

    item: "Shape"
    item_nullable: bool = False
    items: Callable[[Any], Collection[Any]] | None = None
    """From the decoded value to its items; None where it is a list already."""
    is_map: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """A field of a struct."""

    name: str
    """In GraphQL."""
    key: str
    """In the schema."""
    shape: "Shape"
    nullable: bool
    read: Callable[[Any], Any]
    """From the decoded struct to the decoded value of the field; None for null."""
    description: str = ""
    deprecated: str | None = None
    """Why the field should not be used any more."""
    optional: bool = False
    """Whether writers may leave it out though it is not nullable: the schema has a default."""
    sure: tuple[str, type] | None = None
    """Where the decoded struct is a dictionary: a key and a class. A value that has the key and exactly this class is
    what `read` gives, without its checks."""


@dataclass(frozen=True, slots=True, eq=False)
class Struct:
    """An object with named fields. `fields` is filled once all structs are there, because they may be recursive."""

    name: str
    fields: list[Field] = field(default_factory=list)
    description: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """One of the shapes that a choice has."""

    name: str
    """In GraphQL, as a field of the input."""
    struct: Struct
    """The member itself, or a wrapper with the field `value` where the member is no struct."""
    matches: Callable[[Any], bool]
    """Whether a decoded value of the choice is of this member."""
    read: Callable[[Any], Any]
    """From the decoded value of the choice to that of `struct`."""
    is_wrapper: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """One of several shapes."""

    name: str
    members: tuple[Member, ...]
    description: str = ""


Shape = Scalar | Enumeration | Many | Struct | Choice
