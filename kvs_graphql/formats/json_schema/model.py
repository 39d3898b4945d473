"""What a schema says of values as far as it maps to GraphQL. Shapes, checks and inputs are made from this model."""

from dataclasses import dataclass, field
from typing import TypeAlias

from kvs_graphql.formats.shapes import ScalarKind


@dataclass(frozen=True, slots=True)
class Leaf:
    """A scalar."""

    kind: ScalarKind


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """One of several strings."""

    key: str
    words: tuple[str, ...]
    description: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Items:
    """A list of values of one kind."""

    item: "Use"


@dataclass(slots=True, eq=False)
class Entries:
    """An object with any names, and values of one kind."""

    key: str
    value: "Use"


@dataclass(slots=True, eq=False)
class Record:
    """An object with known properties. They are filled once all records are there, because they may be recursive."""

    key: str
    description: str = ""
    properties: list["Property"] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Union:
    """One of several records, told apart by a property that is a different word in each."""

    key: str
    tag: str
    description: str = ""
    members: dict[str, Record] = field(default_factory=dict)


Model: TypeAlias = Leaf | Words | Items | Entries | Record | Union


@dataclass(frozen=True, slots=True)
class Use:
    """A model where it is used."""

    model: Model
    nullable: bool = False

    def or_null(self) -> "Use":
        return Use(self.model, True)


@dataclass(frozen=True, slots=True)
class Property:
    """A property of a record."""

    key: str
    use: Use
    required: bool
    constant: str | None = None
    """The only word that it can be."""
    description: str = ""
    deprecated: bool = False

    @property
    def nullable(self) -> bool:
        """Whether there may be no value: the property is left out, or null."""
        return self.use.nullable or not self.required


JSON = Use(Leaf(ScalarKind.JSON), nullable=True)
"""Any value."""
