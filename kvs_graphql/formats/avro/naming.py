"""The names in GraphQL of everything that an Avro schema has."""

from dataclasses import dataclass, field

from kvs_graphql.formats.avro.types import (
    Array,
    AvroType,
    Enumerated,
    Fixed,
    Map,
    Record,
    Union,
    label,
    namespace_of,
    own_name,
)
from kvs_graphql.formats.avro.wire import is_plain_record
from kvs_graphql.formats.names import (
    enum_value_names,
    field_names,
    member_names,
    part_name,
    type_name,
    unique_type_names,
)


@dataclass(slots=True)
class Names:
    """Names in GraphQL, by what they are for."""

    types: dict[AvroType, str] = field(default_factory=dict)
    """Of records, enums, the choices of unions, and the entries of maps."""
    wrappers: dict[tuple[Union, str], str] = field(default_factory=dict)
    """The wrapper structs of a union, by the labels of the types that they wrap: those without fields."""
    members: dict[Union, dict[str, str]] = field(default_factory=dict)
    """Of the types of a union as the members of a choice, by their labels."""
    fields: dict[Record, dict[str, str]] = field(default_factory=dict)
    symbols: dict[Enumerated, dict[str, str]] = field(default_factory=dict)


def names_of(root: AvroType, name: str, reserved: frozenset[str]) -> Names:
    """The names of a schema whose root has this name."""
    survey = _Survey(root, name)
    unique = unique_type_names({key: wanted for key, wanted, _ in survey.wanted}, reserved | {name})
    names = survey.names
    for key, _, of in survey.wanted:
        if isinstance(of, tuple):
            names.wrappers[of] = unique[key]
        else:
            names.types[of] = unique[key]
    if is_plain_record(root):
        names.types[root] = name
    return names


class _Survey:
    """Finds everything that has a name, from the root inwards."""

    def __init__(self, root: AvroType, name: str) -> None:
        self.names = Names()
        self.wanted: list[tuple[str, str, AvroType | tuple[Union, str]]] = []
        """What identifies something in the schema, the name that it would get, and what it is."""
        self._root_name = name
        self._root_namespace = namespace_of(root.name) if isinstance(root, Record | Enumerated | Fixed) else ()
        self._pending: list[tuple[Record, str]] = []
        if is_plain_record(root):
            self.names.fields[root] = {}
            self._pending.append((root, name))
        else:
            self._inner(root, _Place("", name, ("value",)))
        while self._pending:
            self._record(*self._pending.pop())

    def _record(self, record: Record, name: str) -> None:
        self.names.fields[record] = field_names(each.name for each in record.fields)
        for each in record.fields:
            self._inner(each.type, _Place(record.name, name, (each.name,)))

    def _inner(self, avro_type: AvroType, place: "_Place") -> None:
        match avro_type:
            case Record() if avro_type.fields and avro_type not in self.names.fields:
                self.names.fields[avro_type] = {}
                self._pending.append((avro_type, self._want_by_full_name(avro_type)))
            case Enumerated() if avro_type not in self.names.symbols:
                self.names.symbols[avro_type] = enum_value_names(avro_type.symbols)
                self._want_by_full_name(avro_type)
            case Array():
                self._inner(avro_type.items, place)
            case Map():
                self._want_by_path(place.below("Entry"), avro_type)
                self._inner(avro_type.values, place.below("value"))
            case Union():
                self._union(avro_type, place)

    def _union(self, union: Union, place: "_Place") -> None:
        if len(union.others) < 2:
            for branch in union.others:
                self._inner(branch, place)
            return
        self._want_by_path(place.below("Choice"), union)
        self.names.members[union] = member_names({label(branch): own_name(label(branch)) for branch in union.others})
        for branch in union.others:
            below = place.below(own_name(label(branch)))
            if not is_plain_record(branch):
                self._want_by_path(below, (union, label(branch)), label(branch))
            self._inner(branch, below)

    def _want_by_full_name(self, named: Record | Enumerated) -> str:
        wanted = type_name(self._root_name, self._root_namespace, namespace_of(named.name), own_name(named.name))
        self.wanted.append((named.name, wanted, named))
        return wanted

    def _want_by_path(self, place: "_Place", of: AvroType | tuple[Union, str], label_: str = "") -> None:
        self.wanted.append((f"{place.key}:{label_}", place.name, of))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where something without a name of its own is."""

    owner: str
    """The full name of the record that it lies in."""
    owner_name: str
    path: tuple[str, ...]

    @property
    def key(self) -> str:
        return ":".join((self.owner, *self.path))

    @property
    def name(self) -> str:
        return part_name(self.owner_name, *self.path)

    def below(self, step: str) -> "_Place":
        return _Place(self.owner, self.owner_name, (*self.path, step))
