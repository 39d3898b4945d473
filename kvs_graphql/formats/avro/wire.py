"""The schema that the library decodes and encodes with: the same bytes, in values that say all that they are.

- Without logical types: what they mean is shown from the whole numbers and bytes, exactly, and without the library's
  global functions for them.
- Each branch of a union of several types is a record: another type has a record around it, with the one field `value`.
  A record with one field has the bytes of that field alone. So a decoded value is a pair of its branch's tag and a
  dictionary, where the library would not tell int from long.
- The root is a record, in the same way.
- Types have short names of their own, because names in schemas need not be legal.
"""

from dataclasses import dataclass, field
from itertools import count
from typing import Any, TypeGuard

from fastavro import parse_schema
from fastavro.schema import SchemaParseException

from kvs_graphql.formats.avro.types import Array, AvroType, Enumerated, Fixed, Map, Record, Union
from kvs_graphql.formats.errors import BadSchema, one_line


@dataclass(slots=True)
class Wire:
    """A schema of the library, and how its decoded values name what they are."""

    schema: Any = None
    wraps_root: bool = False
    names: dict[AvroType, str] = field(default_factory=dict)
    """The names of records, enums and fixed."""
    tags: dict[Union, tuple[str, ...]] = field(default_factory=dict)
    """Of unions with several types other than null: the tag of each branch."""
    numbers: "count[int]" = field(default_factory=count)

    @property
    def options(self) -> dict[str, bool]:
        """What the library decodes with. It needs names only where a union has several types, and is faster without."""
        return {"return_record_name": True, "return_record_name_override": True} if self.tags else {}

    def branch_name(self, union: Union, index: int) -> str:
        """What the library calls a branch when it encodes."""
        branch = union.branches[index]
        return self.tags[union][index] if union in self.tags else self.names.get(branch, branch.kind)


def is_plain_record(avro_type: AvroType) -> TypeGuard[Record]:
    """Whether a type is an object with fields. A record without fields is a value like any other."""
    return isinstance(avro_type, Record) and bool(avro_type.fields)


def wire_of(root: AvroType) -> Wire:
    """The library's schema for a type.

    Raises:
        BadSchema: Its types lie too deep in each other.
    """
    wire = Wire(wraps_root=not is_plain_record(root))
    try:
        schema = _schema(root, wire, set())
        wire.schema = parse_schema(_wrapper("root", schema) if wire.wraps_root else schema)
    except RecursionError as error:
        raise BadSchema("the types of the schema lie too deep in each other") from error
    except SchemaParseException as error:
        raise BadSchema(one_line(error)) from error
    return wire


def run_schema(avro_type: AvroType, number: int, wire: Wire, *, keyed: bool) -> Any:
    """The library's schema of so many values one after the other, each after a key where they are those of a map."""
    defined: set[str] = set()
    fields = []
    for n in range(number):
        if keyed:
            fields.append({"name": f"k{n}", "type": "string"})
        fields.append({"name": f"v{n}", "type": _schema(avro_type, wire, defined)})
    return parse_schema({"type": "record", "name": "run", "fields": fields})


def _schema(avro_type: AvroType, wire: Wire, defined: set[str]) -> Any:
    """The library's schema for a type; types that are defined in it already stand there by their names."""
    match avro_type:
        case Record() | Enumerated() | Fixed():
            name = _name_of(avro_type, wire)
            return name if name in defined else _definition(avro_type, name, wire, defined)
        case Array():
            return {"type": "array", "items": _schema(avro_type.items, wire, defined)}
        case Map():
            return {"type": "map", "values": _schema(avro_type.values, wire, defined)}
        case Union() if len(avro_type.others) > 1:
            return _tagged_union(avro_type, wire, defined)
        case Union():
            return [_schema(branch, wire, defined) for branch in avro_type.branches]
        case _:
            return avro_type.kind


def _name_of(named: AvroType, wire: Wire) -> str:
    if named not in wire.names:
        wire.names[named] = f"t{next(wire.numbers)}"
    return wire.names[named]


def _definition(named: Record | Enumerated | Fixed, name: str, wire: Wire, defined: set[str]) -> dict[str, Any]:
    defined.add(name)
    definition: dict[str, Any] = {"type": named.kind, "name": name}
    match named:
        case Record():
            fields = [{"name": each.name, "type": _schema(each.type, wire, defined)} for each in named.fields]
            return definition | {"fields": fields}
        case Enumerated():
            return definition | {"symbols": list(named.symbols)}
        case Fixed():
            return definition | {"size": named.size}


def _tagged_union(union: Union, wire: Wire, defined: set[str]) -> list[Any]:
    if union not in wire.tags:
        wire.tags[union] = tuple(_tag(branch, wire) for branch in union.branches)
    schemas: list[Any] = []
    for branch, tag in zip(union.branches, wire.tags[union], strict=True):
        if branch.kind == "null" or is_plain_record(branch):
            schemas.append(_schema(branch, wire, defined))
        elif tag in defined:
            schemas.append(tag)
        else:
            defined.add(tag)
            schemas.append(_wrapper(tag, _schema(branch, wire, defined)))
    return schemas


def _tag(branch: AvroType, wire: Wire) -> str:
    if branch.kind == "null":
        return "null"
    return _name_of(branch, wire) if is_plain_record(branch) else f"b{next(wire.numbers)}"


def _wrapper(name: str, schema: Any) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [{"name": "value", "type": schema}]}
